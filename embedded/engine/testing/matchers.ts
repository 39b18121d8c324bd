/** Vitest's asymmetric matchers are typed `any`; these are not. */
import { expect } from "vitest";

/** Matches a string that holds `text`. */
export function containing(text: string): unknown {
  return expect.stringContaining(text) as unknown;
}

/** Matches a string that the pattern matches. */
export function matching(pattern: RegExp): unknown {
  return expect.stringMatching(pattern) as unknown;
}
