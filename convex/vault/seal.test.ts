import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { describe, expect, test } from "vitest";
import { NONCE_BYTES, seal, SealError, unseal, type Sealed } from "./seal.ts";

const CURRENT = { keyId: "k2", key: "22".repeat(32) };
const OLD = { keyId: "k1", key: "11".repeat(32) };
const KEYS = [CURRENT, OLD];
const PLACE = { table: "rawDeliveries", provider: "stripe", deliveryId: "evt_1" };
const NONCE = new Uint8Array(NONCE_BYTES).fill(7);
const TEXT = new TextEncoder().encode('{"id":"evt_1"}');

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("a sealed text", () => {
  test("opens for its place and holds nothing of what was sealed", () => {
    const sealed = seal(KEYS, PLACE, TEXT, NONCE);
    expect(sealed.keyId).toBe("k2");
    expect(textOf(new Uint8Array(sealed.ciphertext))).not.toContain("evt_1");
    expect(textOf(unseal(KEYS, PLACE, sealed))).toBe('{"id":"evt_1"}');
  });

  test("opens after a rotation, as long as its key is listed", () => {
    const sealed = seal([OLD], PLACE, TEXT, NONCE);
    expect(textOf(unseal(KEYS, PLACE, sealed))).toBe('{"id":"evt_1"}');
    expect(() => unseal([CURRENT], PLACE, sealed)).toThrow(SealError);
  });

  test("does not open in another row, table or with a field more or less", () => {
    const sealed = seal(KEYS, PLACE, TEXT, NONCE);
    const { provider: _provider, ...fewer } = PLACE;
    for (const place of [
      { ...PLACE, deliveryId: "evt_2" },
      { ...PLACE, table: "clientSecrets" },
      { ...PLACE, field: "body" },
      fewer,
    ]) {
      expect(() => unseal(KEYS, place, sealed)).toThrow(SealError);
    }
  });

  test("does not open under another key id, even when that has the same key", () => {
    const sealed = seal([CURRENT], PLACE, TEXT, NONCE);
    const renamed = { keyId: "k3", key: CURRENT.key };
    expect(() => unseal([renamed], PLACE, { ...sealed, keyId: "k3" })).toThrow(SealError);
  });

  test("does not open when one bit of nonce or ciphertext changed, and says nothing of why", () => {
    const sealed = seal(KEYS, PLACE, TEXT, NONCE);
    for (const field of ["nonce", "ciphertext"] as const) {
      for (let offset = 0; offset < sealed[field].byteLength; offset += 1) {
        const bytes = new Uint8Array(sealed[field].slice(0));
        bytes[offset] = (bytes[offset] ?? 0) ^ 1;
        const damaged: Sealed = { ...sealed, [field]: bytes.buffer };
        expect(() => unseal(KEYS, PLACE, damaged)).toThrow("the sealed text does not open");
      }
    }
    expect(() => unseal(KEYS, PLACE, { ...sealed, ciphertext: new ArrayBuffer(3) })).toThrow(SealError);
  });

  test("is not made without a key or with a nonce of another length", () => {
    expect(() => seal([], PLACE, TEXT, NONCE)).toThrow("no sealing key");
    expect(() => seal(KEYS, PLACE, TEXT, NONCE.slice(1))).toThrow("24 bytes");
  });
});

test("the cipher is the one of draft-irtf-cfrg-xchacha-03, appendix A.3.1", () => {
  const key = hexToBytes("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const nonce = hexToBytes("404142434445464748494a4b4c4d4e4f5051525354555657");
  const data = hexToBytes("50515253c0c1c2c3c4c5c6c7");
  const plaintext = new TextEncoder().encode(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  );
  const encrypted = bytesToHex(xchacha20poly1305(key, nonce, data).encrypt(plaintext));
  expect(encrypted.slice(0, 32)).toBe("bd6d179d3e83d43b9576579493c0e939");
  expect(encrypted.slice(-32)).toBe("c0875924c1c7987947deafd8780acf49");
});
