/** The events of an exported file that was verified before, one after another. */
import { createReadStream } from "node:fs";
import { LineCutter, parseEntry } from "../ledger/bundle.ts";
import { parseEvent } from "../ledger/event.ts";
import type { EventEnvelope } from "../ledger/event.ts";

/**
 * The first `count` events of the file: as many as were found to be sound. What stands behind them is not looked at: it
 * may be anything, an event that claims an earlier sequence too.
 */
export async function* verifiedEvents(file: string, count: number): AsyncGenerator<EventEnvelope, void> {
  let seq = 0;
  if (seq === count) return;
  const cutter = new LineCutter();
  const chunks: AsyncIterable<Buffer> = createReadStream(file);
  for await (const chunk of chunks) {
    for (const line of cutter.push(chunk)) {
      const entry = line.kind === "line" ? parseEntry(line.text) : undefined;
      if (entry?.ok !== true) continue;
      const parsed = parseEvent(JSON.parse(entry.entry.text));
      if (!parsed.ok || parsed.event.seq !== seq + 1) return;
      yield parsed.event;
      seq += 1;
      if (seq === count) return;
    }
  }
}
