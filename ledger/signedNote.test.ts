import { createPrivateKey, createPublicKey, sign as signNode, verify as verifyNode } from "node:crypto";
import { describe, expect, test } from "vitest";
import { fromBase64, fromDecimal, fromUtf8, hashFromBase64, toBase64, toUtf8 } from "./bytes.ts";
import { publicKeyOf, signNoble, verifyNoble } from "./ed25519.ts";
import { sha256Noble, toHex } from "./hash.ts";
import {
  formatSignerKey,
  formatVerifierKey,
  isKeyName,
  parseSignerKey,
  parseVerifierKey,
  signerKey,
  verifierKey,
} from "./noteKeys.ts";
import { formatNote, NOTE_SIGNATURES_MAX, parseNote, signNote, verifyNote } from "./signedNote.ts";
import { sampleKey } from "./testing/sampleEvidence.ts";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));

describe("base 64 and decimals have one form", () => {
  test.each(["", "AA==", "AAA=", "AAAA", "+/+/"])("%j is read and written again", (text) => {
    expect(toBase64(fromBase64(text) ?? bytes("ff"))).toBe(text);
  });

  test.each([
    "A",
    "AA",
    "AA=",
    "AB==",
    "AAB=",
    "AA==AA==",
    "AA==\n",
    " AA==",
    "-_-_",
    "AAA\u0000",
    "====",
    "A===",
  ])("%j is refused", (text) => {
    expect(fromBase64(text)).toBeUndefined();
  });

  test("a hash is 32 bytes", () => {
    expect(hashFromBase64(toBase64(new Uint8Array(32)))).toEqual(new Uint8Array(32));
    expect(hashFromBase64(toBase64(new Uint8Array(31)))).toBeUndefined();
    expect(hashFromBase64(toBase64(new Uint8Array(33)))).toBeUndefined();
  });

  test("long bytes are written", () => {
    expect(fromBase64(toBase64(new Uint8Array(100_000)))).toHaveLength(100_000);
  });

  test.each([
    ["0", 0],
    ["10", 10],
    ["9007199254740991", 9_007_199_254_740_991],
  ])("%j is a decimal", (text, value) => {
    expect(fromDecimal(text)).toBe(value);
  });

  test.each(["", "00", "01", "+1", "-0", "1.0", "1e3", " 1", "1\n", "0x1", "9007199254740992", "٣"])(
    "%j is no decimal",
    (text) => {
      expect(fromDecimal(text)).toBeUndefined();
    },
  );

  test("UTF-8 is read strictly and keeps a byte order mark", () => {
    expect(fromUtf8(bytes("efbbbf41"))).toBe("\ufeffA");
    expect(fromUtf8(bytes("c080"))).toBeUndefined();
    expect(() => toUtf8("\ud800")).toThrow(RangeError);
  });
});

describe("Ed25519", () => {
  // RFC 8032 §7.1, tests 1 to 3.
  test.each([
    [
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
  ])("test vector of RFC 8032, secret %s", (secret, publicKey, message, signature) => {
    expect(toHex(publicKeyOf(bytes(secret)))).toBe(publicKey);
    expect(toHex(signNoble(bytes(message), bytes(secret)))).toBe(signature);
    expect(verifyNoble(bytes(signature), bytes(message), bytes(publicKey))).toBe(true);
    expect(verifyNoble(bytes(signature), bytes(`${message}00`), bytes(publicKey))).toBe(false);
  });

  test("Node's own makes the same signature and accepts ours", () => {
    const { secretKey, publicKey } = sampleKey("node", "note");
    const message = toUtf8("message");
    const pkcs8 = Buffer.concat([bytes("302e020100300506032b657004220420"), secretKey]);
    const spki = Buffer.concat([bytes("302a300506032b6570032100"), publicKey]);
    const ours = signNoble(message, secretKey);
    const theirs = signNode(null, message, createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }));
    expect(ours).toEqual(new Uint8Array(theirs));
    expect(verifyNode(null, message, createPublicKey({ key: spki, format: "der", type: "spki" }), ours)).toBe(
      true,
    );
  });

  test("wrong lengths and a key of small order are refused, not thrown", () => {
    const { secretKey, publicKey } = sampleKey("lengths", "note");
    const signature = signNoble(toUtf8("x"), secretKey);
    expect(verifyNoble(signature.subarray(1), toUtf8("x"), publicKey)).toBe(false);
    expect(verifyNoble(signature, toUtf8("x"), publicKey.subarray(1))).toBe(false);
    const identity = bytes(`01${"00".repeat(31)}`);
    expect(verifyNoble(new Uint8Array([...identity, ...new Uint8Array(32)]), toUtf8("x"), identity)).toBe(
      false,
    );
  });
});

describe("keys", () => {
  // The example of golang.org/x/mod/sumdb/note, a public test key.
  const PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

  test("a published key of another implementation is read, and its note verified", () => {
    const key = parseVerifierKey(PETER, sha256Noble);
    expect(key).toMatchObject({ ok: true, value: { name: "PeterNeumann", keyId: "c74f20a3", kind: "note" } });
    const note = parseNote(
      "If you think cryptography is the answer to your problem,\n" +
        "then you don't know what your problem is.\n\n" +
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
    );
    if (!key.ok || !note.ok) throw new Error("not read");
    expect(verifyNote(note.value, [key.value], verifyNoble)).toEqual({ ok: true, value: [key.value] });
  });

  test.each(["note", "cosignature"] as const)("a key for a %s is written and read again", (kind) => {
    const key = sampleKey("example.com/ключ", kind);
    const { secretKey: _, ...publicPart } = key;
    expect(parseVerifierKey(formatVerifierKey(key), sha256Noble)).toEqual({ ok: true, value: publicPart });
    expect(parseSignerKey(formatSignerKey(key), sha256Noble)).toEqual({ ok: true, value: key });
  });

  test("the same bytes are another key under another name or for another purpose", () => {
    const { publicKey, keyId } = sampleKey("one", "note");
    expect(verifierKey("two", "note", publicKey, sha256Noble).keyId).not.toBe(keyId);
    expect(verifierKey("one", "cosignature", publicKey, sha256Noble).keyId).not.toBe(keyId);
  });

  test.each([
    "",
    " ",
    "a b",
    "a+b",
    "a\tb",
    "a\u00a0b",
    "a\u2028b",
    "a\u3000b",
    "a\u0085b",
    "a\u007fb",
    "\ud800",
    "x".repeat(256),
  ])("%j names no key", (name) => {
    expect(isKeyName(name)).toBe(false);
    expect(() => signerKey(name, "note", new Uint8Array(32), sha256Noble)).toThrow(RangeError);
  });

  const GOOD = formatVerifierKey(sampleKey("k.example", "note"));
  test.each([
    ["another id", GOOD.replace(/\+[0-9a-f]{8}\+/, "+00000000+"), "the key's id is"],
    ["an id in capitals", GOOD.replace(/\+[0-9a-f]{8}\+/, (id) => id.toUpperCase()), "8 lower-case"],
    ["no id", "k.example+AQ==", "joined by +"],
    ["another name", GOOD.replace("k.example", "l.example"), "the key's id is"],
    ["an empty name", GOOD.replace("k.example", ""), "name"],
    ["another type", `k.example+00000000+${toBase64(new Uint8Array([2, ...new Uint8Array(32)]))}`, "type"],
    ["ML-DSA-44", `k.example+00000000+${toBase64(new Uint8Array([6, ...new Uint8Array(1312)]))}`, "type"],
    [
      "a byte too few",
      `k.example+00000000+${toBase64(new Uint8Array([1, ...new Uint8Array(31)]))}`,
      "32 bytes",
    ],
    ["a newline after it", `${GOOD}\n`, "base 64"],
    ["no base 64", "k.example+00000000+!", "base 64"],
  ])("a key with %s is refused", (_name, text, reason) => {
    const parsed = parseVerifierKey(text, sha256Noble);
    expect(parsed).toMatchObject({ ok: false });
    expect(parsed.ok ? "" : parsed.reason).toContain(reason);
  });

  test("a verifier key is no signer key, and a refusal holds no secret", () => {
    expect(parseSignerKey(GOOD, sha256Noble)).toMatchObject({ ok: false });
    const secret = formatSignerKey(sampleKey("k.example", "note"));
    const parsed = parseSignerKey(secret.replace("k.example", "l.example"), sha256Noble);
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed)).not.toContain(secret.slice(-44));
  });

  test("keys of a wrong length are refused", () => {
    expect(() => signerKey("a", "note", new Uint8Array(31), sha256Noble)).toThrow(RangeError);
    expect(() => verifierKey("a", "note", new Uint8Array(33), sha256Noble)).toThrow(RangeError);
  });
});

describe("notes", () => {
  const ANN = sampleKey("ann.example", "note");
  const BEN = sampleKey("ben.example", "note");
  const TEXT = "First line.\n\nThird line, after an empty one.\n";
  const note = { text: TEXT, signatures: [signNote(TEXT, ANN, signNoble), signNote(TEXT, BEN, signNoble)] };
  const WRITTEN = formatNote(note);

  test("a note is written and read again, and tells who signed", () => {
    expect(parseNote(WRITTEN)).toEqual({ ok: true, value: note });
    expect(verifyNote(note, [ANN, BEN], verifyNoble)).toEqual({ ok: true, value: [ANN, BEN] });
    expect(verifyNote(note, [BEN], verifyNoble)).toEqual({ ok: true, value: [BEN] });
  });

  test("signatures of unknown keys are ignored, and alone they are not enough", () => {
    expect(verifyNote(note, [], verifyNoble)).toEqual({ ok: false, reason: "no known key signed the note" });
    const namesake = sampleKey("ann.example", "note", "another secret");
    expect(verifyNote(note, [namesake], verifyNoble)).toMatchObject({ ok: false });
  });

  test("a known key's signature that is wrong refuses the whole note, whoever else signed", () => {
    const [first, second] = note.signatures;
    if (first === undefined || second === undefined) throw new Error("two signatures");
    const forged = { ...first, signature: second.signature };
    const refusal = verifyNote({ text: TEXT, signatures: [forged, second] }, [ANN, BEN], verifyNoble);
    expect(refusal).toEqual({
      ok: false,
      reason: `the signature of ann.example (${ANN.keyId}) is not that key's`,
    });
  });

  test("a text that was changed is refused", () => {
    expect(verifyNote({ ...note, text: TEXT.replace("First", "Worst") }, [ANN], verifyNoble)).toMatchObject({
      ok: false,
    });
  });

  test("one key that signed twice is one signer", () => {
    const twice = { text: TEXT, signatures: [...note.signatures, ...note.signatures] };
    expect(verifyNote(twice, [ANN], verifyNoble)).toEqual({ ok: true, value: [ANN] });
  });

  test.each([
    ["no blank line", WRITTEN.replaceAll("\n\n", "\n")],
    ["no signature", `${TEXT}\n`],
    ["no newline at its end", WRITTEN.slice(0, -1)],
    ["a newline more at its end", `${WRITTEN}\n`],
    ["CR LF", WRITTEN.replaceAll("\n", "\r\n")],
    ["a tab", WRITTEN.replace("First", "\tFirst")],
    ["a NUL", WRITTEN.replace("First", "\0First")],
    ["a lone surrogate", WRITTEN.replace("First", "\ud800First")],
    ["a hyphen for the dash", WRITTEN.replaceAll("\u2014", "-")],
    ["two spaces before the base 64", WRITTEN.replace("ann.example ", "ann.example  ")],
    ["a space after the base 64", WRITTEN.replace(/\n$/, " \n")],
    ["a name with a plus", WRITTEN.replace("\u2014 ann.example", "\u2014 ann+example")],
    ["a name with a no-break space", WRITTEN.replace("\u2014 ann.example", "\u2014 ann\u00a0example")],
    ["no name", WRITTEN.replace("\u2014 ann.example", "\u2014 ")],
    ["a key id alone", `${TEXT}\n\u2014 ann.example AAAAAA==\n`],
    ["base 64 with unused bits", `${TEXT}\n\u2014 ann.example AAAAAAB=\n`],
    ["a line among the signatures that is none", WRITTEN.replace("\n\u2014 ben", "\nx\n\u2014 ben")],
    [
      "too many signatures",
      formatNote({
        text: TEXT,
        signatures: Array.from({ length: NOTE_SIGNATURES_MAX + 1 }, () => note.signatures).flat(),
      }),
    ],
    ["too many characters", `${"x".repeat(2 ** 20)}\n${WRITTEN}`],
    ["nothing", ""],
  ])("a note with %s is refused", (_name, text) => {
    expect(text).not.toBe(WRITTEN);
    expect(parseNote(text)).toMatchObject({ ok: false });
  });

  test("a key for cosignatures signs no note, and no key signs what is no text of a note", () => {
    expect(() => signNote(TEXT, sampleKey("w.example", "cosignature"), signNoble)).toThrow(RangeError);
    expect(() => signNote("no newline", ANN, signNoble)).toThrow(RangeError);
    expect(() => signNote("tab\t\n", ANN, signNoble)).toThrow(RangeError);
  });
});
