import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { propertySeed } from "../testing/arbitraryValue.ts";
import { decodeDocumentId, encodeDocumentId, newRawId } from "./documentId.ts";

const rawId = fc.uint8Array({ minLength: 16, maxLength: 16 });
const tableNumber = fc.oneof(
  fc.integer({ min: 10_001, max: 20_000 }),
  fc.integer({ min: 1, max: 2 ** 31 - 1 }),
);

describe("document ids", () => {
  const seed = propertySeed("documentId");

  test("an id reads back as its table and bytes", () => {
    fc.assert(
      fc.property(tableNumber, rawId, (table, raw) => {
        const decoded = decodeDocumentId(encodeDocumentId(table, raw));
        expect(decoded?.tableNumber).toBe(table);
        expect(decoded?.raw).toEqual(Buffer.from(raw));
      }),
      { seed, numRuns: 2_000 },
    );
  });

  test("ids of user tables have 32 characters", () => {
    expect(encodeDocumentId(10_001, newRawId())).toMatch(/^[0-9a-hjkmnp-tv-z]{32}$/);
  });

  test("an id with one character changed is no id, or another spelling of none", () => {
    fc.assert(
      fc.property(
        rawId,
        fc.nat(31),
        fc.constantFrom(...Array.from("0123456789abcdefghjkmnpqrstvwxyz")),
        (raw, at, character) => {
          const id = encodeDocumentId(10_001, raw);
          const changed = id.slice(0, at) + character + id.slice(at + 1);
          const decoded = decodeDocumentId(changed);
          // The checksum is two bytes: a change may pass it, but never with the same content.
          if (changed === id) expect(decoded).not.toBeNull();
          else if (decoded !== null) expect(encodeDocumentId(decoded.tableNumber, decoded.raw)).toBe(changed);
        },
      ),
      { seed, numRuns: 2_000 },
    );
  });

  test("ids sort as their bytes do", () => {
    fc.assert(
      fc.property(rawId, rawId, (left, right) => {
        const [a, b] = [encodeDocumentId(10_001, left), encodeDocumentId(10_001, right)];
        expect(a < b ? -1 : a > b ? 1 : 0).toBe(Buffer.compare(left, right));
      }),
      { seed, numRuns: 2_000 },
    );
  });

  test.each(["", "x", "o".repeat(32), "0".repeat(32), "jd7dvvm8ynkjs5q9xjs6d2xh497wd3x", "é".repeat(32)])(
    "%j is no id",
    (text) => {
      expect(decodeDocumentId(text)).toBeNull();
    },
  );
});
