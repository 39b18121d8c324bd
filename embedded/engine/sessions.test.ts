import { afterAll, describe, expect, test, vi } from "vitest";
import { callOf, messageOf, openFixture, removeDataDirs, user } from "./testing/testEngine.ts";

afterAll(removeDataDirs);

const session = { sessionId: "0b0c", requestId: 1 };

describe("a client's mutation sent again", () => {
  test("takes effect once and gets the first answer, also after a restart", async () => {
    const host = await openFixture();
    const call = callOf("notes:append", { room: "again" });
    const first = await host.engine.mutation(call, session);
    await host.mutation("notes:append", { room: "elsewhere" });
    expect(await host.engine.mutation(call, session)).toEqual(first);
    await host.engine.close();
    const reopened = await openFixture("app", { dataDir: host.dataDir });
    expect(await reopened.engine.mutation(call, session)).toEqual(first);
    expect(await reopened.query("notes:texts", { room: "again" })).toEqual(["0"]);
    await reopened.engine.close();
  });

  test("together with its twin takes effect once", async () => {
    const host = await openFixture();
    const call = callOf("notes:append", { room: "twins" });
    const [first, second] = await Promise.all([
      host.engine.mutation(call, session),
      host.engine.mutation(call, session),
    ]);
    expect(second).toEqual(first);
    expect(await host.query("notes:texts", { room: "twins" })).toEqual(["0"]);
    await host.engine.close();
  });

  test("runs again when it failed", async () => {
    const host = await openFixture();
    const call = callOf("notes:fail", { how: "x" });
    const first = await host.engine.mutation(call, session);
    const second = await host.engine.mutation(call, session);
    expect([first.ok, second.ok]).toEqual([false, false]);
    const other = await host.engine.mutation(callOf("notes:append", { room: "free" }), session);
    expect(other.ok).toBe(true);
    await host.engine.close();
  });

  test("is remembered for two weeks", async () => {
    const host = await openFixture();
    const call = callOf("notes:append", { room: "weeks" });
    const day = 24 * 3_600_000;
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    try {
      await host.engine.mutation(call, session);
      vi.setSystemTime(start + 13 * day);
      await host.engine.mutation(call, { ...session, requestId: 2 });
      await host.engine.mutation(call, session);
      vi.setSystemTime(start + 15 * day);
      await host.engine.mutation(call, { ...session, requestId: 3 });
      await host.engine.mutation(call, session);
    } finally {
      vi.useRealTimers();
    }
    expect(await host.query("notes:texts", { room: "weeks" })).toEqual(["0", "1", "2", "3"]);
    await host.engine.close();
  });

  test("under a renewed token is the same person's, under another name it is refused", async () => {
    const host = await openFixture();
    const as = (subject: string, issuedAt: number) =>
      callOf("notes:append", { room: "renewed" }, { identity: user(subject, { issuedAt }) });
    const first = await host.engine.mutation(as("ann", 1), session);
    expect(await host.engine.mutation(as("ann", 2), session)).toEqual(first);
    const foreign = await host.engine.mutation(as("bob", 1), session);
    expect(messageOf(foreign)).toContain("another caller");
    const anonymous = await host.engine.mutation(callOf("notes:append", { room: "renewed" }), session);
    expect(messageOf(anonymous)).toContain("another caller");
    expect(await host.query("notes:texts", { room: "renewed" })).toEqual(["0"]);
    await host.engine.close();
  });
});
