/** A row of `checkpoints`: how it is made, and the check that its columns agree with the note that was signed. */
import { openCheckpoint, signCheckpoint, type Checkpoint } from "../../ledger/checkpoint.ts";
import { ALGORITHMS_NOBLE } from "../../ledger/algorithms.ts";
import { signerOf, verifierKeysOf, type DeploymentKeys } from "../../ledger/deploymentKeys.ts";
import { signNoble } from "../../ledger/ed25519.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { parseId } from "../../ledger/ids.ts";
import { formatOrigin, keysOfOrigin, type Origin } from "../../ledger/origin.ts";
import type { Doc } from "./_generated/dataModel.js";
import type { QueryCtx } from "./_generated/server.js";
import { LOG_OF_LOGS, treeDamage } from "./trees.ts";

type Reader = Pick<QueryCtx, "db">;
type CheckpointRow = Omit<Doc<"checkpoints">, "_id" | "_creationTime">;

/** The origin of an organisation's checkpoints. */
export function organizationOrigin({ deployment }: DeploymentKeys, orgId: string): Origin {
  const id = parseId("org", orgId);
  if (id === undefined) throw treeDamage(orgId, 0, "not an organisation's id");
  return { kind: "organisation", deployment, orgId: id };
}

/** The origin of the log of logs. */
export function logOrigin({ deployment }: DeploymentKeys): Origin {
  return { kind: "log of logs", deployment };
}

/** The origin of a tree's checkpoints. */
export function originOf(keys: DeploymentKeys, tree: string): Origin {
  return tree === LOG_OF_LOGS ? logOrigin(keys) : organizationOrigin(keys, tree);
}

/** The checkpoint of a tree, signed with the current key, as a row. */
export function signedRow(
  tree: string,
  checkpoint: Checkpoint,
  keys: DeploymentKeys,
  at: number,
): CheckpointRow {
  const key = signerOf(keys, checkpoint.origin, sha256Noble);
  const note = signCheckpoint(checkpoint, [key], signNoble);
  const { size, root } = checkpoint;
  return { tree, size, root: toHex(root), note, at, keyName: key.name, keyId: key.keyId };
}

/** The newest checkpoint of a tree, or null. */
export async function newestCheckpoint(ctx: Reader, tree: string): Promise<Doc<"checkpoints"> | null> {
  return await ctx.db
    .query("checkpoints")
    .withIndex("by_tree_and_size", (q) => q.eq("tree", tree))
    .order("desc")
    .first();
}

/** The checkpoint of a tree at a size, or null. Throws for two of them, which no pen makes. */
export async function checkpointAt(
  ctx: Reader,
  tree: string,
  size: number,
): Promise<Doc<"checkpoints"> | null> {
  return await ctx.db
    .query("checkpoints")
    .withIndex("by_tree_and_size", (q) => q.eq("tree", tree).eq("size", size))
    .unique();
}

/** A checkpoint was signed with a key that the deployment has no longer: the operator's to put right, no damage. */
export class KeyMissing extends Error {
  readonly keyId: string;

  constructor({ tree, size, keyId }: { tree: string; size: number; keyId: string }) {
    super(`${tree}, size ${size}: the key ${keyId} that signed it is missing in DAYBOOK_CHECKPOINT_KEYS`);
    this.name = "KeyMissing";
    this.keyId = keyId;
  }
}

/**
 * What a row says, held against its note: origin, size, root, and the signature of one of the deployment's keys.
 * Throws IntegrityError for a row that was edited, and KeyMissing where the key that it names is configured no longer:
 * a rotation that forgets the old key must not look like damage of every organisation.
 */
export function openedCheckpoint(
  row: Doc<"checkpoints">,
  origin: Origin,
  keys: DeploymentKeys,
): { size: number; root: Uint8Array } {
  const verifiers = verifierKeysOf(keys, sha256Noble);
  const named = keysOfOrigin(formatOrigin(origin), verifiers, sha256Noble);
  if (named.every(({ keyId }) => keyId !== row.keyId)) throw new KeyMissing(row);
  const pinned = { logs: verifiers, witnesses: [] };
  const opened = openCheckpoint(row.note, pinned, ALGORITHMS_NOBLE);
  if (!opened.ok) throw treeDamage(row.tree, row.size, `edited checkpoint: ${opened.reason}`);
  const { checkpoint } = opened.value;
  const agrees =
    formatOrigin(checkpoint.origin) === formatOrigin(origin) &&
    checkpoint.size === row.size &&
    toHex(checkpoint.root) === row.root;
  if (!agrees) throw treeDamage(row.tree, row.size, "edited checkpoint: a column disagrees with the note");
  return { size: checkpoint.size, root: checkpoint.root };
}
