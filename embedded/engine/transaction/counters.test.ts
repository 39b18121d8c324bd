import { describe, expect, test } from "vitest";
import { LIMITS } from "../limits.ts";
import { convexSize } from "../values/convexSize.ts";
import { Counters, type Counted } from "./counters.ts";

const HELP = /Consider using smaller limits in your queries, paginating your queries/;

function textOf(bytes: number): string {
  const text = JSON.stringify("x".repeat(bytes - 2));
  expect(convexSize(JSON.parse(text) as string)).toBe(bytes);
  return text;
}

function repeat(count: number, run: () => void): void {
  for (let done = 0; done < count; done += 1) run();
}

/** Per limit: how to use all of it, one more, and Convex's words for that. */
const CASES: Record<
  Counted,
  { fill: (counters: Counters) => void; oneMore: (counters: Counters) => void; words: RegExp }
> = {
  bytesRead: {
    fill: (counters) => {
      repeat(16, () => {
        counters.countRead(textOf(LIMITS.bytesReadMax / 16));
      });
    },
    oneMore: (counters) => {
      counters.countRead("true");
    },
    words: /^Too many bytes read in a single function execution \(limit: 16777216 bytes\)\./,
  },
  documentsRead: {
    fill: (counters) => {
      repeat(32_000, () => {
        counters.countRead("null");
      });
    },
    oneMore: (counters) => {
      counters.countRead("null");
    },
    words: /^Too many documents read in a single function execution \(limit: 32000\)\./,
  },
  databaseQueries: {
    fill: (counters) => {
      repeat(4_096, () => {
        counters.countRange();
      });
    },
    oneMore: (counters) => {
      counters.countRange();
    },
    words: /^Too many reads in a single function execution \(limit: 4096\)\./,
  },
  bytesWritten: {
    fill: (counters) => {
      counters.countWrite(LIMITS.bytesWrittenMax);
    },
    oneMore: (counters) => {
      counters.countWrite(1);
    },
    words: /^Too many bytes written in a single function execution \(limit: 16777216 bytes\)$/,
  },
  documentsWritten: {
    fill: (counters) => {
      repeat(16_000, () => {
        counters.countWrite(0);
      });
    },
    oneMore: (counters) => {
      counters.countWrite(0);
    },
    words: /^Too many writes in a single function execution \(limit: 16000\)$/,
  },
  functionsScheduled: {
    fill: (counters) => {
      repeat(1_000, () => {
        counters.countScheduled(0);
      });
    },
    oneMore: (counters) => {
      counters.countScheduled(0);
    },
    words: /^Too many functions scheduled by this mutation \(limit: 1000\)$/,
  },
  scheduledFunctionArgsBytes: {
    fill: (counters) => {
      repeat(4, () => {
        counters.countScheduled(LIMITS.scheduledArgsBytesMax);
      });
    },
    oneMore: (counters) => {
      counters.countScheduled(1);
    },
    words:
      /^Too large total size of the arguments of scheduled functions from this mutation \(limit: 16777216 bytes\)$/,
  },
};

const COUNTED = Object.keys(CASES) as Counted[];

describe("a transaction's limits", () => {
  test.each(COUNTED)("%s: all of it may be used, and no more", (what) => {
    const { fill, oneMore, words } = CASES[what];
    const counters = new Counters();
    fill(counters);
    expect(counters.metrics()[what].remaining).toBe(0);
    expect(() => {
      oneMore(counters);
    }).toThrow(words);
  });

  test("of reads come with Convex's advice", () => {
    const counters = new Counters();
    CASES.databaseQueries.fill(counters);
    expect(() => {
      counters.countRange();
    }).toThrow(HELP);
  });

  test("refuse one scheduled function's arguments above 4 MiB", () => {
    expect(() => {
      new Counters().countScheduled(LIMITS.scheduledArgsBytesMax + 1);
    }).toThrow(/too large \(actual: 4.00 MiB, limit: 4 MiB\)/);
  });

  test("hold for a nested call and its caller together, the tighter one first", async () => {
    const counters = new Counters();
    counters.countWrite(100);
    await counters.within({ documentsWritten: 2, bytesWritten: 50 }, async () => {
      counters.countWrite(50);
      expect(counters.metrics().bytesWritten).toEqual({ used: 150, remaining: 0 });
      counters.countWrite(0);
      expect(() => {
        counters.countWrite(0);
      }).toThrow("Too many writes in a single function execution (limit: 2)");
      await Promise.resolve();
    });
    expect(counters.metrics().documentsWritten).toEqual({ used: 4, remaining: 15_996 });
  });

  test("count documents as Convex does, not their text", () => {
    const counters = new Counters();
    const document = {
      list: [1, 2, 3],
      text: "é",
      bytes: { $bytes: "AAEC" },
      big: { $integer: "AQAAAAAAAAA=" },
      none: null,
    };
    counters.countRead(JSON.stringify(document));
    // 2 + list 5+29 + text 5+4 + bytes 6+5 + big 4+9 + none 5+1
    expect(counters.metrics().bytesRead.used).toBe(75);
  });
});
