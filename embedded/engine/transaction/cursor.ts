/**
 * Pagination cursors. An index key holds field values of the last row, which the caller may not be allowed to
 * see, so a cursor is that key encrypted and bound to its query. The nonce is derived from the content: the same
 * position has the same cursor, and a rerun that changes nothing stays the same result.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { PlatformError } from "../errors.ts";
import type { Store } from "../storage/store.ts";

export type CursorPosition = { kind: "end" } | { kind: "after"; key: Uint8Array };

const META_NAME = "cursorKey";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

function invalidCursor(): PlatformError {
  // In the shape by which Convex's clients know that they must start over.
  return new PlatformError(
    "InvalidCursor: Tried to run a query starting from a cursor, but it looks like this cursor is from a different query.",
    { visible: true, data: { isConvexSystemError: true, paginationError: "InvalidCursor" } },
  );
}

/** Encrypts and opens cursors. */
export class CursorCodec {
  private readonly key: Buffer;
  private readonly binding: string;

  private constructor(key: Buffer, binding: string) {
    this.key = key;
    this.binding = binding;
  }

  /** Keeps its key in the database, so that cursors outlive a restart. Call inside a write transaction. */
  static open(store: Store): CursorCodec {
    const stored = store.meta(META_NAME);
    const key = stored === null ? randomBytes(64) : Buffer.from(stored, "base64");
    if (stored === null) store.setMeta(META_NAME, key.toString("base64"));
    return new CursorCodec(key, "");
  }

  /** The same for cursors that are worth nothing elsewhere: to another caller, function or argument. */
  boundTo(binding: string): CursorCodec {
    return new CursorCodec(this.key, binding);
  }

  encode(position: CursorPosition, fingerprint: string): string {
    const query = this.boundFingerprint(fingerprint);
    const plain = position.kind === "end" ? Buffer.of(0) : Buffer.concat([Buffer.of(1), position.key]);
    const nonce = createHmac("sha256", this.key.subarray(32))
      .update(`${query.length}:${query}`)
      .update(plain)
      .digest()
      .subarray(0, NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.key.subarray(0, 32), nonce).setAAD(Buffer.from(query));
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString("base64url");
  }

  /** Like `decode`, but null for a cursor that does not fit. */
  tryDecode(cursor: string, query: string): CursorPosition | null {
    try {
      return this.decode(cursor, query);
    } catch {
      return null;
    }
  }

  private boundFingerprint(fingerprint: string): string {
    return JSON.stringify([this.binding, fingerprint]);
  }

  /** Throws InvalidCursor for a cursor of another query, another database, or none of ours. */
  decode(cursor: string, fingerprint: string): CursorPosition {
    const query = this.boundFingerprint(fingerprint);
    const bytes = Buffer.from(cursor, "base64url");
    if (bytes.length <= NONCE_BYTES + TAG_BYTES) throw invalidCursor();
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv("aes-256-gcm", this.key.subarray(0, 32), nonce)
      .setAAD(Buffer.from(query))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const sealed = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
      const plain = Buffer.concat([decipher.update(sealed), decipher.final()]);
      return plain[0] === 0 ? { kind: "end" } : { kind: "after", key: plain.subarray(1) };
    } catch {
      throw invalidCursor();
    }
  }
}
