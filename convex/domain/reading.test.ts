import { expect, test } from "vitest";
import { decideBeginReading } from "./reading.ts";

const context = { newId: (prefix: string): string => `${prefix}_1` };
const facts = { headSeq: 7 };

test("a reading begins with the lines that it covers", () => {
  for (const range of [
    { fromSeq: 1, toSeq: 1 },
    { fromSeq: 1, toSeq: 7 },
    { fromSeq: 7, toSeq: 7 },
  ]) {
    expect(decideBeginReading(range, facts, context)).toEqual({
      kind: "accepted",
      events: [{ stream: "reading/rdg_1", type: "reading.begun", data: range }],
      result: { readingId: "rdg_1" },
    });
  }
});

test("lines that are not there, and a range that ends before it begins, are refused", () => {
  expect(decideBeginReading({ fromSeq: 1, toSeq: 8 }, facts, context)).toEqual({
    kind: "rejected",
    code: "INVALID",
    field: "toSeq",
  });
  expect(decideBeginReading({ fromSeq: 3, toSeq: 2 }, facts, context)).toEqual({
    kind: "rejected",
    code: "INVALID",
    field: "fromSeq",
  });
});
