/** How large Convex counts a value: a type marker, the content, and terminators. */
import { specialKeyOf, type Json, type JsonObject } from "./json.ts";

/** JSON text grows the most in lists of one-digit numbers: two characters for nine bytes. */
const BYTES_PER_CHARACTER_MAX = 4.5;

function sizeOfSpecial(key: string, payload: Json | undefined): number {
  return key === "$bytes" && typeof payload === "string" ? 2 + Buffer.byteLength(payload, "base64") : 9;
}

function sizeOfObject(value: JsonObject): number {
  const special = specialKeyOf(value);
  if (special !== null) return sizeOfSpecial(special, value[special]);
  let size = 2;
  for (const key of Object.keys(value)) size += key.length + 1 + convexSize(value[key] ?? null);
  return size;
}

/** Bytes of a value, as Convex counts them. */
export function convexSize(value: Json): number {
  if (typeof value === "string") return 2 + Buffer.byteLength(value, "utf8");
  if (typeof value === "number") return 9;
  if (value === null || typeof value === "boolean") return 1;
  if (!Array.isArray(value)) return sizeOfObject(value);
  return value.reduce<number>((size, element) => size + convexSize(element), 2);
}

/** What the value of this JSON text can't be larger than. */
export function convexSizeBound(text: string): number {
  return Math.ceil(text.length * BYTES_PER_CHARACTER_MAX);
}

/** A number of bytes in Convex's words: "1 MiB", "1.50 MiB". */
export function showBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(amount) ? amount : amount.toFixed(2)} ${units[unit] ?? ""}`;
}
