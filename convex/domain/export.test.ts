import { expect, test } from "vitest";
import { decideBeginExport } from "./export.ts";

test("an export begins with the head that it covers", () => {
  const head = { seq: 7, hash: "a".repeat(64) };
  expect(decideBeginExport({ head }, { newId: (prefix) => `${prefix}_1` })).toEqual({
    kind: "accepted",
    events: [{ stream: "export/exp_1", type: "export.begun", data: { headSeq: 7, headHash: head.hash } }],
    result: { exportId: "exp_1", headHash: head.hash },
  });
});
