/** Signing keys that guard nothing: they exist only in tests. */
import { sha256Noble } from "../../ledger/hash.ts";
import { formatSignerKey, formatVerifierKey, signerKey, verifierKey } from "../../ledger/noteKeys.ts";

export const TEST_DEPLOYMENT = "daybook.test";

function seed(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte);
}

/** A signer key of a deployment, as its operator sets it. */
export function checkpointKey(byte: number, deployment = TEST_DEPLOYMENT): string {
  return formatSignerKey(signerKey(deployment, "note", seed(byte), sha256Noble));
}

/** The verifier key that an auditor pins for it. */
export function pinnedKey(byte: number, deployment = TEST_DEPLOYMENT): string {
  const { publicKey } = signerKey(deployment, "note", seed(byte), sha256Noble);
  return formatVerifierKey(verifierKey(deployment, "note", publicKey, sha256Noble));
}
