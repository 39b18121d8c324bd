/**
 * Answers of mutations, kept for a client that asks again after a lost connection. An answer may hold a secret
 * that was meant for its caller alone, so the database holds neither the session's id nor the answer in clear:
 * the row is found by a hash of the id, and the answer is encrypted under a key that only the id gives.
 *
 * Session ids are random UUIDs made by the client: 122 bits, too many to guess from a hash.
 */
import { createCipheriv, createDecipheriv, hash, randomBytes } from "node:crypto";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What is kept of a mutation that committed. */
export type Answer = { identity: string; value: string; logLines: string[] };

/** The name under which a session's answers are found: SHA-256 (32 bytes), tells nothing of the key. */
export function sessionName(sessionId: string): Buffer {
  return hash("sha256", `daybook-session-name-v1\n${sessionId}`, "buffer");
}

function sessionKey(sessionId: string): Buffer {
  return hash("sha256", `daybook-session-key-v1\n${sessionId}`, "buffer");
}

/** AES-256-GCM: nonce (12 bytes), ciphertext, tag (16 bytes). Bound to the request's number. */
export function sealAnswer(sessionId: string, requestId: number, answer: Answer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", sessionKey(sessionId), nonce);
  cipher.setAAD(Buffer.from(String(requestId)));
  return Buffer.concat([
    nonce,
    cipher.update(JSON.stringify(answer), "utf8"),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

/** Opens a sealed answer. Throws when it was changed or belongs to another request. */
export function openAnswer(sessionId: string, requestId: number, sealed: Uint8Array): Answer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", sessionKey(sessionId), nonce);
  decipher.setAAD(Buffer.from(String(requestId)));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const text = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  return JSON.parse(text.toString("utf8")) as Answer;
}
