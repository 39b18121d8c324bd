/** Shapes of the evidence that the ledger's queries answer, and the receipts that are made of it. */
import { v, type Infer } from "convex/values";
import { hashFromHex } from "../../ledger/bytes.ts";
import { formatAnchoredReceipt, formatReceipt } from "../../ledger/receipt.ts";

/** A checkpoint: its note with the cosignatures that are kept, and what stands in it. `root` is 64 hex. */
export const checkpointValidator = v.object({
  size: v.number(),
  root: v.string(),
  at: v.number(),
  keyName: v.string(),
  keyId: v.string(),
  note: v.string(),
  /** Whose cosignatures the note carries, with their times in seconds since the epoch. */
  witnesses: v.array(v.object({ name: v.string(), keyId: v.string(), time: v.number() })),
});

/** A leaf's place in a tree: its index from 0, the inclusion proof from the leaf up (64 hex each), the checkpoint. */
export const placeValidator = v.object({
  index: v.number(),
  hashes: v.array(v.string()),
  checkpoint: checkpointValidator,
});
type Place = Infer<typeof placeValidator>;

function proofOf({ index, hashes, checkpoint }: Place): {
  index: number;
  proof: Uint8Array[];
  checkpoint: string;
} {
  const proof = hashes.map(hashFromHex).filter((hash) => hash !== undefined);
  return { index, proof, checkpoint: checkpoint.note };
}

/** The event's `.tlog-proof` files: against its organisation's checkpoint, and against the log of logs where it is in it. */
export function receiptsOf(
  text: string,
  place: Place,
  anchor: Place | null,
): { receipt: string; anchoredReceipt: string | null } {
  const receipt = formatReceipt(text, proofOf(place));
  return {
    receipt,
    anchoredReceipt: anchor === null ? null : formatAnchoredReceipt(receipt, proofOf(anchor)),
  };
}
