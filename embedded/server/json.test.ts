import { describe, expect, test } from "vitest";
import { ENTRIES_MAX, MalformedJson, parseJsonText } from "./json.ts";

function refusal(text: string): string {
  try {
    parseJsonText(text);
    return "";
  } catch (error) {
    if (error instanceof MalformedJson) return error.message;
    throw error;
  }
}

describe("a body", () => {
  test("is nested 128 levels deep at most", () => {
    expect(refusal("[".repeat(128) + "]".repeat(128))).toBe("");
    expect(refusal("[".repeat(130) + "]".repeat(130))).toBe("the body is nested too deeply");
  });

  test.each([
    ["lists", (count: number) => `[${"[],".repeat(count - 2)}[]]`],
    ["objects", (count: number) => `[${"{},".repeat(count - 2)}{}]`],
    ["fields", (count: number) => `{${Array.from({ length: count - 1 }, (_, n) => `"${n}":0`).join(",")}}`],
  ])("holds so many %s at most", (_what, bodyOf) => {
    expect(refusal(bodyOf(ENTRIES_MAX))).toBe("");
    expect(refusal(bodyOf(ENTRIES_MAX + 1))).toBe("the body holds too many fields and lists");
  });

  test("may be one long list of numbers or texts", () => {
    expect(refusal(`[${"0,".repeat(2 * ENTRIES_MAX)}0]`)).toBe("");
  });
});
