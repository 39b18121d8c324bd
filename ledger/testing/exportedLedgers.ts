/** The sample chains of organisations whose ledger was exported or whose audit log was read, for the vectors. */
import type { Sha256 } from "../hash.ts";
import { exportEvents, readingEvents, reseal, sampleId } from "./sampleLedger.ts";
import { bundleOf } from "./tampering.ts";
import type { ChainCase } from "./tampering.ts";

/** The chain of an organisation whose ledger was exported, and one where the record stands in another stream. */
export function exportCases(sha256: Sha256): ChainCase[] {
  const events = exportEvents(sha256);
  const last = events.length;
  const moved = events.map((event) =>
    event.seq === last ? { ...event, stream: `service/${sampleId("svc", 9)}` } : event,
  );
  return [
    {
      name: "valid-export",
      what: "a ledger that was exported, with the record of it",
      bundle: bundleOf(reseal(events, sha256)),
      verdict: { result: "intact" },
    },
    {
      name: "unknown-type-export-stream",
      what: "the record of an export in a service's stream",
      bundle: bundleOf(reseal(moved, sha256)),
      verdict: { result: "damaged", seq: last, kind: "unknown type" },
    },
    {
      name: "valid-reading",
      what: "a ledger whose audit log was read, with the record of it and an invitation that was taken back",
      bundle: bundleOf(reseal(readingEvents(sha256), sha256)),
      verdict: { result: "intact" },
    },
  ];
}
