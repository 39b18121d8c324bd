/** Two implementations of the ledger's format, one in TypeScript and one in Python, on random damages: one verdict. */
import { hash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { askPython } from "../audit/testing/pythonVerifier.ts";
import type { PythonCase } from "../audit/testing/pythonVerifier.ts";
import { askLibrary } from "../audit/testing/twoVerifiers.ts";
import type { Sha256 } from "../ledger/hash.ts";
import { EVIDENCE_DAMAGE_KINDS } from "../ledger/judgeEvidence.ts";
import { formatVerifierKey } from "../ledger/noteKeys.ts";
import {
  anchoredReceipt,
  deploymentKey,
  directReceipt,
  organisationLog,
  samplePolicy,
  WITNESSES,
} from "../ledger/testing/sampleEvidence.ts";
import { chainEvents, endlessDrafts, lifecycleEvents, sampleEvents } from "../ledger/testing/sampleLedger.ts";
import { createBundle, DAMAGES } from "./bundleDamages.ts";
import type { Damage, Draw } from "./bundleDamages.ts";
import { drawBundle } from "./judgedBundles.ts";
import { integerFrom, seedFrom } from "./seed.ts";

const sha256: Sha256 = (bytes) => hash("sha256", bytes, "buffer");
const seed = seedFrom();
/** Of each damage of a bundle; the gate plays some 4,000 in all, in one process of the other implementation. */
const runs = integerFrom("PROPERTY_RUNS") ?? 220;
const evidenceBundles = integerFrom("PROPERTY_RUNS") ?? 750;
const EVIDENCE_RUNS = 250;
const TAPE_LENGTH = 24;

/** Numbers from a tape, turned a little each time it is wound back. */
function drawFrom(numbers: readonly number[]): Draw {
  let at = 0;
  return (end) => {
    at += 1;
    return ((numbers[at % TAPE_LENGTH] ?? 0) + Math.floor(at / TAPE_LENGTH)) % end;
  };
}

function tapes(count: number, offset: number): number[][] {
  const tape = fc.array(fc.nat(), { minLength: TAPE_LENGTH, maxLength: TAPE_LENGTH });
  return fc.sample(tape, { seed: seed + offset, numRuns: count });
}

function expectAgreement(cases: readonly PythonCase[]): Map<string, number> {
  const results = new Map<string, number>();
  const python = askPython(cases);
  expect(python).toHaveLength(cases.length);
  for (const [at, asked] of cases.entries()) {
    const answer = askLibrary(asked);
    const answered = python[at] ?? {};
    const context = { seed, at };
    expect({ ...context, ...answered }).toEqual({ ...context, ...answer });
    const result = "kind" in answer ? String(answer.kind) : String(Object.values(answer)[0]);
    results.set(result, (results.get(result) ?? 0) + 1);
  }
  return results;
}

test("both find the same first damage of a bundle, and the same root of what is sound", () => {
  const short = Array.from(chainEvents(endlessDrafts().take(12), sha256), ({ event }) => event);
  const bundles = [sampleEvents(sha256), lifecycleEvents(sha256), short].map((events) =>
    createBundle(events, sha256),
  );
  const caseOf = (damage: Damage, numbers: readonly number[]): PythonCase[] => {
    const draw = drawFrom(numbers);
    const bundle = bundles[draw(bundles.length)];
    const damaged = bundle === undefined ? undefined : damage(bundle, draw);
    if (damaged === undefined) return [];
    const heads = damaged.earlierHead === undefined ? {} : { earlierHead: damaged.earlierHead };
    return [{ kind: "bundle", bytes: Buffer.from(damaged.bytes).toString("base64"), ...heads }];
  };
  const cases = Object.values(DAMAGES).flatMap((damage, at) =>
    tapes(runs, at).flatMap((numbers) => caseOf(damage, numbers)),
  );
  const results = expectAgreement(cases);
  console.info(
    `bundles that two verifiers judged: seed ${seed}, ${cases.length}`,
    Object.fromEntries(results),
  );
  if (integerFrom("PROPERTY_RUNS") !== undefined) return;
  expect(cases.length).toBeGreaterThan(3_500);
  expect(results.size).toBeGreaterThanOrEqual(12);
});

test("both judge the same evidence alike: what is wrong with it, and what it proves", () => {
  const cases = tapes(evidenceBundles, 2000).map((numbers): PythonCase => {
    const { bytes, asked } = drawBundle(drawFrom(numbers));
    return { kind: "bundle", bytes: Buffer.from(bytes).toString("base64"), ...asked };
  });
  const results = expectAgreement(cases);
  console.info(
    `bundles whose evidence two verifiers judged: seed ${seed}, ${cases.length}`,
    Object.fromEntries(results),
  );
  if (integerFrom("PROPERTY_RUNS") !== undefined) return;
  for (const kind of ["intact", "not canonical", ...EVIDENCE_DAMAGE_KINDS]) {
    expect({ kind, isPlayed: (results.get(kind) ?? 0) >= 10 }).toEqual({ kind, isPlayed: true });
  }
});

/** A text with one character changed, left out or put in. */
function mistyped(text: string, draw: Draw): string {
  const at = draw(text.length);
  const typed = "A0+/= \n\t-.z\u2014\u00e9\ud800".charAt(draw(14));
  return [text.slice(0, at), draw(3) === 0 ? "" : typed, text.slice(at + draw(2))].join("");
}

test("both take and refuse the same receipts and checkpoints", () => {
  const two = WITNESSES.slice(0, 2);
  const receipts = [directReceipt(4, two), anchoredReceipt(23, two)];
  const checkpoint = organisationLog().published(undefined, two);
  const pinned = {
    logs: [formatVerifierKey(deploymentKey())],
    witnesses: WITNESSES.map((key) => formatVerifierKey(key)),
  };
  const cases = tapes(EVIDENCE_RUNS, 1000).flatMap((numbers, at): PythonCase[] => {
    const draw = drawFrom(numbers);
    const receipt = receipts[at % receipts.length] ?? "";
    const policy =
      at % 5 === 0 ? mistyped(samplePolicy(), draw) : samplePolicy(at % 3 === 0 ? "none" : "most");
    return [
      { kind: "receipt", receipt: at < 4 || at % 5 === 0 ? receipt : mistyped(receipt, draw), policy },
      { kind: "checkpoint", checkpoint: at < 2 ? checkpoint : mistyped(checkpoint, draw), ...pinned },
    ];
  });
  const results = expectAgreement(cases);
  console.info(
    `evidence that two verifiers judged: seed ${seed}, ${cases.length}`,
    Object.fromEntries(results),
  );
  expect(results.get("proven")).toBeGreaterThan(3);
  expect(results.get("opened")).toBeGreaterThan(1);
  expect(results.get("refused")).toBeGreaterThan(EVIDENCE_RUNS);
});
