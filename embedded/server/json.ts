/** The one JSON parser of the network side (R91): strict UTF-8, no byte order mark kept, no revival. */

/** The input is not JSON in UTF-8. */
export class MalformedJson extends Error {}

/** Above what Convex allows in arguments (64), with room for the envelope around them. */
const DEPTH_MAX = 128;

/**
 * Objects, lists and fields in one body. Each takes a function's own time before its code begins: a body of Convex's
 * 16 MiB has room for millions, and with them any call, refused or not, would use up the second that it has.
 */
export const ENTRIES_MAX = 200_000;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Takes bytes as received. Throws MalformedJson, whose message holds nothing of the input. */
export function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new MalformedJson("the body is not valid UTF-8");
  }
  return parseJsonText(text);
}

/** Takes text that was already decoded strictly (a WebSocket text message, a query parameter). */
export function parseJsonText(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch {
    throw new MalformedJson("the body is not valid JSON");
  }
  const excess = excessOf(value);
  if (excess !== null) throw new MalformedJson(`the body ${excess}`);
  return value;
}

/**
 * Why a value is more than the functions are given, or null. Level by level, because what reads a value recursively,
 * as this must not, would run out of stack; and no further than the limit, because the reading costs time as well.
 */
function excessOf(value: unknown): string | null {
  let level = [value];
  let entries = 0;
  for (let depth = 0; depth <= DEPTH_MAX; depth += 1) {
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item !== "object" || item === null) continue;
      const values: unknown[] = Array.isArray(item) ? item : Object.values(item);
      entries += Array.isArray(item) ? 1 : 1 + values.length;
      if (entries > ENTRIES_MAX) return "holds too many fields and lists";
      for (const inner of values) if (typeof inner === "object" && inner !== null) next.push(inner);
    }
    if (next.length === 0) return null;
    level = next;
  }
  return "is nested too deeply";
}
