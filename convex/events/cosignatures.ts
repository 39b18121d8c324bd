/** Witnesses' cosignatures, kept beside the checkpoints that they are of. */
import { v } from "convex/values";
import { verifyCosignature } from "../../ledger/cosignature.ts";
import { verifyNoble } from "../../ledger/ed25519.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { parseVerifierKey } from "../../ledger/noteKeys.ts";
import { claimedKey, formatSignatureLine, parseNote, parseSignatureLines } from "../../ledger/signedNote.ts";
import { mutation, query } from "./_generated/server.js";
import { checkpointAt } from "./checkpointRows.ts";

/** Keys that one call takes. */
const KEYS_MAX = 16;

/**
 * Keeps those of the signature lines that are cosignatures of this checkpoint by one of the witnesses (verifier keys
 * as text), each verified; returns how many are new. A later cosignature of the same key replaces none: the first
 * one proves the most.
 */
export const keep = mutation({
  args: { tree: v.string(), size: v.number(), lines: v.string(), witnesses: v.array(v.string()) },
  returns: v.number(),
  handler: async (ctx, { tree, size, lines, witnesses }) => {
    const row = await checkpointAt(ctx, tree, size);
    const note = row === null ? null : parseNote(row.note);
    const signatures = parseSignatureLines(lines);
    if (note?.ok !== true || !signatures.ok || witnesses.length > KEYS_MAX) return 0;
    const keys = witnesses
      .map((text) => parseVerifierKey(text, sha256Noble))
      .flatMap((key) => (key.ok && key.value.kind === "cosignature" ? [key.value] : []));
    let kept = 0;
    for (const signature of signatures.value) {
      const key = claimedKey(signature, keys);
      if (key === undefined) continue;
      const cosignature = verifyCosignature(signature, note.value.text, key, verifyNoble);
      if (!cosignature.ok) continue;
      const known = await ctx.db
        .query("cosignatures")
        .withIndex("by_tree_and_size_and_witness_and_keyId", (q) =>
          q.eq("tree", tree).eq("size", size).eq("witness", key.name).eq("keyId", key.keyId),
        )
        .first();
      if (known !== null) continue;
      const line = formatSignatureLine(signature);
      const { time } = cosignature.value;
      await ctx.db.insert("cosignatures", { tree, size, witness: key.name, keyId: key.keyId, line, time });
      kept += 1;
    }
    return kept;
  },
});

/** The largest size of a tree whose checkpoint a witness's key cosigned, as far as is kept here; 0 for none. */
export const lastSize = query({
  args: { tree: v.string(), witness: v.string(), keyId: v.string() },
  returns: v.number(),
  handler: async (ctx, { tree, witness, keyId }) => {
    const last = await ctx.db
      .query("cosignatures")
      .withIndex("by_tree_and_witness_and_keyId_and_size", (q) =>
        q.eq("tree", tree).eq("witness", witness).eq("keyId", keyId),
      )
      .order("desc")
      .first();
    return last?.size ?? 0;
  },
});
