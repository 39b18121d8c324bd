/**
 * Answers of mutations, kept for a client that asks again after a lost connection. An answer may hold a secret
 * that was meant for its caller alone, so the database holds neither the session's id nor the answer in clear:
 * the row is found by a hash of the id, and the answer is encrypted under a key that only the id gives.
 *
 * Session ids are random UUIDs made by the client: 122 bits, too many to guess from a hash.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hash, type KeyObject } from "node:crypto";
import { freshBytes } from "../values/freshBytes.ts";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What is kept of a mutation that committed. */
export type Answer = { identity: string; value: string; logLines: string[] };

type SessionSecrets = { name: Buffer; key: KeyObject };

const SESSIONS_KNOWN_MAX = 1_024;
/** Of the sessions seen last. To make a key costs more than to use it. */
const known = new Map<string, SessionSecrets>();

function secretsOf(sessionId: string): SessionSecrets {
  let secrets = known.get(sessionId);
  if (secrets === undefined) {
    const derive = (purpose: string): Buffer =>
      hash("sha256", `daybook-session-${purpose}-v1\n${sessionId}`, "buffer");
    secrets = { name: derive("name"), key: createSecretKey(derive("key")) };
    const [oldest] = known.size < SESSIONS_KNOWN_MAX ? [] : known.keys();
    if (oldest !== undefined) known.delete(oldest);
    known.set(sessionId, secrets);
  }
  return secrets;
}

/** The name under which a session's answers are found: SHA-256 (32 bytes), tells nothing of the key. */
export function sessionName(sessionId: string): Uint8Array {
  return secretsOf(sessionId).name;
}

/** AES-256-GCM: nonce (12 bytes), ciphertext, tag (16 bytes). Bound to the request's number. */
export function sealAnswer(sessionId: string, requestId: number, answer: Answer): Buffer {
  const nonce = freshBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", secretsOf(sessionId).key, nonce);
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
  const decipher = createDecipheriv("aes-256-gcm", secretsOf(sessionId).key, nonce);
  decipher.setAAD(Buffer.from(String(requestId)));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const text = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  return JSON.parse(text.toString("utf8")) as Answer;
}
