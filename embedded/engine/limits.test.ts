/** Convex's limits on values, documents and calls: each at the limit and one beyond it. Per transaction: counters.test.ts. */
import type { Value } from "convex/values";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "./limits.ts";
import { callOf, messageOf, openFixture, removeDataDirs, type TestEngine } from "./testing/testEngine.ts";

let host: TestEngine;

beforeAll(async () => {
  host = await openFixture();
});

afterAll(async () => {
  await host.engine.close();
  removeDataDirs();
});

async function refusal(kind: "query" | "mutation", path: string, args: Value): Promise<string> {
  return messageOf(await host.engine[kind](callOf(path, args)));
}

function list(length: number): Value[] {
  return Array.from({ length }, () => 0);
}

function fields(count: number): Record<string, Value> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, 0]));
}

function nested(levels: number): Value {
  return levels === 0 ? 1 : [nested(levels - 1)];
}

/** The document's own bytes: 2 for the object, 5 for the field's name and 2 for the text. */
function textOf(documentBytes: number): string {
  return "x".repeat(documentBytes - 9);
}

describe("a document", () => {
  const store = (document: Record<string, Value>): Promise<Value> =>
    host.mutation("limits:store", { fields: document });
  const refused = (document: Record<string, Value>): Promise<string> =>
    refusal("mutation", "limits:store", { fields: document });

  test("has 1 MiB at most", async () => {
    expect(await store({ text: textOf(LIMITS.documentBytesMax) })).toBe("stored");
    expect(await refused({ text: textOf(LIMITS.documentBytesMax + 1) })).toContain(
      "Value is too large (1.00 MiB > maximum size 1 MiB)",
    );
  });

  test("has 1,024 fields at most, its two system fields among them", async () => {
    expect(await store(fields(1_022))).toBe("stored");
    expect(await refused(fields(1_023))).toContain("Object has too many fields (1025 > maximum number 1024)");
    expect(await store({ inner: fields(1_024) })).toBe("stored");
  });

  test("is nested 16 levels deep at most", async () => {
    expect(await store({ deep: nested(15) })).toBe("stored");
    expect(await refused({ deep: nested(16) })).toContain(
      "Document is too nested (nested 17 levels deep > maximum nesting 16)",
    );
  });

  test("has lists of 8,192 at most", async () => {
    expect(await store({ list: list(8_192) })).toBe("stored");
    expect(await refused({ list: list(8_193) })).toContain(
      "Array length is too long (8193 > maximum length 8192)",
    );
  });

  test("has field names of 1,024 printable ASCII characters, without a leading underscore", async () => {
    expect(await store({ ["f".repeat(1_024)]: 1, "with ~ space": 1 })).toBe("stored");
    // Convex's client would not send these.
    const sent = async (name: string): Promise<string> => {
      const args = JSON.stringify({ fields: { [name]: 1 } });
      return messageOf(await host.engine.mutation({ ...callOf("limits:store"), args }));
    };
    expect(await sent("f".repeat(1_025))).toContain("Field name is too long (1025 > maximum 1024)");
    expect(await sent("")).toContain("Field name cannot be empty");
    expect(await refused({ _own: 1 })).toContain(
      "Field '_own' starts with an underscore, which is only allowed for system fields like '_id'",
    );
    expect(await refused({ inner: { _own: 1 } })).toContain(
      "Field '_own' starts with an underscore, which is not allowed for nested fields",
    );
  });
});

describe("arguments", () => {
  test("have 16 MiB at most", async () => {
    // 2 for the object, 6 for the field's name and 2 for the text.
    const text = "x".repeat(LIMITS.argumentsBytesMax - 10);
    expect(await host.query("limits:take", { value: text })).toBeNull();
    expect(await refusal("query", "limits:take", { value: `${text}x` })).toBe(
      "Arguments for limits:take are too large (actual: 16.00 MiB, limit: 16 MiB)",
    );
  });

  test("are held to the limits of values, those of nested calls too", async () => {
    expect(await host.query("limits:take", { value: list(8_192) })).toBeNull();
    const tooLong = "Array length is too long (8193 > maximum length 8192)";
    expect(await refusal("query", "limits:take", { value: list(8_193) })).toBe(
      `Invalid arguments: ${tooLong}`,
    );
    expect(await host.query("limits:hand", { items: 8_192 })).toBeNull();
    expect(await refusal("query", "limits:hand", { items: 8_193 })).toContain(tooLong);
  });
});

describe("a return value", () => {
  test("has 16 MiB at most", async () => {
    const length = LIMITS.returnValueBytesMax - 2;
    expect(await host.query("limits:giveText", { length })).toHaveLength(length);
    expect(await refusal("query", "limits:giveText", { length: length + 1 })).toBe(
      "Function limits.js:giveText return value is too large (actual: 16.00 MiB, limit: 16 MiB)",
    );
  });

  test.each([
    [{ items: 8_192 }, { items: 8_193 }, "Array length is too long (8193 > maximum length 8192)"],
    [{ fields: 1_024 }, { fields: 1_025 }, "Object has too many fields (1025 > maximum number 1024)"],
    [{ levels: 64 }, { levels: 65 }, "Value is too nested (nested 65 levels deep > maximum nesting 64)"],
  ])("%j is the most", async (most, more, problem) => {
    await host.query("limits:give", most);
    expect(await refusal("query", "limits:give", more)).toBe(
      `Function limits.js:give return value invalid: ${problem}`,
    );
  });
});

describe("calls", () => {
  test("are nested 8 levels deep at most", async () => {
    expect(await host.query("limits:nest", { levels: 8 })).toBe(8);
    expect(await refusal("query", "limits:nest", { levels: 9 })).toContain(
      "Cross component call depth limit exceeded. Do you have an infinite loop in your app?",
    );
  });

  test("read 4,096 index ranges at most", async () => {
    expect(await host.query("limits:reads", { count: 4_096 })).toBe(4_096);
    expect(await refusal("query", "limits:reads", { count: 4_097 })).toContain(
      "Too many reads in a single function execution (limit: 4096).",
    );
  });

  test("count what nested calls wrote, unless it was undone", async () => {
    const kept = (await host.mutation("limits:writeAround", {
      nested: 10,
      thenThrow: false,
      own: 5,
    })) as never;
    expect(kept).toMatchObject({ documentsWritten: { used: 15, remaining: 15_985 } });
    const undone = (await host.mutation("limits:writeAround", {
      nested: 10,
      thenThrow: true,
      own: 5,
    })) as never;
    expect(undone).toMatchObject({ documentsWritten: { used: 5, remaining: 15_995 } });
    expect(
      await refusal("mutation", "limits:writeAround", { nested: 15_999, thenThrow: false, own: 2 }),
    ).toContain("Too many writes in a single function execution (limit: 16000)");
  });

  test("schedule 1,000 functions at most, with 4 MiB of arguments each", async () => {
    expect(await host.mutation("limits:schedule", { count: 1_000, textLength: 1 })).toBe(1_000);
    expect(await refusal("mutation", "limits:schedule", { count: 1_001, textLength: 1 })).toContain(
      "Too many functions scheduled by this mutation (limit: 1000)",
    );
    // 2 for the list, 2 for the object, 5 for the field's name and 2 for the text.
    const textLength = LIMITS.scheduledArgsBytesMax - 11;
    expect(await refusal("mutation", "limits:schedule", { count: 1, textLength: textLength + 1 })).toContain(
      "too large (actual: 4.00 MiB, limit: 4 MiB)",
    );
    // A row of a scheduled function is a system document, and no limit of documents holds for it.
    expect(await host.mutation("limits:schedule", { count: 1, textLength })).toBe(1);
  });

  test("schedule within five years", async () => {
    const delayMs = LIMITS.scheduleDistanceMaxMs;
    await host.mutation("limits:scheduleAfter", { delayMs });
    expect(await refusal("mutation", "limits:scheduleAfter", { delayMs: delayMs + 1_000 })).toContain(
      "is more than 5 years in the future",
    );
  });

  test("log 256 lines of 4 KiB at most", async () => {
    const lines = async (count: number, length: number): Promise<string[]> => {
      const { logLines } = await host.engine.query(callOf("limits:log", { count, length }));
      return logLines;
    };
    const all = await lines(255, 1);
    expect(all).toEqual(Array.from({ length: 255 }, () => "[LOG] 'x'"));
    const more = await lines(300, 1);
    expect(more).toHaveLength(256);
    expect(more.at(-1)).toBe("[ERROR] Log overflow (maximum 256). Remaining log lines omitted.");
    // 8 for the level and the quotes.
    const [longest = ""] = await lines(1, LIMITS.logLineBytesMax - 8);
    expect(Buffer.byteLength(longest)).toBe(LIMITS.logLineBytesMax);
    expect(await lines(1, LIMITS.logLineBytesMax - 7)).toEqual([
      `[LOG] '${"x".repeat(LIMITS.logLineBytesMax - 7)} (truncated due to length)`,
    ]);
  });
});

describe("a page", () => {
  const page = (numItems: number): Promise<string> =>
    host.engine
      .query(
        callOf("things:page", {
          selection: { table: "typed", range: [] },
          options: { numItems, cursor: null },
        }),
      )
      .then((outcome) => (outcome.ok ? "read" : outcome.message));

  test("has 32,000 documents at most", async () => {
    expect(await page(32_000)).toBe("read");
    expect(await page(32_001)).toContain("Requested too many items: 32001");
  });

  test("ends where the transaction may read no more", async () => {
    const text = "x".repeat(1_000_000);
    for (let count = 0; count < 18; count += 1) await host.mutation("notes:add", { room: "large", text });
    const options = { numItems: 18, cursor: null };
    const first = (await host.query("notes:pageOfLengths", { room: "large", paginationOpts: options })) as {
      page: number[];
      isDone: boolean;
      pageStatus: string;
      continueCursor: string;
    };
    expect(first).toMatchObject({ isDone: false, pageStatus: "SplitRecommended" });
    expect(first.page).toHaveLength(16);
    const rest = { numItems: 18, cursor: first.continueCursor };
    expect(await host.query("notes:pageOfLengths", { room: "large", paginationOpts: rest })).toMatchObject({
      page: [1_000_000, 1_000_000],
      isDone: true,
    });
  });
});
