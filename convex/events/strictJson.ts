/**
 * JSON of signed bodies (RFC 8259), read once and strictly, so that no second reader can see another document in the
 * same bytes: a name that comes twice in one object is refused, and a number that is not written as a whole number is
 * not turned into one (`5e3`, `5000.0` and 2^53 become `INEXACT_NUMBER`, which no schema of amounts accepts).
 */

/** Not JSON in this strict sense. Holds nothing of the input. */
export class StrictJsonError extends Error {}

/** A number that is no exact integer as it is written. */
export const INEXACT_NUMBER = Symbol("inexact number");

const DEPTH_MAX = 64;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const INTEGER = /^-?(?:0|[1-9][0-9]*)$/;
/** A string with its quotes; `JSON.parse` then reads the escapes, which this pattern has made sure are in due form. */
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \t\n\r]*/y;
const WORDS = [
  ["true", true],
  ["false", false],
  ["null", null],
] as const;

function fail(): never {
  throw new StrictJsonError("the body is not JSON in strict form");
}

class Reader {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  document(): unknown {
    const value = this.value(0);
    this.skipSpace();
    if (this.at !== this.text.length) fail();
    return value;
  }

  private skipSpace(): void {
    SPACE.lastIndex = this.at;
    SPACE.exec(this.text);
    this.at = SPACE.lastIndex;
  }

  private take(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) return null;
    this.at = pattern.lastIndex;
    return match[0];
  }

  /** Whether the next sign is this one; then it is behind us. */
  private next(sign: string): boolean {
    this.skipSpace();
    if (this.text[this.at] !== sign) return false;
    this.at += 1;
    return true;
  }

  private value(depth: number): unknown {
    if (depth > DEPTH_MAX) fail();
    if (this.next("{")) return this.object(depth);
    if (this.next("[")) return this.array(depth);
    if (this.text[this.at] === '"') return this.string();
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  private object(depth: number): unknown {
    // Without a prototype, so that `__proto__` is a name like any other.
    const result = Object.create(null) as Record<string, unknown>;
    if (this.next("}")) return result;
    do {
      this.skipSpace();
      const name = this.string();
      if (name in result || !this.next(":")) fail();
      result[name] = this.value(depth + 1);
    } while (this.next(","));
    return this.next("}") ? result : fail();
  }

  private array(depth: number): unknown[] {
    const result: unknown[] = [];
    if (this.next("]")) return result;
    do result.push(this.value(depth + 1));
    while (this.next(","));
    return this.next("]") ? result : fail();
  }

  private string(): string {
    return JSON.parse(this.take(STRING) ?? fail()) as string;
  }

  private number(): number | typeof INEXACT_NUMBER {
    const text = this.take(NUMBER) ?? fail();
    const value = Number(text);
    const isExact = INTEGER.test(text) && Number.isSafeInteger(value) && !Object.is(value, -0);
    return isExact ? value : INEXACT_NUMBER;
  }
}

/**
 * The value that a text holds. Objects have no prototype. Throws StrictJsonError on anything but one JSON document,
 * on a repeated name and on more than 64 levels.
 */
export function parseStrictJson(text: string): unknown {
  return new Reader(text).document();
}
