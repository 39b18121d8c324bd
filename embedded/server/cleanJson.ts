/**
 * Convex-encoded JSON → the plain JSON that `format: "json"` promises: integers and bytes become strings,
 * special numbers their names. Cannot be decoded back; official clients ask for the encoded form.
 */

/** Takes the text of a Convex-encoded value, gives the text of plain JSON. */
export function toCleanJsonText(encoded: string): string {
  return JSON.stringify(toCleanJson(JSON.parse(encoded) as unknown));
}

/** The same for a parsed value. */
export function toCleanJson(encoded: unknown): unknown {
  if (Array.isArray(encoded)) return encoded.map(toCleanJson);
  if (typeof encoded !== "object" || encoded === null) return encoded;
  const entries = Object.entries(encoded);
  const [single] = entries;
  if (entries.length === 1 && single !== undefined && typeof single[1] === "string") {
    const bytes = Buffer.from(single[1], "base64");
    if (single[0] === "$integer") return bytes.readBigInt64LE().toString();
    if (single[0] === "$float") return cleanNumber(bytes.readDoubleLE());
    if (single[0] === "$bytes") return single[1];
  }
  return Object.fromEntries(entries.map(([key, value]) => [key, toCleanJson(value)]));
}

/** JSON has no NaN and no infinities, and JSON.stringify would write -0 as 0. */
function cleanNumber(value: number): string | number {
  return Number.isFinite(value) ? value : String(value);
}
