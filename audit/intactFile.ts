/**
 * The fast way to "intact": an export's file in segments, on one thread or several. Whatever it does not find intact
 * goes the slow way (bundleFile.ts), which is the reference and names the damage; so the verdict never depends on the
 * number of threads.
 */
import { readSync } from "node:fs";
import { availableParallelism } from "node:os";
import { LineCutter } from "../ledger/bundle.ts";
import { OpeningReader } from "../ledger/bundleOpening.ts";
import type { Opening } from "../ledger/bundleOpening.ts";
import { ChainJoin } from "../ledger/chainJoin.ts";
import type { KnownHead } from "../ledger/knownHead.ts";
import { parseId } from "../ledger/ids.ts";
import type { TreeRoots } from "../ledger/treeRoots.ts";
import type { Verdict } from "../ledger/verify.ts";
import { createBlockFile } from "./blockFile.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import type { Progress } from "./progress.ts";
import type { FileRange } from "./rangeReader.ts";
import { verifyRanges } from "./segmentPool.ts";
import type { TakeSegment } from "./segmentPool.ts";
import { SegmentThreads } from "./segmentThreads.ts";

const MEBIBYTE = 1024 * 1024;
const OPENING_READ_BYTES = 65_536;
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
  /** Told what stands before the first event; answers whether the events' tree is wanted. */
  readonly treeFor?: (opening: Opening) => TreeRoots | undefined;
}

/** Reads up to the first event, in chunks: evidence may be long. Undefined when that is not sound. */
function readOpening({ fd, size }: IntactOptions): { opening: Opening; end: number } | undefined {
  const reader = new OpeningReader();
  const cutter = new LineCutter();
  let end = 0;
  for (let position = 0; position < size;) {
    // A fresh buffer each time: the cutter keeps what it has not cut yet.
    const bytes = new Uint8Array(Math.min(OPENING_READ_BYTES, size - position));
    const read = readSync(fd, bytes, 0, bytes.length, position);
    if (read === 0) return undefined;
    position += read;
    for (const line of cutter.push(bytes.subarray(0, read))) {
      const step = reader.take(line);
      if (line.kind !== "line" || (step.kind !== "more" && step.kind !== "done")) return undefined;
      end += Buffer.byteLength(line.text) + 1;
      if (step.kind === "done") return { opening: step.opening, end };
    }
  }
  return undefined;
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
  const begun = readOpening(options);
  const orgId = parseId("org", begun?.opening.manifest.orgId);
  if (begun === undefined || orgId === undefined) return undefined;
  const { opening, end } = begun;
  const { manifest } = opening;
  const tree = options.treeFor?.(opening);
  const ranges = rangesOf(end, size, segmentBytes);
  const workers = Math.max(1, Math.min(options.workers ?? usefulWorkers(size), ranges.length));
  const threads = options.threads ?? new SegmentThreads(workers - 1);
  const store = createBlockFile();
  try {
    const join = new ChainJoin({ manifest, sha256: nodeSha256, knownHeads, store });
    const task = { fd, orgId, knownHashes: join.knownHashes, withHashes: tree !== undefined };
    const take: TakeSegment = (ends, identities, hashes) => {
      const isWanted = join.add(ends, identities);
      if (isWanted) tree?.addBytes(hashes);
      progress.report(join.count, manifest.count);
      return isWanted;
    };
    return (await verifyRanges(task, ranges, take, threads)) ? join.finish() : undefined;
  } finally {
    store.close();
    if (threads !== options.threads) await threads.stop();
  }
}
