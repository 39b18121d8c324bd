import { accept, refuse, type Aggregate, type Decision, type DecisionContext } from "./decision.ts";

/** A reading is one event: it begins, and stays open to whoever began it. */
export const reading: Aggregate<null> = { initial: null, evolve: () => null };

/** Begins to read lines of the audit log that are there, both ends included. */
export function decideBeginReading(
  command: { fromSeq: number; toSeq: number },
  facts: { headSeq: number },
  { newId }: Pick<DecisionContext, "newId">,
): Decision {
  const { fromSeq, toSeq } = command;
  if (fromSeq > toSeq) return refuse("INVALID", "fromSeq");
  if (toSeq > facts.headSeq) return refuse("INVALID", "toSeq");
  const readingId = newId("rdg");
  return accept([{ stream: `reading/${readingId}`, type: "reading.begun", data: { fromSeq, toSeq } }], {
    readingId,
  });
}
