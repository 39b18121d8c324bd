import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatEntry } from "./bundle.ts";
import { sha256Noble } from "./hash.ts";
import type { Sha256 } from "./hash.ts";
import { anyText } from "./testing/anyText.ts";
import { chainCases } from "./testing/damagedLedgers.ts";
import { bundleOf, sampleChain } from "./testing/tampering.ts";
import {
  chainEvents,
  endlessDrafts,
  exportEvents,
  readingEvents,
  lifecycleEvents,
  reseal,
  SAMPLE_ORG_ID,
  sampleId,
  seal,
} from "./testing/sampleLedger.ts";
import { paymentDrafts, stripeAccountDrafts } from "./testing/samplePayments.ts";
import { verifyBytes } from "./testing/verifyCase.ts";
import { createVerifier, DAMAGE_KINDS } from "./verify.ts";
import type { Verdict } from "./verify.ts";
import type { BundleVerdict } from "./verifyBundle.ts";
import { EVENT_TYPES } from "./eventTypes.ts";

const sha256: Sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const sample = sampleChain(sha256);
const cases = chainCases(sha256);

function outcome(verdict: BundleVerdict): object {
  if (verdict.result !== "damaged" || verdict.damage === undefined) return { result: verdict.result };
  return { result: "damaged", seq: verdict.damage.seq, kind: verdict.damage.kind };
}

/** The sound part must be the true chain up to the damage, never more. */
function expectSoundPrefix(verdict: BundleVerdict): void {
  if (verdict.result === "not a bundle") return;
  const { count, headHash, damage } = verdict;
  expect(damage).toBeDefined();
  expect(damage?.expected).not.toBe(damage?.found);
  if (count > 0) expect(headHash).toBe(sample.entries[count - 1]?.hash);
}

describe("the named damages", () => {
  test.each(cases)("$name: $what", ({ bundle, verdict, expectHead, earlierHead }) => {
    const heads = {
      ...(expectHead === undefined ? {} : { expectHead }),
      ...(earlierHead === undefined ? {} : { earlierHead }),
    };
    expect(outcome(verifyBytes(bundle, sha256, heads))).toEqual(verdict);
    expect(outcome(verifyBytes(bundle, sha256, heads, 1))).toEqual(verdict);
  });

  test("the cases cover every kind of damage", () => {
    const kinds = cases.flatMap(({ verdict }) => (verdict.result === "damaged" ? [verdict.kind] : []));
    expect([...new Set(kinds)].sort()).toEqual([...DAMAGE_KINDS].sort());
  });

  test("the samples hold every event type", () => {
    const events = [
      ...sample.events,
      ...lifecycleEvents(sha256),
      ...exportEvents(sha256),
      ...readingEvents(sha256),
    ];
    const drafts = [...paymentDrafts(), ...stripeAccountDrafts()];
    const types = [...events, ...drafts].map(({ type }) => type);
    expect(new Set(types)).toEqual(new Set(Object.keys(EVENT_TYPES)));
  });

  test("an intact ledger's verdict carries its organisation, count and head", () => {
    expect(verifyBytes(bundleOf(sample.entries), sha256Noble)).toEqual({
      result: "intact",
      orgId: SAMPLE_ORG_ID,
      count: 23,
      headHash: sample.head.hash,
    });
  });

  test("the evidence of an altered event is both hashes", () => {
    const verdict = verifyBytes(cases.find(({ name }) => name === "altered")?.bundle ?? "", sha256);
    expect(verdict).toMatchObject({
      count: 8,
      headHash: sample.entries[7]?.hash,
      damage: {
        expected: `hash ${sample.entries[8]?.hash ?? ""}`,
        found: expect.stringMatching(/^hash /) as string,
      },
    });
  });
});

describe("random damages of a sound export", () => {
  const lines = bundleOf(sample.entries).trimEnd().split("\n");
  const manifest = lines[0] ?? "";
  const bytes = new TextEncoder().encode(bundleOf(sample.entries));
  const position = fc.integer({ min: 1, max: sample.entries.length });
  const join = (entries: readonly string[]) => [manifest, ...entries, ""].join("\n");
  const entryLines = sample.entries.map(formatEntry);
  /** Nothing vouches for the time of the export: it is the only part of a bundle that may change unseen. */
  const exportedAt = /"exportedAt":(\d+)/.exec(manifest);
  const exportedFrom = (exportedAt?.index ?? 0) + '"exportedAt":'.length;
  const exportedTo = exportedFrom + (exportedAt?.[1]?.length ?? 0);
  const sequenceAt = (offset: number) => bytes.subarray(0, offset).filter((byte) => byte === 10).length;

  test("every flipped bit is reported at its own position", () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (offset, bit) => {
        fc.pre(offset < exportedFrom || offset >= exportedTo);
        const changed = Uint8Array.from(bytes);
        changed[offset] = (changed[offset] ?? 0) ^ (1 << bit);
        const verdict = verifyBytes(changed, sha256);
        expect(verdict.result).not.toBe("intact");
        expectSoundPrefix(verdict);
        if (verdict.result === "not a bundle" || sequenceAt(offset) === 0) return;
        expect(verdict.damage?.seq).toBe(sequenceAt(offset));
      }),
      { numRuns: 2000 },
    );
  });

  test("every deleted or repeated byte is reported at its own position", () => {
    const inEvents = fc.integer({ min: manifest.length + 1, max: bytes.length - 1 });
    fc.assert(
      fc.property(inEvents, fc.boolean(), (offset, repeat) => {
        const kept = bytes.subarray(0, repeat ? offset + 1 : offset);
        const changed = Buffer.concat([kept, bytes.subarray(repeat ? offset : offset + 1)]);
        const verdict = verifyBytes(changed, sha256) as Verdict;
        const expected = sequenceAt(offset) + (repeat && bytes[offset] === 10 ? 1 : 0);
        expect(verdict).toMatchObject({ result: "damaged", damage: { seq: expected } });
        expectSoundPrefix(verdict);
      }),
      { numRuns: 1000 },
    );
  });

  test("every deleted event is missing, or truncated at the end", () => {
    fc.assert(
      fc.property(position, (seq) => {
        const kind = seq === entryLines.length ? "truncated" : "missing";
        const verdict = verifyBytes(join(entryLines.toSpliced(seq - 1, 1)), sha256);
        expect(outcome(verdict)).toEqual({ result: "damaged", seq, kind });
      }),
    );
  });

  test("every swap of two events is reordered at the first of them", () => {
    fc.assert(
      fc.property(position, position, (one, other) => {
        fc.pre(one !== other);
        const [a, b] = [entryLines[one - 1] ?? "", entryLines[other - 1] ?? ""];
        const swapped = entryLines.with(one - 1, b).with(other - 1, a);
        const seq = Math.min(one, other);
        expect(outcome(verifyBytes(join(swapped), sha256))).toEqual({
          result: "damaged",
          seq,
          kind: "reordered",
        });
      }),
    );
  });

  test("every repetition is duplicated where the repeated line stands, or ahead of its place reordered", () => {
    fc.assert(
      fc.property(position, fc.integer({ min: 1, max: 24 }), (of, before) => {
        fc.pre(before !== of);
        const repeated = entryLines.toSpliced(before - 1, 0, entryLines[of - 1] ?? "");
        const kind = before > of ? "duplicated" : "reordered";
        const verdict = verifyBytes(join(repeated), sha256);
        expect(outcome(verdict)).toEqual({ result: "damaged", seq: before, kind });
      }),
    );
  });

  test("every linked stranger between two events is inserted at the sequence that it claims", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 23 }), anyText(), (seq, note) => {
        const event = sample.events[seq - 1];
        if (event === undefined) throw new Error("No sample.");
        const eventId = sampleId("evt", 900);
        const stranger = seal({ ...event, eventId, data: { note: note.toWellFormed() } }, sha256);
        const verdict = verifyBytes(join(entryLines.toSpliced(seq - 1, 0, formatEntry(stranger))), sha256);
        expect(outcome(verdict)).toEqual({ result: "damaged", seq, kind: "inserted" });
      }),
    );
  });

  test("a ledger rewritten with all its links passes by itself, and not against a head from elsewhere", () => {
    fc.assert(
      fc.property(position, fc.nat(), (seq, amount) => {
        const event = sample.events[seq - 1];
        if (event === undefined) throw new Error("No sample.");
        const events = sample.events.with(seq - 1, { ...event, data: { amount } });
        const bundle = bundleOf(reseal(events, sha256));
        expect(verifyBytes(bundle, sha256).result).toBe("intact");
        const heads = { expectHead: `23:${sample.head.hash}` };
        expect(outcome(verifyBytes(bundle, sha256, heads))).toEqual({
          result: "damaged",
          seq: 23,
          kind: "altered",
        });
      }),
    );
  });
});

describe("the verifier", () => {
  test("accepts a ledger of five thousand events entry by entry", () => {
    const verifier = createVerifier({ sha256 });
    for (const { entry } of chainEvents(endlessDrafts().take(5000), sha256)) verifier.push(entry);
    expect(verifier.finish()).toMatchObject({ result: "intact", orgId: SAMPLE_ORG_ID, count: 5000 });
  });

  test("an empty input is intact and names no organisation", () => {
    expect(createVerifier({ sha256 }).finish()).toEqual({
      result: "intact",
      orgId: undefined,
      count: 0,
      headHash: undefined,
    });
  });

  test("nothing after a damage is verified", () => {
    const verifier = createVerifier({ sha256, orgId: SAMPLE_ORG_ID });
    verifier.pushUnreadable("noise");
    expect(verifier.isSettled).toBe(true);
    for (const entry of sample.entries) verifier.push(entry);
    expect(verifier.finish()).toMatchObject({ count: 0, damage: { kind: "not canonical", seq: 1 } });
  });

  test("an input that breaks off is truncated after an earlier head, and not canonical after the last one", () => {
    const verdicts = [false, true].map((isLast) => {
      const knownHeads = [{ seq: 23, hash: sample.head.hash, isLast }];
      const verifier = createVerifier({ sha256, knownHeads });
      for (const entry of sample.entries) verifier.push(entry);
      verifier.pushCut("half a line");
      return verifier.finish().damage;
    });
    expect(verdicts).toMatchObject([
      { kind: "truncated", seq: 24 },
      { kind: "not canonical", seq: 24 },
    ]);
  });

  test("a gap keeps its position when the input later breaks off or turns unreadable", () => {
    const verifier = createVerifier({ sha256 });
    for (const entry of sample.entries.toSpliced(4, 1)) verifier.push(entry);
    verifier.pushUnreadable("noise");
    verifier.pushCut("half a line");
    expect(verifier.finish().damage).toMatchObject({ kind: "missing", seq: 5 });
  });
});
