/** Text of any characters, for property tests. */
import fc from "fast-check";

const LAST = 0x10_ffff;
/** Halves of pairs: code points that are no characters. */
const SURROGATES = { first: 0xd800, count: 0x800 };

/** Any character. Unlike fast-check's unit "binary" it does not begin with a table of all the million of them. */
export const anyCharacter: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: LAST - SURROGATES.count })
  .map(characterAt, placeOf);

/** A string of any characters. */
export function anyText(constraints: { maxLength?: number } = {}): fc.Arbitrary<string> {
  return fc.string({ ...constraints, unit: anyCharacter });
}

function characterAt(place: number): string {
  return String.fromCodePoint(place < SURROGATES.first ? place : place + SURROGATES.count);
}

/** The other way round, by which fast-check puts strings of its own among the random ones. */
function placeOf(text: unknown): number {
  const point = typeof text === "string" ? text.codePointAt(0) : undefined;
  if (point === undefined || text !== String.fromCodePoint(point)) throw new Error("not one character");
  if (point < SURROGATES.first) return point;
  if (point < SURROGATES.first + SURROGATES.count) throw new Error("half a character");
  return point - SURROGATES.count;
}
