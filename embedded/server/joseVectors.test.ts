import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { generateKeyPair, CompactSign, exportJWK } from "jose";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { unverifiedContent, verifiedContent } from "./signedToken.ts";
import { keysIn } from "./verificationKeys.ts";

const TESTDATA = path.join(import.meta.dirname, "testdata");
const ALGORITHMS = ["RS256", "ES256"] as const;

const jwk = z.looseObject({ kty: z.string(), kid: z.string().optional(), alg: z.string().optional() });

const wycheproof = z
  .object({
    numberOfTests: z.number(),
    testGroups: z.array(
      z.object({
        public: jwk.optional(),
        private: jwk,
        tests: z.array(
          z.object({
            tcId: z.number(),
            comment: z.string(),
            jws: z.string(),
            result: z.enum(["valid", "invalid"]),
          }),
        ),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(path.join(TESTDATA, "json_web_signature_test.json"), "utf8")));

/** What Wycheproof calls valid and this host refuses, besides the algorithms that it does not accept. */
const REFUSED_THOUGH_VALID = new Map([[259, "an empty content holds no claims, so it is no JWT"]]);

async function judge(token: string, keys: unknown[]): Promise<string> {
  try {
    await verifiedContent(token, { algorithms: ALGORITHMS, keys: keysIn({ keys }) });
    return "accepted";
  } catch (error) {
    return error instanceof Error ? error.message : "not an error";
  }
}

describe("Wycheproof's JWS cases", () => {
  const cases = wycheproof.testGroups.flatMap((group) =>
    group.tests.map((vector) => ({ ...vector, key: group.public ?? group.private })),
  );

  test("are all there", () => {
    expect(cases).toHaveLength(wycheproof.numberOfTests);
    expect(cases.filter(({ result }) => result === "invalid").length).toBe(355);
  });

  test.each(cases.filter(({ result }) => result === "invalid"))(
    "$tcId $comment is refused",
    async ({ jws, key }) => {
      expect(await judge(jws, [key])).not.toBe("accepted");
    },
  );

  test.each(cases.filter(({ result }) => result === "valid"))(
    "$tcId $comment is accepted when it is signed RS256 or ES256",
    async ({ tcId, jws, key }) => {
      const ours = key.alg === "RS256" || key.alg === "ES256";
      const expected = ours && !REFUSED_THOUGH_VALID.has(tcId) ? "accepted" : "refused";
      expect((await judge(jws, [key])) === "accepted" ? "accepted" : "refused").toBe(expected);
    },
  );

  test("the form alone refuses white space, padding, foreign characters and unused bits", () => {
    // 367 and 370 are named after padding, but have the very text of the valid 357; their algorithm refuses them.
    const malformed = [360, 361, 363, 364, 365, 366, 368, 369, 371, 374, 375];
    for (const { tcId, jws } of cases.filter((vector) => malformed.includes(vector.tcId))) {
      expect(() => unverifiedContent(jws), String(tcId)).toThrow("the token is not a signed JWT");
    }
    const wellFormed = cases.find(({ tcId }) => tcId === 357);
    expect(unverifiedContent(wellFormed?.jws ?? "").byteLength).toBeGreaterThan(0);
  });
});

describe("RFC 7520's examples", () => {
  const example = z.object({
    input: z.object({ payload: z.string(), alg: z.unknown(), key: z.unknown() }),
    output: z.record(z.string(), z.unknown()),
  });
  const folder = path.join(TESTDATA, "jose-cookbook");
  const examples = readdirSync(folder)
    .sort()
    .map((name) => ({ name, ...example.parse(JSON.parse(readFileSync(path.join(folder, name), "utf8"))) }));

  test("RS256 verifies, to the payload that was signed", async () => {
    const [first] = examples;
    expect(first?.input.alg).toBe("RS256");
    const { kty, kid, n, e } = z.record(z.string(), z.unknown()).parse(first?.input.key);
    const keys = keysIn({ keys: [{ kty, kid, n, e }] });
    const content = await verifiedContent(String(first?.output["compact"]), { algorithms: ALGORITHMS, keys });
    expect(Buffer.from(content).toString()).toBe(first?.input.payload);
  });

  test.each(examples.slice(1))("$name is refused: another algorithm or serialization", async (vector) => {
    const keys = [vector.input.key].flat();
    for (const output of Object.values(vector.output)) {
      const token = typeof output === "string" ? output : JSON.stringify(output);
      expect(await judge(token, keys)).toMatch(
        /^the token(?:'s algorithm is not allowed| is not a signed JWT)$/,
      );
    }
  });

  test("the examples of RFC 7520 §4 are all there", () => {
    expect(examples).toHaveLength(8);
  });
});

test("a signature has one spelling", async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const key = { ...(await exportJWK(publicKey)), kid: "k1" };
  const token = await new CompactSign(Buffer.from("{}"))
    .setProtectedHeader({ alg: "ES256", kid: "k1" })
    .sign(privateKey);
  expect(await judge(token, [key])).toBe("accepted");
  const last = token.slice(-1);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  // 64 bytes leave four unused bits in the last character.
  const sameBytes = alphabet
    .match(/./g)
    ?.filter((other) => other !== last && alphabet.indexOf(other) >> 4 === alphabet.indexOf(last) >> 4);
  expect(sameBytes).toHaveLength(15);
  const respelled = [
    ...(sameBytes ?? []).map((other) => `${token.slice(0, -1)}${other}`),
    `${token}==`,
    `${token}\n`,
    ` ${token}`,
    `${token}.`,
    token.replace(".", ". "),
    token.replace(/\./, "=."),
  ];
  for (const other of respelled) expect(await judge(other, [key])).toBe("the token is not a signed JWT");
});

test.each([
  ["an RSA key below 2,048 bits", 1024, "RS256", "the issuer's keys could not be used"],
  ["an RSA key of 2,048 bits", 2048, "RS256", "accepted"],
])("%s: %s", async (_name, modulusLength, algorithm, verdict) => {
  const pair = await crypto.subtle.generateKey(
    {
      name: "RSASSA-PKCS1-v1_5",
      hash: "SHA-256",
      modulusLength,
      publicExponent: new Uint8Array([1, 0, 1]),
    },
    true,
    ["sign", "verify"],
  );
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${encode({ alg: algorithm, kid: "k1" })}.${encode({})}`;
  const signature = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", pair.privateKey, Buffer.from(input));
  const token = `${input}.${Buffer.from(signature).toString("base64url")}`;
  const key = { ...(await crypto.subtle.exportKey("jwk", pair.publicKey)), kid: "k1", alg: algorithm };
  expect(await judge(token, [key])).toBe(verdict);
});
