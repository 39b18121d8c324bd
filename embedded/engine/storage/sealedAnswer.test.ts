import { expect, test } from "vitest";
import { openAnswer, sealAnswer, sessionName } from "./sealedAnswer.ts";

const SESSION = "0f8fad5b-d9cb-469f-a165-70867728950e";
const answer = { identity: "user|alice", value: '{"token":"secret"}', logLines: ["[LOG] 'x'"] };

test("an answer opens for its session and request only", () => {
  const sealed = sealAnswer(SESSION, 7, answer);
  expect(openAnswer(SESSION, 7, sealed)).toEqual(answer);
  expect(() => openAnswer(SESSION, 8, sealed)).toThrow();
  expect(() => openAnswer(SESSION.replace("0f", "1f"), 7, sealed)).toThrow();
});

test("neither the sealed answer nor the session's name shows what they hold", () => {
  const sealed = sealAnswer(SESSION, 7, answer);
  expect(sealed.toString("latin1")).not.toContain("secret");
  expect(Buffer.from(sessionName(SESSION)).toString("latin1")).not.toContain(SESSION);
  expect(sealAnswer(SESSION, 7, answer).equals(sealed)).toBe(false);
});

test("a changed byte anywhere is refused", () => {
  const sealed = sealAnswer(SESSION, 7, answer);
  for (let index = 0; index < sealed.length; index += 1) {
    const changed = Buffer.from(sealed);
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(() => openAnswer(SESSION, 7, changed)).toThrow();
  }
});
