/**
 * A token's form and signature: JWS Compact Serialization (RFC 7515 §7.1), signed RS256 or ES256, and nothing
 * else. The form is stricter than what parsers of base64url let pass, so that one signature has one spelling.
 */
import { compactVerify, errors, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import { AuthenticationError } from "./authenticationError.ts";
import { MalformedJson, parseJson } from "./json.ts";

const TOKEN_BYTES_MAX = 16 * 1024;

/** The only algorithms that any provider may be configured with (R21). */
export type Algorithm = "RS256" | "ES256";

const headerSchema = z
  .looseObject({
    alg: z.string(),
    kid: z.string().min(1).max(256),
    // RFC 8725 §3.11: a token made for another purpose names it here.
    typ: z
      .string()
      .regex(/^(application\/)?(at\+)?jwt$/i)
      .optional(),
  })
  // Keys come from the provider's configuration only (R22); no extension is understood.
  .refine((value) =>
    ["jwk", "jku", "x5c", "x5u", "crit", "b64"].every((name) => !Object.hasOwn(value, name)),
  );

const PART = /^[A-Za-z0-9_-]+$/;

/**
 * Checks form and header. Throws AuthenticationError. Not yet verified: the signature, and with it every byte
 * of the content that is returned.
 */
export function unverifiedContent(token: string): Uint8Array {
  if (token.length > TOKEN_BYTES_MAX) throw new AuthenticationError("the token is too large");
  const [header, content, signature, ...more] = token.split(".");
  if (header === undefined || content === undefined || signature === undefined || more.length > 0) {
    throw new AuthenticationError("the token is not a signed JWT");
  }
  const headerBytes = decodePart(header);
  const contentBytes = decodePart(content);
  decodePart(signature);
  if (!headerSchema.safeParse(headerOf(headerBytes)).success) {
    throw new AuthenticationError("the token's header is missing a kid or asks for something not allowed");
  }
  return contentBytes;
}

/** RFC 7515 §2 and RFC 4648 §3.5: no padding, no white space, and the unused bits of the last character are zero. */
function decodePart(part: string): Uint8Array {
  const bytes = Buffer.from(part, "base64url");
  if (!PART.test(part) || bytes.toString("base64url") !== part) {
    throw new AuthenticationError("the token is not a signed JWT");
  }
  return bytes;
}

function headerOf(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes);
  } catch (cause) {
    if (!(cause instanceof MalformedJson)) throw cause;
    throw new AuthenticationError("the token is malformed", { cause });
  }
}

/**
 * Gives the content of a token whose signature verifies with a key of `keys`. Throws AuthenticationError.
 * Not yet verified: what the content says.
 */
export async function verifiedContent(
  token: string,
  { algorithms, keys }: { algorithms: readonly Algorithm[]; keys: JWTVerifyGetKey },
): Promise<Uint8Array> {
  unverifiedContent(token);
  try {
    const { payload } = await compactVerify(token, keys, { algorithms: [...algorithms] });
    return payload;
  } catch (cause) {
    throw new AuthenticationError(reasonOf(cause), { cause });
  }
}

function reasonOf(cause: unknown): string {
  if (cause instanceof errors.JOSEAlgNotAllowed) return "the token's algorithm is not allowed";
  if (cause instanceof errors.JWKSNoMatchingKey) return "no key of the issuer matches the token";
  if (cause instanceof errors.JWKSMultipleMatchingKeys) return "several keys of the issuer match the token";
  if (cause instanceof errors.JWSSignatureVerificationFailed) return "the token's signature does not verify";
  if (cause instanceof errors.JWSInvalid) return "the token is malformed";
  return "the issuer's keys could not be used";
}
