/** A row of `checkpoints`: how it is made, and the check that its columns agree with the note that was signed. */
import { parseCheckpoint, signCheckpoint, type Checkpoint } from "../../ledger/checkpoint.ts";
import { signerOf, verifierKeysOf, type DeploymentKeys } from "../../ledger/deploymentKeys.ts";
import { signNoble, verifyNoble } from "../../ledger/ed25519.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { parseId } from "../../ledger/ids.ts";
import { formatOrigin, keysOfOrigin, type Origin } from "../../ledger/origin.ts";
import { parseNote, verifyNote } from "../../ledger/signedNote.ts";
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

/** The checkpoint of a tree at a size, or null. Throws IntegrityError for two of them, which no pen makes. */
export async function checkpointAt(
  ctx: Reader,
  tree: string,
  size: number,
): Promise<Doc<"checkpoints"> | null> {
  const [row, ...more] = await ctx.db
    .query("checkpoints")
    .withIndex("by_tree_and_size", (q) => q.eq("tree", tree).eq("size", size))
    .take(2);
  if (more.length > 0) throw treeDamage(tree, size, "a checkpoint is doubled");
  return row ?? null;
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
 * A checkpoint as its note has it. `missingKey`: the id of the key that signed, where it is configured no longer, so
 * that nothing verified signature and origin.
 */
type HeldCheckpoint = Checkpoint & { missingKey: string | null };

/**
 * What a row says, held against its note: size, root and key, and where the deployment has that key its signature and
 * the origin. Throws IntegrityError for a row that was edited. A key that row and note agree on and that is configured
 * no longer is answered: a rotation that forgets the old key must not look like damage of every organisation.
 */
export function heldCheckpoint(
  row: Doc<"checkpoints">,
  origin: Origin,
  keys: DeploymentKeys,
): HeldCheckpoint {
  const edited = (reason: string): Error => treeDamage(row.tree, row.size, `edited checkpoint: ${reason}`);
  const note = parseNote(row.note);
  if (!note.ok) throw edited(note.reason);
  const checkpoint = parseCheckpoint(note.value.text);
  if (!checkpoint.ok) throw edited(checkpoint.reason);
  const { size, root } = checkpoint.value;
  const [signature, ...more] = note.value.signatures;
  const agrees =
    size === row.size &&
    toHex(root) === row.root &&
    signature?.name === row.keyName &&
    signature.keyId === row.keyId &&
    more.length === 0;
  if (!agrees) throw edited("a column disagrees with the note");
  const ours = keysOfOrigin(formatOrigin(origin), verifierKeysOf(keys, sha256Noble), sha256Noble);
  if (ours.every(({ keyId }) => keyId !== row.keyId)) {
    return { ...checkpoint.value, missingKey: row.keyId };
  }
  const signers = verifyNote(note.value, ours, verifyNoble);
  if (!signers.ok) throw edited(signers.reason);
  if (formatOrigin(checkpoint.value.origin) !== formatOrigin(origin)) {
    throw edited("the note is of another tree");
  }
  return { ...checkpoint.value, missingKey: null };
}

/** As `heldCheckpoint`, with a signature of the deployment's. Throws KeyMissing where the key is configured no longer. */
export function openedCheckpoint(
  row: Doc<"checkpoints">,
  origin: Origin,
  keys: DeploymentKeys,
): { size: number; root: Uint8Array } {
  const { size, root, missingKey } = heldCheckpoint(row, origin, keys);
  if (missingKey !== null) throw new KeyMissing(row);
  return { size, root };
}
