/**
 * The fast way to "intact": an export's file in segments, on one thread or several. Whatever it does not find intact
 * goes the slow way (bundleFile.ts), which is the reference and names the damage; so the verdict never depends on the
 * number of threads.
 */
import { readSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseManifest } from "../ledger/bundle.ts";
import type { Manifest } from "../ledger/bundle.ts";
import { ChainJoin } from "../ledger/chainJoin.ts";
import type { KnownHead } from "../ledger/knownHead.ts";
import { parseId } from "../ledger/ids.ts";
import type { Verdict } from "../ledger/verify.ts";
import { createBlockFile } from "./blockFile.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import type { Progress } from "./progress.ts";
import type { FileRange } from "./rangeReader.ts";
import { verifyRanges } from "./segmentPool.ts";
import type { TakeSegment } from "./segmentPool.ts";
import { SegmentThreads } from "./segmentThreads.ts";

const NEWLINE = 0x0a;
const MEBIBYTE = 1024 * 1024;
/** Much more than a manifest has. */
const MANIFEST_BYTES_MAX = 4096;
const SEGMENT_BYTES = 2 * MEBIBYTE;
/** A thread takes about as long to start as to verify half of this. */
const BYTES_WORTH_A_THREAD = 64 * MEBIBYTE;

export interface IntactOptions {
  readonly fd: number;
  /** Bytes of the file, from its beginning. */
  readonly size: number;
  readonly knownHeads: readonly KnownHead[];
  readonly progress: Progress;
  /** How many threads work, this one counted. Without it the machine and the size of the file decide. */
  readonly workers?: number;
  /** Bytes of a range that a thread verifies at once. */
  readonly segmentBytes?: number;
  /** Threads that have been started already, beside which this one works. They are not stopped here. */
  readonly threads?: SegmentThreads;
}

function readManifest({ fd, size }: IntactOptions): { manifest: Manifest; end: number } | undefined {
  const bytes = new Uint8Array(Math.min(MANIFEST_BYTES_MAX, size));
  const read = readSync(fd, bytes, 0, bytes.length, 0);
  const newline = bytes.subarray(0, read).indexOf(NEWLINE);
  if (newline === -1) return undefined;
  // What is not UTF-8 becomes U+FFFD here, which no manifest holds.
  const parsed = parseManifest(
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, newline)),
  );
  return parsed.ok ? { manifest: parsed.manifest, end: newline + 1 } : undefined;
}

function rangesOf(from: number, size: number, segmentBytes: number): FileRange[] {
  const ranges: FileRange[] = [];
  for (let at = from; at < size; at += segmentBytes) {
    ranges.push({ from: at, to: Math.min(at + segmentBytes, size), size });
  }
  return ranges;
}

/** As many threads as the machine runs at once, where the file is worth more than one. */
function usefulWorkers(size: number): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(size / BYTES_WORTH_A_THREAD)));
}

/** The verdict of an export that is intact; undefined of any other bytes. Throws what reading throws. */
export async function findIntact(options: IntactOptions): Promise<Verdict | undefined> {
  const { fd, size, knownHeads, progress, segmentBytes = SEGMENT_BYTES } = options;
  const begun = readManifest(options);
  const orgId = parseId("org", begun?.manifest.orgId);
  if (begun === undefined || orgId === undefined) return undefined;
  const { manifest, end } = begun;
  const ranges = rangesOf(end, size, segmentBytes);
  const workers = Math.max(1, Math.min(options.workers ?? usefulWorkers(size), ranges.length));
  const threads = options.threads ?? new SegmentThreads(workers - 1);
  const store = createBlockFile();
  try {
    const join = new ChainJoin({ manifest, sha256: nodeSha256, knownHeads, store });
    const task = { fd, orgId, knownHashes: join.knownHashes };
    const take: TakeSegment = (ends, identities) => {
      const isWanted = join.add(ends, identities);
      progress.report(join.count, manifest.count);
      return isWanted;
    };
    return (await verifyRanges(task, ranges, take, threads)) ? join.finish() : undefined;
  } finally {
    store.close();
    if (threads !== options.threads) await threads.stop();
  }
}
