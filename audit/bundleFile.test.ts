/** Files verified by one thread and by several: the verdict is the reference's, whatever their number. */
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EventEnvelope } from "../ledger/event.ts";
import { bundleOf } from "../ledger/testing/tampering.ts";
import { chainEvents, endlessDrafts, reseal } from "../ledger/testing/sampleLedger.ts";
import { toldVerdict, trustOf } from "../ledger/testing/auditCase.ts";
import type { AuditCase, ToldVerdict } from "../ledger/testing/auditCase.ts";
import { knownHeadsOf, verifyBytes } from "../ledger/testing/verifyCase.ts";
import { parseKnownHead } from "../ledger/knownHead.ts";
import type { KnownHead } from "../ledger/knownHead.ts";
import type { BundleVerdict } from "../ledger/verifyBundle.ts";
import { NODE_ALGORITHMS } from "./algorithms.ts";
import { AuditError } from "./auditError.ts";
import { createBlockFile } from "./blockFile.ts";
import { auditBundleFile, verifyBundleFile } from "./bundleFile.ts";
import { findIntact } from "./intactFile.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import { SegmentThreads } from "./segmentThreads.ts";

const VECTORS = join(import.meta.dirname, "..", "vectors");
const WORKERS = [1, 2, 3];
const silent = { report: () => undefined, stop: () => undefined };
/** More than the identities' blocks in memory hold, so that the temporary file is used. */
const EVENTS = 10_000;

let folder = "";
let events: readonly EventEnvelope[] = [];
let threads: readonly SegmentThreads[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "daybook-bundle-"));
  events = Array.from(chainEvents(endlessDrafts().take(EVENTS), nodeSha256), ({ event }) => event);
  threads = WORKERS.map((workers) => new SegmentThreads(workers - 1));
  for (const each of threads) await each.whenReady();
});
afterAll(async () => {
  for (const each of threads) await each.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Found {
  readonly intact: BundleVerdict | undefined;
  /** Events joined, each time that a segment was. */
  readonly progress: readonly number[];
}

/** With so small segments that every thread has work, by threads that have started. */
async function findTogether(
  path: string,
  knownHeads: readonly KnownHead[],
  beside: SegmentThreads,
): Promise<Found> {
  const fd = openSync(path, "r");
  const progress: number[] = [];
  try {
    const { size } = fstatSync(fd);
    const report = (done: number) => progress.push(done);
    const options = { fd, size, knownHeads, threads: beside, segmentBytes: Math.ceil(size / 40) };
    return { intact: await findIntact({ ...options, progress: { ...silent, report } }), progress };
  } finally {
    closeSync(fd);
  }
}

async function verdictOf(path: string, knownHeads: readonly KnownHead[], workers: number): Promise<object> {
  try {
    return await verifyBundleFile(path, knownHeads, silent, workers);
  } catch (error) {
    if (error instanceof AuditError) return { result: "not a bundle" };
    throw error;
  }
}

async function expectReference(path: string, heads: { expectHead?: string; earlierHead?: string } = {}) {
  const knownHeads = [
    heads.expectHead === undefined ? undefined : parseKnownHead(heads.expectHead, true),
    heads.earlierHead === undefined ? undefined : parseKnownHead(heads.earlierHead, false),
  ].filter((head) => head !== undefined);
  const reference = verifyBytes(readFileSync(path), nodeSha256, heads);
  for (const each of threads) {
    const workers = each.count + 1;
    const { intact } = await findTogether(path, knownHeads, each);
    expect([workers, intact]).toEqual([workers, reference.result === "intact" ? reference : undefined]);
    expect([workers, await verdictOf(path, knownHeads, workers)]).toEqual([
      workers,
      reference.result === "not a bundle" ? { result: "not a bundle" } : reference,
    ]);
  }
  return reference;
}

interface ChainVector {
  readonly file: string;
  readonly verdict: object;
  readonly expectHead?: string;
  readonly earlierHead?: string;
}

const vectors = JSON.parse(readFileSync(join(VECTORS, "chains.json"), "utf8")) as readonly ChainVector[];

test.each(vectors)("$file gets one verdict from 1, 2 and 3 workers", async ({ file, verdict, ...heads }) => {
  const reference = await expectReference(join(VECTORS, file), heads);
  expect(reference).toMatchObject({ result: Reflect.get(verdict, "result") as string });
});

interface BundleVector extends AuditCase {
  readonly file: string;
  readonly verdict: ToldVerdict;
}

const bundles = JSON.parse(readFileSync(join(VECTORS, "bundles.json"), "utf8")) as readonly BundleVector[];

test.each(bundles)(
  "$file gets the verdict of the vectors from 1 and 2 workers",
  async ({ file, verdict, ...asked }) => {
    const trust = trustOf(asked, NODE_ALGORITHMS);
    if (trust === "refused") throw new Error("The vectors hold only checkpoints that an audit trusted.");
    for (const workers of [1, 2]) {
      const options = { knownHeads: knownHeadsOf(asked), progress: silent, workers };
      expect(toldVerdict(await auditBundleFile(join(VECTORS, file), trust, options))).toEqual(verdict);
    }
  },
);

describe("a ledger of ten thousand events", () => {
  const write = (name: string, bundle: string | Uint8Array): string => {
    const path = join(folder, `${name}.ndjson`);
    writeFileSync(path, bundle);
    return path;
  };
  const rewritten = (seq: number, change: object): string => {
    const event = events[seq - 1];
    if (event === undefined) throw new RangeError("No such event.");
    return bundleOf(reseal(events.with(seq - 1, { ...event, ...change }), nodeSha256));
  };

  test("is intact, and the progress counts every segment in order", async () => {
    const path = write("intact", bundleOf(reseal(events, nodeSha256)));
    expect(await expectReference(path)).toMatchObject({ result: "intact", count: EVENTS });
    for (const each of threads) {
      const { progress } = await findTogether(path, [], each);
      expect(progress).toEqual(progress.toSorted((one, other) => one - other));
      expect(progress.length).toBeGreaterThanOrEqual(40);
      expect(progress.at(-1)).toBe(EVENTS);
    }
  });

  test.each([
    ["an event id that came 9,000 events earlier", 9_500, { eventId: "evt_01KE6S9G00000000000000000A" }],
    ["a stream version that skips one", 9_993, { streamVersion: 9 }],
    ["a stream begun again", 9_995, { streamVersion: 1 }],
    ["a time before the last segment's", 9_000, { recordedAt: 1 }],
    ["an unknown type", 6_789, { type: "booking.lost" }],
  ])("%s is found though every hash was computed again", async (_name, seq, change) => {
    const verdict = await expectReference(write("rewritten", rewritten(seq, change)));
    expect(verdict).toMatchObject({ result: "damaged", damage: { seq } });
  });

  test("a flipped bit is found in every part of the file", async () => {
    const bytes = Buffer.from(bundleOf(reseal(events, nodeSha256)));
    for (let part = 0; part < 3; part += 1) {
      const offset = Math.floor((bytes.length * (2 * part + 1)) / 6);
      const changed = Buffer.from(bytes);
      changed[offset] = (changed[offset] ?? 0) ^ 1;
      expect(await expectReference(write("flipped", changed))).toMatchObject({ result: "damaged" });
    }
  });
});

test("blocks set aside come back in order, partition by partition", () => {
  const file = createBlockFile();
  try {
    for (let index = 0; index < 100; index += 1) file.keep(index % 3, Uint32Array.of(index, index + 1));
    for (const partition of [0, 1, 2, 3]) {
      const expected = Array.from({ length: 100 }, (_, index) => index)
        .filter((index) => index % 3 === partition)
        .map((index) => Uint32Array.of(index, index + 1));
      expect(Array.from(file.blocks(partition), (block) => block.slice())).toEqual(expected);
    }
  } finally {
    file.close();
  }
});

test("a folder of temporary files that can't be written stops the audit and is named", () => {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = "/nonexistent";
  try {
    const file = createBlockFile();
    expect(() => {
      file.keep(0, Uint32Array.of(1));
    }).toThrow("/nonexistent can't hold a temporary file (ENOENT).");
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
});
