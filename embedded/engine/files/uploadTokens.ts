/**
 * Tokens of upload URLs: encrypted, so that they can't be made up and tell nothing, good for one hour and, as on the
 * platform, for more than one upload in it.
 */
import { randomBytes } from "node:crypto";
import type { Store } from "../storage/store.ts";

/** The platform's. */
const VALID_S = 3_600;
const META_NAME = "uploadTokenKey";
const AUDIENCE = "upload";

export type OpenedToken = { ok: true; component: string } | { ok: false; reason: "invalid" | "expired" };

/** Makes and opens tokens, with a library that is loaded for the first. Times are milliseconds since the epoch. */
export class UploadTokens {
  private readonly key: Buffer;

  /** Keeps its key in the database, so that tokens outlive a restart. Call inside a write transaction. */
  constructor(store: Store) {
    const stored = store.meta(META_NAME);
    this.key = stored === null ? randomBytes(32) : Buffer.from(stored, "base64");
    if (stored === null) store.setMeta(META_NAME, this.key.toString("base64"));
  }

  async issue(component: string, nowMs: number): Promise<string> {
    const { EncryptJWT } = await import("jose");
    return await new EncryptJWT({ component })
      .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
      .setAudience(AUDIENCE)
      .setExpirationTime(Math.floor(nowMs / 1000) + VALID_S)
      .encrypt(this.key);
  }

  async open(token: string, nowMs: number): Promise<OpenedToken> {
    const { errors, jwtDecrypt } = await import("jose");
    try {
      const { payload } = await jwtDecrypt(token, this.key, {
        audience: AUDIENCE,
        currentDate: new Date(nowMs),
        keyManagementAlgorithms: ["dir"],
        contentEncryptionAlgorithms: ["A256GCM"],
        requiredClaims: ["exp"],
      });
      const { component } = payload;
      return typeof component === "string" ? { ok: true, component } : { ok: false, reason: "invalid" };
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { ok: false, reason: "expired" };
      if (error instanceof errors.JOSEError) return { ok: false, reason: "invalid" };
      throw error;
    }
  }
}
