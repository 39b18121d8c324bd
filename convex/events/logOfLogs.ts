/**
 * The log of logs: the organisations' checkpoints as the leaves of one tree, in the order in which the job takes them
 * from the queue. Only the job calls this, so no command contends for its head.
 */
import { v, type Infer } from "convex/values";
import { frontierRoot, type Frontier } from "../../ledger/frontier.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { logOfLogsLeafHash } from "../../ledger/logOfLogs.ts";
import { mutation, type MutationCtx } from "./_generated/server.js";
import type { Doc } from "./_generated/dataModel.js";
import {
  checkpointAt,
  KeyMissing,
  logOrigin,
  newestCheckpoint,
  openedCheckpoint,
  organizationOrigin,
  signedRow,
} from "./checkpointRows.ts";
import { IntegrityError } from "./row.ts";
import { deploymentKeys } from "./signing.ts";
import { growTree, LOG_OF_LOGS, logTree, proveConsistency, storedFrontier, treeDamage } from "./trees.ts";

/** Leaves that one step adds. */
const STEP = 50;

const damageValidator = v.object({ seq: v.number(), kind: v.string() });
const damagedOrganizations = v.array(v.object({ orgId: v.string(), damage: damageValidator }));

const extendedValidator = v.union(
  v.object({
    outcome: v.literal("extended"),
    added: v.number(),
    /** Of the deployment's newest checkpoint; 0 without one. */
    size: v.number(),
    /** Where to go on in the queue; null at its end. */
    next: v.union(v.null(), v.number()),
    /** Organisations whose checkpoint does not agree with itself: it is taken from the queue and no leaf. */
    damaged: damagedOrganizations,
    /** How many stay in the queue because the key that signed them is configured no longer. */
    waiting: v.number(),
  }),
  /** The log itself does not begin with what was signed of it. */
  v.object({ outcome: v.literal("damaged"), damage: damageValidator }),
  /** The key that signed the log's newest checkpoint is configured no longer. */
  v.object({ outcome: v.literal("keyMissing"), keyId: v.string() }),
);
type Extended = Infer<typeof extendedValidator>;

/** The leaf hash of a queued checkpoint, held against its note. Throws IntegrityError. */
async function leafOf(ctx: MutationCtx, { orgId, size }: Doc<"unloggedCheckpoints">): Promise<Uint8Array> {
  const keys = deploymentKeys();
  const row = await checkpointAt(ctx, orgId, size);
  if (row === null) throw treeDamage(orgId, size, "a checkpoint that was signed is missing");
  const origin = organizationOrigin(keys, orgId);
  return logOfLogsLeafHash({ origin, ...openedCheckpoint(row, origin, keys) }, sha256Noble);
}

/** Proves that the log, as it stands before this step, begins with what was signed of it. */
async function proveBefore(ctx: MutationCtx, frontier: Frontier): Promise<void> {
  const keys = deploymentKeys();
  const newest = await newestCheckpoint(ctx, LOG_OF_LOGS);
  if (newest === null) return;
  const older = openedCheckpoint(newest, logOrigin(keys), keys);
  if (older.size > frontier.size) {
    throw treeDamage(LOG_OF_LOGS, frontier.size + 1, `a checkpoint of ${older.size} leaves was signed`);
  }
  const root = frontierRoot(frontier, sha256Noble);
  await proveConsistency(ctx, LOG_OF_LOGS, older, { size: frontier.size, root });
}

type Queued = Doc<"unloggedCheckpoints">;
type Leaf = { queued: Queued; hash: Uint8Array };
type Damaged = Infer<typeof damagedOrganizations>;

/** The leaves of queued checkpoints, those that are damaged, and both together: what leaves the queue. */
async function leavesOf(
  ctx: MutationCtx,
  taken: readonly Queued[],
): Promise<{ leaves: Leaf[]; damaged: Damaged; done: Queued[] }> {
  const leaves: Leaf[] = [];
  const damaged: Damaged = [];
  const done: Queued[] = [];
  for (const queued of taken) {
    try {
      leaves.push({ queued, hash: await leafOf(ctx, queued) });
      done.push(queued);
    } catch (error) {
      if (error instanceof KeyMissing) continue;
      if (!(error instanceof IntegrityError)) throw error;
      damaged.push({ orgId: queued.orgId, damage: error.damage });
      done.push(queued);
    }
  }
  return { leaves, damaged, done };
}

/** Writes the leaves, the nodes that they complete and the log's new head, and signs it. */
async function write(
  ctx: MutationCtx,
  { frontier, row }: Awaited<ReturnType<typeof logTree>>,
  leaves: readonly Leaf[],
): Promise<number> {
  const keys = deploymentKeys();
  for (const [offset, { queued, hash }] of leaves.entries()) {
    const { orgId, size } = queued;
    await ctx.db.insert("logLeaves", { index: frontier.size + offset, orgId, size, hash: toHex(hash) });
  }
  const grown = await growTree(
    ctx,
    LOG_OF_LOGS,
    frontier,
    leaves.map(({ hash }) => hash),
  );
  if (row === null) await ctx.db.insert("logHead", storedFrontier(grown));
  else await ctx.db.patch("logHead", row._id, storedFrontier(grown));
  const head = { origin: logOrigin(keys), size: grown.size, root: frontierRoot(grown, sha256Noble) };
  await ctx.db.insert("checkpoints", signedRow(LOG_OF_LOGS, head, keys, Date.now()));
  return grown.size;
}

/**
 * Adds up to 50 queued checkpoints as leaves and signs the log's new head, from the beginning of the queue or from where
 * the call before ended. The log is first proven to begin with the one that was signed last; growing it by appends then
 * keeps it so. Signs nothing and writes nothing where it does not.
 */
export const extend = mutation({
  args: { after: v.optional(v.number()) },
  returns: extendedValidator,
  handler: async (ctx, { after }): Promise<Extended> => {
    const taken = await ctx.db
      .query("unloggedCheckpoints")
      .withIndex("by_creation_time", (q) => q.gt("_creationTime", after ?? 0))
      .take(STEP);
    const next = taken.length < STEP ? null : (taken.at(-1)?._creationTime ?? null);
    try {
      const log = await logTree(ctx);
      const { leaves, damaged, done } = await leavesOf(ctx, taken);
      await proveBefore(ctx, log.frontier);
      for (const { _id } of done) await ctx.db.delete("unloggedCheckpoints", _id);
      const size = leaves.length === 0 ? log.frontier.size : await write(ctx, log, leaves);
      const waiting = taken.length - done.length;
      return { outcome: "extended", added: leaves.length, size, next, damaged, waiting };
    } catch (error) {
      // Everything that throws so does it before the first write.
      if (error instanceof IntegrityError) return { outcome: "damaged", damage: error.damage };
      if (error instanceof KeyMissing) return { outcome: "keyMissing", keyId: error.keyId };
      throw error;
    }
  },
});
