/** Receipts on disk: one event, proven to somebody who sees no other. */
import { existsSync } from "node:fs";
import type { EventEnvelope } from "../ledger/event.ts";
import { describeQuorum } from "../ledger/logPolicy.ts";
import type { LogPolicy } from "../ledger/logPolicy.ts";
import { inspectReceipt, verifyReceipt } from "../ledger/receipt.ts";
import { PROOF_LENGTH_MAX } from "../ledger/tlogProof.ts";
import { NODE_ALGORITHMS } from "./algorithms.ts";
import { AuditError } from "./auditError.ts";
import type { LiveLedger } from "./server.ts";
import { readText } from "./trustFiles.ts";
import { writeWhole } from "./wholeFile.ts";

export type ReceiptVerdict =
  | {
      readonly result: "sound";
      readonly event: EventEnvelope;
      readonly hash: string;
      /** Events in the organisation's checkpoint. */
      readonly size: number;
      readonly proven: readonly string[];
      readonly notProven: readonly string[];
    }
  | { readonly result: "not sound"; readonly reason: string };

const NEVER_PROVEN = "That what it says is true, or that no later event undoes it.";

/** Verifies the text of a receipt, against the policy's keys and quorum where there is one. */
export function judgeReceipt(text: string, policy: LogPolicy | undefined): ReceiptVerdict {
  if (policy === undefined) {
    const read = inspectReceipt(text, NODE_ALGORITHMS.sha256);
    if (!read.ok) return { result: "not sound", reason: read.reason };
    const { event, hash, organisation } = read.value;
    const proven = [`The event is number ${event.seq} in the tree of the receipt's checkpoint.`];
    const unsigned = "Nothing says that others saw that checkpoint: no key was pinned (--key).";
    const notProven = [unsigned, NEVER_PROVEN];
    return { result: "sound", event, hash, size: organisation.size, proven, notProven };
  }
  const verified = verifyReceipt(text, policy, NODE_ALGORITHMS);
  if (!verified.ok) return { result: "not sound", reason: verified.reason };
  const { event, hash, organisation, log, quorum } = verified.value;
  const signers = organisation.signers.map(({ name, keyId }) => `${name} (${keyId})`).join(" and ");
  const { size } = organisation.checkpoint;
  const proven = [`The event is number ${event.seq} of the ${size} in a checkpoint signed by ${signers}.`];
  if (log !== undefined)
    proven.push(`That checkpoint is in the log of logs, of ${log.checkpoint.size} checkpoints.`);
  if (quorum.witnessedBy.length > 0) {
    const of = describeQuorum(policy.quorum);
    proven.push(`It is cosigned by ${quorum.witnessedBy.join(", ")}, as ${of} asks for.`);
  }
  const unwitnessed =
    quorum.witnessedBy.length === 0 ? ["That others were shown the same: no witness is known."] : [];
  return { result: "sound", event, hash, size, proven, notProven: [...unwitnessed, NEVER_PROVEN] };
}

/** Verifies a receipt's file. Throws `AuditError` when it can't be read. */
export async function judgeReceiptFile(path: string, policy: LogPolicy | undefined): Promise<ReceiptVerdict> {
  return judgeReceipt(await readText(path, PROOF_LENGTH_MAX), policy);
}

export interface ReceiptRequest {
  readonly of: { readonly seq: number } | { readonly eventId: string };
  readonly isDirect: boolean;
  readonly file: string;
  readonly overwrite: boolean;
}

/** Fetches a receipt, verifies it and writes it when it is sound. Throws `AuditError`. */
export async function fetchReceipt(
  ledger: LiveLedger,
  { of, isDirect, file, overwrite }: ReceiptRequest,
  policy: LogPolicy | undefined,
): Promise<ReceiptVerdict> {
  if (!overwrite && existsSync(file)) {
    throw new AuditError(`${file} exists.`, "Choose another name, or overwrite it with --force.");
  }
  const { readReceipt } = await import("./liveEvidence.ts");
  const text = await readReceipt(ledger, of, isDirect);
  const verdict = judgeReceipt(text, policy);
  const isOther =
    verdict.result === "sound" &&
    ("seq" in of ? verdict.event.seq !== of.seq : verdict.event.eventId !== of.eventId);
  if (isOther) return { result: "not sound", reason: "it is the receipt of another event" };
  if (verdict.result === "sound") await writeWhole(file, text);
  return verdict;
}
