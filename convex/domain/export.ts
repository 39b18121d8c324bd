import { accept, type Aggregate, type Decision, type DecisionContext } from "./decision.ts";

/** An export is one event: it begins, and the server does not hear how it ends. */
export const ledgerExport: Aggregate<null> = { initial: null, evolve: () => null };

/** Begins an export of everything up to a head. */
export function decideBeginExport(
  facts: { head: { seq: number; hash: string } },
  { newId }: Pick<DecisionContext, "newId">,
): Decision {
  const exportId = newId("exp");
  const data = { headSeq: facts.head.seq, headHash: facts.head.hash };
  return accept([{ stream: `export/${exportId}`, type: "export.begun", data }], {
    exportId,
    headHash: facts.head.hash,
  });
}
