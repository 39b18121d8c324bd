/**
 * Ed25519 (RFC 8032 §5.1). Signing and verifying are parameters wherever evidence is made or checked: these run in
 * every engine, a host may pass its own.
 */
import { ed25519 } from "@noble/curves/ed25519.js";

/** A signature of 64 bytes over a message of any length. The secret key is the 32-byte seed of RFC 8032. */
export type Ed25519Sign = (message: Uint8Array, secretKey: Uint8Array) => Uint8Array;

/** Whether a signature is the key's over the message. Answers false, and never throws, for bytes of a wrong length. */
export type Ed25519Verify = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean;

export const ED25519_KEY_BYTES = 32;
export const ED25519_SIGNATURE_BYTES = 64;

export const signNoble: Ed25519Sign = (message, secretKey) => ed25519.sign(message, secretKey);

/** Refuses keys and points in other than their one encoding, and keys of small order, which sign every message. */
export const verifyNoble: Ed25519Verify = (signature, message, publicKey) =>
  signature.length === ED25519_SIGNATURE_BYTES &&
  publicKey.length === ED25519_KEY_BYTES &&
  ed25519.verify(signature, message, publicKey, { zip215: false });

/** The public key, 32 bytes, of a 32-byte seed. Throws for another length. */
export function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(secretKey);
}
