/** The threads beside the main one: this file is what they run. */
import { parentPort } from "node:worker_threads";
import { createSegmentReader } from "./segmentReader.ts";
import type { SegmentAnswer } from "./segmentReader.ts";
import type { RangeAnswer, RangeOrder } from "./segmentThreads.ts";

let job: number | undefined;
let read: (range: RangeOrder["range"]) => SegmentAnswer;

parentPort?.on("message", (order: RangeOrder) => {
  if (order.job !== job) read = createSegmentReader(order.task);
  job = order.job;
  const found = read(order.range);
  const answer = found === undefined ? undefined : { ...found, identities: found.identities.slice() };
  const message: RangeAnswer = { index: order.index, answer };
  parentPort?.postMessage(message, answer === undefined ? [] : [answer.identities.buffer]);
});
// Ranges are given to those who can begin: until then the main thread works alone.
parentPort?.postMessage("ready");
