/** The threads beside the main one: this file is what they run. */
import { parentPort, workerData } from "node:worker_threads";
import type { FileRange } from "./rangeReader.ts";
import { createSegmentReader } from "./segmentReader.ts";
import type { SegmentTask } from "./segmentReader.ts";

const read = createSegmentReader(workerData as SegmentTask);

parentPort?.on("message", (range: FileRange) => {
  const answer = read(range);
  parentPort?.postMessage(answer, answer === undefined ? [] : [answer.identities.buffer]);
});
// Ranges are given to those who can begin: until then the main thread works alone.
parentPort?.postMessage("ready");
