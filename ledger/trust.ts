/** Whom an auditor believes, and what of the ledger they have believed before. */
import type { Algorithms } from "./algorithms.ts";
import { cosignaturesOf } from "./cosignature.ts";
import type { Cosignature } from "./cosignature.ts";
import type { ReadCheckpoint } from "./evidenceLines.ts";
import { evaluateQuorum, pinnedKeys } from "./logPolicy.ts";
import type { LogPolicy } from "./logPolicy.ts";
import type { VerifierKey } from "./noteKeys.ts";
import { formatOrigin, keysOfOrigin } from "./origin.ts";
import { claimedKey, verifyNote } from "./signedNote.ts";

export interface Trust {
  /** Pinned keys and the quorum of witnesses; without it nobody's signature counts. */
  readonly policy?: LogPolicy;
  /** A checkpoint of the organisation that an earlier audit trusted. */
  readonly since?: ReadCheckpoint;
}

/** Who vouches for a checkpoint, as far as the policy knows them. */
export interface Vouchers {
  /** Pinned keys of its log that signed it; none is an answer too. */
  readonly signers: readonly VerifierKey[];
  readonly cosignatures: readonly Cosignature[];
  /** Names, in the policy, of the witnesses that cosigned. */
  readonly witnessedBy: readonly string[];
  readonly isQuorumMet: boolean;
}

export type Vouching =
  | { readonly kind: "read"; readonly vouchers: Vouchers }
  /** A line claims to be of a pinned key or of a known witness, and is not. */
  | { readonly kind: "forged"; readonly reason: string };

const NOBODY: Vouchers = { signers: [], cosignatures: [], witnessedBy: [], isQuorumMet: false };

/** Verifies the signatures and cosignatures of a checkpoint. */
export function vouchersOf(
  read: ReadCheckpoint,
  policy: LogPolicy | undefined,
  algorithms: Algorithms,
): Vouching {
  if (policy === undefined) return { kind: "read", vouchers: NOBODY };
  const pinned = pinnedKeys(policy);
  const keys = keysOfOrigin(formatOrigin(read.checkpoint.origin), pinned.logs, algorithms.sha256);
  const isClaimed = read.note.signatures.some((signature) => claimedKey(signature, keys) !== undefined);
  const signers = isClaimed ? verifyNote(read.note, keys, algorithms.verify) : undefined;
  if (signers?.ok === false) return { kind: "forged", reason: signers.reason };
  const cosignatures = cosignaturesOf(read.note, pinned.witnesses, algorithms.verify);
  if (!cosignatures.ok) return { kind: "forged", reason: cosignatures.reason };
  const { isMet, witnessedBy } = evaluateQuorum(policy, cosignatures.value);
  return {
    kind: "read",
    vouchers: {
      signers: signers?.value ?? [],
      cosignatures: cosignatures.value,
      witnessedBy,
      isQuorumMet: isMet,
    },
  };
}
