/** The one JSON parser of the network side (R91): strict UTF-8, no byte order mark kept, no revival. */

/** The input is not JSON in UTF-8. */
export class MalformedJson extends Error {}

/** Above what Convex allows in arguments (64), with room for the envelope around them. */
const DEPTH_MAX = 128;

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
  if (isDeeperThan(value, DEPTH_MAX)) throw new MalformedJson("the body is nested too deeply");
  return value;
}

/** Level by level, because what reads a value recursively, as this must not, would run out of stack. */
function isDeeperThan(value: unknown, depthMax: number): boolean {
  let level = [value];
  for (let depth = 0; depth <= depthMax; depth += 1) {
    level = level.flatMap((item): unknown[] =>
      typeof item === "object" && item !== null ? Object.values(item) : [],
    );
    if (level.length === 0) return false;
  }
  return true;
}
