/** What a socket that reads slowly, or not at all, does to the host; and when a session ends by itself. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { openFixture, removeDataDirs, type TestEngine } from "../engine/testing/testEngine.ts";
import { MemorySync } from "./memorySyncForTests.ts";
import type { RawClient, ServerMessage } from "./rawClientForTests.ts";

/** More than the pipe between client and server holds. */
const LARGE = 200_000;

let host: TestEngine;
let sync: MemorySync;
let clients: RawClient[];

beforeAll(async () => {
  host = await openFixture("serverApp");
});
afterAll(async () => {
  await host.engine.close();
  removeDataDirs();
});
beforeEach(async () => {
  clients = [];
  sync = await MemorySync.over(host.engine);
});
afterEach(() => {
  vi.useRealTimers();
  for (const { socket } of clients) socket.terminate();
});

async function connect(): Promise<RawClient> {
  const client = await sync.connect();
  clients.push(client);
  return client;
}

/** Lets the host do everything that it can do by now. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function addNotes(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await host.mutation("notes:add", { text: "one more" });
    await settle();
  }
}

function countIn(message: ServerMessage): number {
  const [update] = message["modifications"] as { value: { count: number } }[];
  return update?.value.count ?? -1;
}

describe("a client that does not read", () => {
  test("has two transitions on their way, no more are computed; then it gets one to the newest state", async () => {
    const client = await connect();
    client.subscribe(0, 0, "notes:large", { length: LARGE });
    const first = await client.nextOf("Transition");
    client.socket.pause();
    await addNotes(10);
    expect(sync.transitions).toBe(1 + 2);
    client.socket.resume();
    const later = [];
    for (let index = 0; index < 3; index += 1) later.push(await client.nextOf("Transition"));
    const start = countIn(first);
    expect(later.map(countIn)).toEqual([start + 1, start + 2, start + 10]);
    let before = first;
    for (const transition of later) {
      expect(transition["startVersion"]).toEqual(before["endVersion"]);
      before = transition;
    }
    await settle();
    expect(sync.transitions).toBe(1 + 3);
  });

  test("holds up nobody else", async () => {
    const [stuck, other] = [await connect(), await connect()];
    for (const client of [stuck, other]) {
      client.subscribe(0, 0, "notes:large", { length: LARGE });
      await client.nextOf("Transition");
    }
    stuck.socket.pause();
    for (let round = 0; round < 5; round += 1) {
      await host.mutation("notes:add", { text: "one more" });
      await other.nextOf("Transition");
    }
  });

  test("is closed with a reason after a minute, and the log says so", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval", "Date"] });
    const client = await connect();
    client.subscribe(0, 0, "notes:large", { length: LARGE });
    await client.nextOf("Transition");
    client.socket.pause();
    await addNotes(1);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(sync.logged).toEqual([]);
    await vi.advanceTimersByTimeAsync(16_000);
    expect(sync.logged).toMatchObject([
      { level: "warn", message: "closing a WebSocket: the client does not read" },
    ]);
    client.socket.resume();
    expect(await client.closed).toEqual({ code: 1008, reason: "the client does not read" });
  });

  test("is cut off when it does not even take the close", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval", "Date"] });
    const client = await connect();
    client.subscribe(0, 0, "notes:large", { length: LARGE });
    await client.nextOf("Transition");
    client.socket.pause();
    await addNotes(1);
    await vi.advanceTimersByTimeAsync(75_000);
    expect(sync.openSockets).toBe(1);
    await vi.advanceTimersByTimeAsync(31_000);
    expect(sync.openSockets).toBe(0);
  });

  test("is closed when what it asked for does not fit into memory", async () => {
    const client = await connect();
    client.socket.pause();
    // All have begun, while there was room for answers, before the first one answers.
    const args = [{ length: 540_000, afterMs: 3_000 }];
    for (let requestId = 0; requestId < 64; requestId += 1) {
      client.send({ type: "Action", requestId, udfPath: "notes:quotes", args });
    }
    await vi.waitFor(() => {
      expect(sync.logged).toMatchObject([
        { message: "closing a WebSocket: the client reads too slowly for what it asks" },
      ]);
    }, 50_000);
    client.socket.resume();
    expect(await client.closed).toMatchObject({ code: 1008 });
  });
});

describe("A21 a token that expires on an open socket", () => {
  const SKEW_MS = 5_000;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval", "Date"] });
  });

  async function signIn(client: RawClient, baseVersion: number, lifetimeMs: number): Promise<void> {
    const value = await sync.token("alice", Date.now() + lifetimeMs);
    client.send({ type: "Authenticate", baseVersion, tokenType: "User", value });
  }

  /** The host has taken in what the client said of itself: no clock may run ahead of that. */
  async function untilIdentity(client: RawClient, version: number): Promise<void> {
    let last = await client.nextOf("Transition");
    while ((last["endVersion"] as { identity: number }).identity !== version)
      last = await client.nextOf("Transition");
  }

  test("ends the session with an AuthError of that identity, though nothing happens", async () => {
    const client = await connect();
    await signIn(client, 0, 120_000);
    client.subscribe(0, 0, "notes:whoami", {});
    await client.nextOf("Transition");
    await vi.advanceTimersByTimeAsync(100_000);
    expect(client.received.map(({ type }) => type)).not.toContain("AuthError");
    await vi.advanceTimersByTimeAsync(20_000 + SKEW_MS + 1_000);
    expect(await client.nextOf("AuthError")).toMatchObject({ baseVersion: 0, authUpdateAttempted: false });
    expect(await client.closed).toMatchObject({ code: 1000 });
  });

  test("ends nothing when the client has brought a new one", async () => {
    const client = await connect();
    await signIn(client, 0, 60_000);
    client.subscribe(0, 0, "notes:whoami", {});
    await client.nextOf("Transition");
    await signIn(client, 1, 600_000);
    await untilIdentity(client, 2);
    await vi.advanceTimersByTimeAsync(300_000);
    client.mutate(0, "notes:add", { text: "still here" });
    expect(await client.nextOf("MutationResponse")).toMatchObject({ success: true });
  });

  test("ends nothing when the client has signed out", async () => {
    const client = await connect();
    await signIn(client, 0, 60_000);
    client.subscribe(0, 0, "notes:whoami", {});
    client.send({ type: "Authenticate", baseVersion: 1, tokenType: "None" });
    await untilIdentity(client, 2);
    await vi.advanceTimersByTimeAsync(100_000);
    client.mutate(0, "notes:add", { text: "still here" });
    expect(await client.nextOf("MutationResponse")).toMatchObject({ success: true });
  });
});
