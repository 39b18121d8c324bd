import { describe, expect, test } from "vitest";
import { ALGORITHMS_NOBLE } from "./algorithms.ts";
import type { AuditVerdict } from "./auditVerdict.ts";
import { formatCheckpointLine, readCheckpoint } from "./evidenceLines.ts";
import type { ReadCheckpoint } from "./evidenceLines.ts";
import { sha256Noble } from "./hash.ts";
import { EVIDENCE_DAMAGE_KINDS } from "./judgeEvidence.ts";
import { parsePolicy, policyOfKeys } from "./logPolicy.ts";
import type { LogPolicy } from "./logPolicy.ts";
import { auditBytes } from "./testing/auditCase.ts";
import {
  deploymentKey,
  organisationLog,
  SampleLog,
  sampleKey,
  samplePolicy,
  WITNESSES,
} from "./testing/sampleEvidence.ts";
import {
  anchorLine,
  bundleText,
  checkpointLine,
  rewrittenFrom,
  sampleBundle,
} from "./testing/sampleBundle.ts";
import type { BundleParts } from "./testing/sampleBundle.ts";
import { sampleId } from "./testing/sampleLedger.ts";
import type { Trust } from "./trust.ts";

const COUNT = 23;
const PARTS = sampleBundle();
const LOG = organisationLog();
const BY_KEY: LogPolicy = policyOfKeys([deploymentKey()]);
const parsed = parsePolicy(samplePolicy(), sha256Noble);
if (!parsed.ok) throw new Error(parsed.reason);
const BY_WITNESSES = parsed.value;

const { entries: REWRITTEN, log: REWRITTEN_LOG } = rewrittenFrom(9);

function audit(text: string, trust: Trust): AuditVerdict {
  const verdict = auditBytes(new TextEncoder().encode(text), trust, [], ALGORITHMS_NOBLE);
  if (verdict.result === "not a bundle") throw new Error(verdict.reason);
  return verdict;
}

function bundle(change: Partial<BundleParts> = {}): string {
  return bundleText({ ...PARTS, ...change });
}

function trusted(published: string): ReadCheckpoint {
  const read = readCheckpoint(published);
  if (!read.ok) throw new Error(read.reason);
  return read.value;
}

describe("what a sound bundle proves", () => {
  test("without a key, nothing about what others saw", () => {
    const verdict = audit(bundle(), {});
    expect(verdict).toMatchObject({ result: "intact", count: COUNT, proven: [] });
    expect(verdict.evidence).toMatchObject({ signedTo: 0, provenTo: 0 });
    expect(verdict.notProven[0]).toContain("Nothing says that this is the ledger that others saw");
  });

  test("with the deployment's key, what it signed", () => {
    const verdict = audit(bundle(), { policy: BY_KEY });
    expect(verdict).toMatchObject({ result: "intact", evidence: { signedTo: COUNT, provenTo: COUNT } });
    expect(verdict.proven[0]).toMatch(
      /^Events 1 to 23 are in a checkpoint signed by daybook\.example\/org\//,
    );
  });

  test("with a policy, what its witnesses saw, through the log of logs too", () => {
    const verdict = audit(bundle(), { policy: BY_WITNESSES });
    expect(verdict).toMatchObject({ result: "intact", evidence: { signedTo: COUNT, provenTo: COUNT } });
    expect(verdict.proven[0]).toContain("through the log of logs, by 2 of 3 witnesses (a, b)");
  });

  test("events that are newer than what was signed or witnessed are named", () => {
    const evidence = PARTS.evidence.slice(0, 2);
    expect(audit(bundle({ evidence }), { policy: BY_KEY }).notProven[0]).toBe(
      "The last 11 events are newer than any checkpoint that a pinned key signed.",
    );
    const verdict = audit(bundle({ evidence: PARTS.evidence.slice(0, 3) }), { policy: BY_WITNESSES });
    expect(verdict).toMatchObject({ result: "intact", evidence: { signedTo: COUNT, provenTo: 12 } });
    expect(verdict.notProven[0]).toMatch(/events 13 to 23: 2 of \(a, b, c\) did not cosign/);
  });

  test("an earlier audit's checkpoint divides what was trusted from what is new", () => {
    const since = trusted(LOG.published(12));
    const verdict = audit(bundle(), { policy: BY_KEY, since });
    expect(verdict.result).toBe("intact");
    expect(verdict.proven[0]).toBe("Events 1 to 12 are those that you trusted before; 11 are new.");
  });
});

const TAIL = PARTS.entries.slice(0, 20);
const foreign = new SampleLog(
  { kind: "organisation", deployment: "daybook.example", orgId: sampleId("org", 2) },
  LOG.leaves,
);
const twisted = LOG.published(12).replace(
  /(— \S+ )(\S{8})(\S)/,
  (_all, opening: string, id: string, next: string) => `${opening}${id}${next === "A" ? "B" : "A"}`,
);
const stranger = sampleKey("elsewhere.example", "note");

/** What was done, the bundle, whom the auditor trusts, kind and position. */
const DAMAGES: readonly (readonly [string, string, Trust, string, number])[] = [
  [
    "P11 the whole chain is hashed again under the checkpoints that were published",
    bundle({ entries: REWRITTEN }),
    { policy: BY_KEY },
    "checkpoint mismatch",
    6,
  ],
  [
    "the same is found without any key: the file contradicts itself",
    bundle({ entries: REWRITTEN }),
    {},
    "checkpoint mismatch",
    6,
  ],
  [
    "P11 the chain is hashed again and its checkpoints are left out",
    bundle({ entries: REWRITTEN, evidence: [] }),
    { policy: BY_KEY },
    "unsigned",
    1,
  ],
  [
    "P11 the operator signs the rewritten chain: the witnesses did not",
    bundle({ entries: REWRITTEN, evidence: [checkpointLine(REWRITTEN_LOG, COUNT)] }),
    { policy: BY_WITNESSES },
    "not cosigned",
    1,
  ],
  [
    "P11 the operator signs it, and the auditor has an earlier checkpoint: both signatures are the proof",
    bundle({ entries: REWRITTEN, evidence: [checkpointLine(REWRITTEN_LOG, COUNT)] }),
    { policy: BY_KEY, since: trusted(LOG.published(12)) },
    "split view",
    1,
  ],
  [
    "two signed checkpoints of one size",
    bundle({ entries: REWRITTEN, evidence: [checkpointLine(REWRITTEN_LOG, COUNT)] }),
    { policy: BY_KEY, since: trusted(LOG.published(COUNT)) },
    "split view",
    1,
  ],
  [
    "an earlier checkpoint is not of this chain, without any key",
    bundle({ entries: REWRITTEN, evidence: [] }),
    { since: trusted(LOG.published(12)) },
    "checkpoint mismatch",
    1,
  ],
  [
    "P11 the database is rolled back and exported anew",
    bundle({ entries: TAIL, evidence: PARTS.evidence.slice(0, 2) }),
    { policy: BY_KEY, since: trusted(LOG.published(COUNT)) },
    "rolled back",
    21,
  ],
  [
    "P11 a database is rolled back behind a checkpoint that it still has",
    bundle({ entries: TAIL }),
    {},
    "rolled back",
    21,
  ],
  [
    "the tail is cut off under the old manifest: the chain says so first",
    bundle({ entries: TAIL, head: { count: COUNT, hash: PARTS.entries.at(-1)?.hash ?? "" } }),
    { policy: BY_KEY },
    "truncated",
    21,
  ],
  [
    "another organisation's checkpoint",
    bundle({ evidence: [checkpointLine(LOG, 5), checkpointLine(foreign, 12)] }),
    { policy: BY_KEY },
    "foreign organisation",
    6,
  ],
  [
    "a signature of the pinned key that is not its",
    bundle({ evidence: [checkpointLine(LOG, 5), formatCheckpointLine(twisted, 1)] }),
    { policy: BY_KEY },
    "forged signature",
    6,
  ],
  ["nobody whom the auditor knows signed", bundle(), { policy: policyOfKeys([stranger]) }, "unsigned", 1],
  [
    "one witness of the two that are asked for",
    bundle({ evidence: [checkpointLine(LOG, COUNT, WITNESSES.slice(0, 1))] }),
    { policy: BY_WITNESSES },
    "not cosigned",
    1,
  ],
  [
    "a proof that does not lead to the checkpoint's place in the log of logs",
    bundle({ evidence: [...PARTS.evidence.slice(0, 3), anchorLine().replace("index 3", "index 4")] }),
    {},
    "checkpoint mismatch",
    13,
  ],
];

describe("what is wrong with the evidence is named by kind and position", () => {
  test.each(DAMAGES)("%s", (_what, text, trust, kind, seq) => {
    expect(audit(text, trust)).toMatchObject({ result: "damaged", damage: { kind, seq } });
  });

  test("every kind is among them", () => {
    const kinds = new Set(DAMAGES.map(([, , , kind]) => kind));
    expect([...EVIDENCE_DAMAGE_KINDS].filter((kind) => !kinds.has(kind))).toEqual([]);
  });

  test("the sound part ends at the last checkpoint that agrees", () => {
    const verdict = audit(bundle({ entries: REWRITTEN }), { policy: BY_KEY });
    expect(verdict).toMatchObject({ count: 5, headHash: PARTS.entries[4]?.hash, evidence: { provenTo: 5 } });
  });

  test("damage of the chain leaves what is proven below it", () => {
    const [altered] = PARTS.entries.slice(13, 14);
    const entries = PARTS.entries.with(13, { text: altered?.text ?? "", hash: "0".repeat(64) });
    const verdict = audit(bundle({ entries }), { policy: BY_KEY });
    expect(verdict).toMatchObject({ result: "damaged", damage: { seq: 14 }, evidence: { provenTo: 12 } });
  });
});

test.each([
  ["a line that is none", ["{}"]],
  ["a checkpoint with white space", [(PARTS.evidence[0] ?? "").replace('"at":', '"at": ')]],
  ["checkpoints out of order", [PARTS.evidence[1] ?? "", PARTS.evidence[0] ?? ""]],
  ["one size twice", [PARTS.evidence[0] ?? "", PARTS.evidence[0] ?? ""]],
  ["a checkpoint after an anchor", [PARTS.evidence[3] ?? "", PARTS.evidence[2] ?? ""]],
  ["a note that is none", ['{"at":1,"checkpoint":"x"}']],
  ["an event where evidence is due", [bundle({ evidence: [] }).split("\n")[1] ?? ""]],
])("%s is not canonical, at position 0", (_what, evidence) => {
  expect(audit(bundle({ evidence }), {})).toMatchObject({ damage: { kind: "not canonical", seq: 0 } });
});

test("a manifest that counts too many or too few lines of evidence is found", () => {
  const text = bundle();
  for (const count of [3, 5]) {
    const changed = text.replace('"evidence":4', `"evidence":${count}`);
    expect(audit(changed, {})).toMatchObject({ result: "damaged", damage: { kind: "not canonical" } });
  }
});
