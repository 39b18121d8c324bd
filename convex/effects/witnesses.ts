/**
 * Offers checkpoints to witnesses (c2sp.org/tlog-witness) and hands their cosignatures to the ledger component, which
 * verifies them again before it keeps them. It writes nothing itself. A witness that is down or answers nonsense is
 * asked again after the next round; one that says that the tree it saw is no beginning of ours is kept as an incident.
 * Offers of one tree may overtake each other: what a newer one brought about is no disagreement.
 */
import { v } from "convex/values";
import { hashFromHex } from "../../ledger/bytes.ts";
import { verifyNoble } from "../../ledger/ed25519.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { parseVerifierKey, type VerifierKey } from "../../ledger/noteKeys.ts";
import { formatCosignatures, formatAddCheckpoint, readWitnessAnswer } from "../../ledger/witnessProtocol.ts";
import { components, internal } from "../_generated/api.js";
import { internalAction, type ActionCtx } from "../_generated/server.js";
import { environment } from "../access/environment.ts";
import { postText } from "./boundedPost.ts";

const LOG_OF_LOGS = "log";
/** Sizes that one offer tries: ours, the one that the witness names, and one more when it moved meanwhile. */
const ATTEMPTS = 3;

type Offer = {
  tree: string;
  witness: { key: VerifierKey; keyText: string; url: string };
  checkpoint: { size: number; note: string };
};

/** What came of an offer, for the operator's log and the tests. */
const outcomeValidator = v.union(
  v.literal("cosigned"),
  v.literal("known"),
  v.literal("nothing"),
  v.literal("unreachable"),
  v.literal("refused"),
  v.literal("disagrees"),
);
type Outcome = "cosigned" | "known" | "nothing" | "unreachable" | "refused" | "disagrees";

async function ask(
  ctx: ActionCtx,
  { tree, witness, checkpoint }: Offer,
  oldSize: number,
): Promise<ReturnType<typeof readWitnessAnswer> | { kind: "unreachable"; reason: string }> {
  const of = { tree, fromSize: oldSize, toSize: checkpoint.size };
  const hashes = await ctx.runQuery(components.events.proofs.growth, of);
  const proof = (hashes ?? []).map(hashFromHex).filter((hash) => hash !== undefined);
  const body = formatAddCheckpoint({ oldSize, proof, checkpoint: checkpoint.note });
  const answer = await postText(`${witness.url}/add-checkpoint`, body);
  if (!answer.ok) return { kind: "unreachable", reason: answer.reason };
  return readWitnessAnswer(answer, checkpoint.note, [witness.key], verifyNoble);
}

async function disagree(ctx: ActionCtx, offer: Offer, detail: string): Promise<Outcome> {
  const { tree, witness, checkpoint } = offer;
  await ctx.runMutation(internal.workers.checkpoints.witnessDisagrees, {
    tree,
    size: checkpoint.size,
    detail: `${witness.key.name}: ${detail}`,
  });
  return "disagrees";
}

/** Whether we have signed so many leaves by now: a newer offer then brought the witness there, or settles it. */
async function hasSigned(ctx: ActionCtx, tree: string, size: number): Promise<boolean> {
  const newest = await ctx.runQuery(components.events.proofs.checkpoint, { tree });
  return newest !== null && newest.size >= size;
}

/** One checkpoint to one witness, from the size that it cosigned last as far as is known here. */
async function offerTo(ctx: ActionCtx, offer: Offer): Promise<Outcome> {
  const { tree, witness, checkpoint } = offer;
  const { name, keyId } = witness.key;
  const known = await ctx.runQuery(components.events.cosignatures.lastSize, { tree, witness: name, keyId });
  if (known >= checkpoint.size) return "known";
  let oldSize = known;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const answer = await ask(ctx, offer, oldSize);
    switch (answer.kind) {
      case "cosigned": {
        const lines = formatCosignatures(answer.cosignatures.map(({ signature }) => signature));
        const args = { tree, size: checkpoint.size, lines, witnesses: [witness.keyText] };
        await ctx.runMutation(internal.workers.checkpoints.keepCosignatures, args);
        return "cosigned";
      }
      case "knows another size":
        if (answer.size > checkpoint.size) {
          if (await hasSigned(ctx, tree, answer.size)) return "known";
          return await disagree(ctx, offer, `it knows ${answer.size} leaves, we have ${checkpoint.size}`);
        }
        if (answer.size === oldSize) return await disagree(ctx, offer, `it knows another tree of ${oldSize}`);
        oldSize = answer.size;
        break;
      case "refused":
        if (answer.status === 422) return await disagree(ctx, offer, `its tree of ${oldSize} is not ours`);
        console.warn(`witness ${name} refused ${tree} with ${answer.status}`);
        return "refused";
      case "unusable":
      case "unreachable":
        console.warn(`witness ${name} gave no answer for ${tree}: ${answer.reason}`);
        return "unreachable";
    }
  }
  return "unreachable";
}

/** Offers the newest checkpoints of the log of logs and of these trees to every witness. */
export const offer = internalAction({
  args: { trees: v.array(v.string()) },
  returns: v.array(v.object({ tree: v.string(), witness: v.string(), outcome: outcomeValidator })),
  handler: async (ctx, { trees }) => {
    const outcomes: { tree: string; witness: string; outcome: Outcome }[] = [];
    for (const tree of [LOG_OF_LOGS, ...trees]) {
      const checkpoint = await ctx.runQuery(components.events.proofs.checkpoint, { tree });
      for (const { key: keyText, url } of environment().DAYBOOK_WITNESSES) {
        const key = parseVerifierKey(keyText, sha256Noble);
        if (!key.ok) throw new Error("a witness's key was checked at start");
        const witness = { key: key.value, keyText, url };
        const outcome = checkpoint === null ? "nothing" : await offerTo(ctx, { tree, witness, checkpoint });
        outcomes.push({ tree, witness: key.value.name, outcome });
      }
    }
    return outcomes;
  },
});
