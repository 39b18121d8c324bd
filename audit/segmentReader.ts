/** Verifies one range of an export after another, on whichever thread. What is wrong with a range is not its business. */
import { ChainSegment } from "../ledger/chainSegment.ts";
import type { SegmentEnds } from "../ledger/chainSegment.ts";
import type { OrgId } from "../ledger/ids.ts";
import { nodeSha256Hex } from "./nodeSha256.ts";
import { RangeReader } from "./rangeReader.ts";
import type { FileRange } from "./rangeReader.ts";

/** What a thread needs to know. Threads share the process's open files. */
export interface SegmentTask {
  readonly fd: number;
  readonly orgId: OrgId;
  readonly knownHashes: readonly string[];
}

/** Undefined when a line of the range is not sound. Plain data: it can be sent. */
export type SegmentAnswer =
  { readonly ends: SegmentEnds; readonly identities: Uint32Array<ArrayBuffer> } | undefined;

/** The function throws what reading throws. The identities that it returns are valid until its next call. */
export function createSegmentReader({ fd, ...task }: SegmentTask): (range: FileRange) => SegmentAnswer {
  const reader = new RangeReader();
  const segment = new ChainSegment({ ...task, sha256Hex: nodeSha256Hex });
  return (range) => {
    segment.clear();
    if (!reader.verify(fd, range, segment)) return undefined;
    return { ends: segment.ends, identities: segment.identities.words };
  };
}
