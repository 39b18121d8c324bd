import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestHosts, tokenFor } from "./hostForTests.ts";
import type { Host } from "./host.ts";
import { RawClient, timestampIn, type ServerMessage } from "./rawClientForTests.ts";
import { encodeTimestamp } from "./timestamps.ts";

const hosts = new TestHosts();
let host: Host;

beforeAll(async () => {
  host = await hosts.start();
});
afterAll(async () => {
  await hosts.clean();
});

type Version = { querySet: number; identity: number; ts: string };

function versions(message: ServerMessage): { start: Version; end: Version } {
  return { start: message["startVersion"] as Version, end: message["endVersion"] as Version };
}

function modifications(message: ServerMessage): Record<string, unknown>[] {
  return message["modifications"] as Record<string, unknown>[];
}

describe("transitions", () => {
  test("each starts exactly where the one before it ended, from zero", async () => {
    const client = await RawClient.connect(host);
    client.subscribe(0, 0, "notes:list", {});
    const first = versions(await client.nextOf("Transition"));
    expect(first.start).toEqual({ querySet: 0, identity: 0, ts: encodeTimestamp(0n) });
    expect(first.end).toMatchObject({ querySet: 1, identity: 0 });
    client.subscribe(1, 1, "notes:whoami", {});
    const second = versions(await client.nextOf("Transition"));
    expect(second.start).toEqual(first.end);
    client.send({
      type: "Authenticate",
      baseVersion: 0,
      tokenType: "User",
      value: await tokenFor(host, "al"),
    });
    const third = versions(await client.nextOf("Transition"));
    expect(third.start).toEqual(second.end);
    expect(third.end).toMatchObject({ querySet: 2, identity: 1 });
    client.socket.close();
  });

  test("one follows every mutation response and reaches its timestamp, also when nothing changed", async () => {
    const client = await RawClient.connect(host);
    for (const requestId of [0, 1]) {
      client.mutate(requestId, "notes:add", { text: "unseen" });
      const answer = await client.next();
      expect(answer).toMatchObject({ type: "MutationResponse", requestId, success: true });
      const following = await client.next();
      expect(following).toMatchObject({ type: "Transition", modifications: [] });
      expect(timestampIn(versions(following as ServerMessage).end.ts)).toBeGreaterThanOrEqual(
        timestampIn(answer?.["ts"]),
      );
    }
    client.socket.close();
  });

  test("show only what changed, all at one snapshot", async () => {
    const client = await RawClient.connect(host);
    const modify = (queryId: number, udfPath: string, args: unknown): unknown => ({
      type: "Add",
      queryId,
      udfPath,
      args: [args],
    });
    client.send({
      type: "ModifyQuerySet",
      baseVersion: 0,
      newVersion: 1,
      modifications: [
        modify(0, "notes:list", {}),
        modify(1, "notes:whoami", {}),
        modify(2, "notes:large", { length: 1 }),
      ],
    });
    expect(modifications(await client.nextOf("Transition")).map(({ queryId }) => queryId)).toEqual([0, 1, 2]);
    client.mutate(0, "notes:add", { text: "changed" });
    const changed = modifications(await client.nextOf("Transition"));
    expect(changed.map(({ queryId }) => queryId)).toEqual([0, 2]);
    const [list, large] = changed.map(({ value }) => value) as [string[], { count: number }];
    expect(large.count).toBe(list.length);
    client.socket.close();
  });

  test("a removed query is confirmed and no longer updated", async () => {
    const client = await RawClient.connect(host);
    client.subscribe(0, 7, "notes:list", {});
    await client.nextOf("Transition");
    const remove = [{ type: "Remove", queryId: 7 }];
    client.send({ type: "ModifyQuerySet", baseVersion: 1, newVersion: 2, modifications: remove });
    expect(modifications(await client.nextOf("Transition"))).toEqual([{ type: "QueryRemoved", queryId: 7 }]);
    client.mutate(0, "notes:add", { text: "not seen" });
    expect(modifications(await client.nextOf("Transition"))).toEqual([]);
    client.socket.close();
  });

  test("a failing query is an update of its own, with its error", async () => {
    const client = await RawClient.connect(host);
    client.subscribe(0, 0, "notes:crash", {});
    const [failed] = modifications(await client.nextOf("Transition"));
    expect(failed).toMatchObject({ type: "QueryFailed", queryId: 0 });
    expect(failed?.["errorMessage"]).toMatch(/^\[Request ID: [0-9a-f]{16}\] Server Error\n/);
    client.socket.close();
  });

  test("a long one comes in parts that join to it", async () => {
    const client = await RawClient.connect(host);
    client.subscribe(0, 0, "notes:large", { length: 2_500_000 });
    const parts: ServerMessage[] = [];
    do parts.push(await client.nextOf("TransitionChunk"));
    while (parts.length < Number(parts[0]?.["totalParts"]));
    const [first] = parts;
    expect(parts.map(({ partNumber }) => partNumber)).toEqual([0, 1, 2]);
    expect(parts.every(({ transitionId }) => transitionId === first?.["transitionId"])).toBe(true);
    const joined = JSON.parse(parts.map(({ chunk }) => String(chunk)).join("")) as ServerMessage;
    const [update] = modifications(joined);
    expect((update?.["value"] as { padding: string }).padding).toHaveLength(2_500_000);
    client.socket.close();
  });

  test("the answer of a mutation comes before its effect, also when others have the result already", async () => {
    const [first, second] = [await RawClient.connect(host), await RawClient.connect(host)];
    for (const client of [first, second]) {
      client.subscribe(0, 0, "notes:list", {});
      await client.nextOf("Transition");
    }
    for (let requestId = 0; requestId < 20; requestId += 1) {
      second.mutate(requestId, "notes:add", { text: `effect ${requestId}` });
      expect(await second.next()).toMatchObject({ type: "MutationResponse", requestId });
      const effect = (await second.next()) as ServerMessage;
      expect((modifications(effect)[0]?.["value"] as string[]).at(-1)).toBe(`effect ${requestId}`);
    }
    first.socket.close();
    second.socket.close();
  });
});

describe("mutations and actions", () => {
  test("mutations of one client run one after the other, in order", async () => {
    const client = await RawClient.connect(host);
    const texts = Array.from({ length: 30 }, (_, index) => `ordered ${index}`);
    texts.forEach((text, requestId) => {
      client.mutate(requestId, "notes:add", { text });
    });
    const answers: ServerMessage[] = [];
    while (answers.length < texts.length) answers.push(await client.nextOf("MutationResponse"));
    expect(answers.map(({ requestId }) => requestId)).toEqual(texts.map((_, index) => index));
    client.subscribe(0, 0, "notes:list", {});
    let value: unknown;
    while (value === undefined) value = modifications(await client.nextOf("Transition"))[0]?.["value"];
    expect((value as string[]).filter((text) => text.startsWith("ordered"))).toEqual(texts);
    client.socket.close();
  });

  test("the same request of the same session takes effect once, with the first answer", async () => {
    const sessionId = crypto.randomUUID();
    const answers: ServerMessage[] = [];
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const client = await RawClient.connect(host, {}, { sessionId });
      client.mutate(5, "notes:add", { text: `once ${sessionId}` });
      answers.push(await client.nextOf("MutationResponse"));
      client.socket.close();
      await client.closed;
    }
    expect(answers[1]).toEqual(answers[0]);
    const list = await fetch(`${host.url}/api/run/notes/list`, { method: "POST", body: "{}" });
    const { value } = (await list.json()) as { value: string[] };
    expect(value.filter((text) => text === `once ${sessionId}`)).toHaveLength(1);
  });

  test("an action answers without a timestamp; failures carry message and data", async () => {
    const client = await RawClient.connect(host);
    client.send({ type: "Action", requestId: 0, udfPath: "notes:shout", args: [{ text: "a" }] });
    const acted = await client.nextOf("ActionResponse");
    expect(acted).toMatchObject({ requestId: 0, success: true, result: "A" });
    expect(acted).not.toHaveProperty("ts");
    client.mutate(1, "notes:refuse", {});
    const refused = await client.nextOf("MutationResponse");
    expect(refused).toMatchObject({ success: false, ts: null, errorData: { code: "TEAPOT" } });
    client.socket.close();
  });

  test("calls keep the identity that stood when they arrived", async () => {
    const client = await RawClient.connect(host);
    const authenticate = { type: "Authenticate", baseVersion: 0, tokenType: "User" };
    client.send({ ...authenticate, value: await tokenFor(host, "carol") });
    client.subscribe(0, 0, "notes:whoami", {});
    client.send({ type: "Authenticate", baseVersion: 1, tokenType: "None" });
    let last: ServerMessage;
    do last = await client.nextOf("Transition");
    while (versions(last).end.identity !== 2);
    const whoami = client.received.flatMap((message) =>
      message.type === "Transition" ? modifications(message) : [],
    );
    expect(whoami.at(-1)).toMatchObject({ queryId: 0, value: null });
    client.socket.close();
  });
});

describe("authentication", () => {
  test("a bad token is answered AuthError, and the socket closes without FatalError", async () => {
    const client = await RawClient.connect(host);
    client.send({ type: "Authenticate", baseVersion: 0, tokenType: "User", value: "forged" });
    expect(await client.next()).toMatchObject({
      type: "AuthError",
      baseVersion: 0,
      authUpdateAttempted: true,
    });
    expect(await client.closed).toMatchObject({ code: 1000 });
  });

  test("the admin key opens internal functions, a wrong one nothing", async () => {
    const client = await RawClient.connect(host);
    client.send({ type: "Authenticate", baseVersion: 0, tokenType: "Admin", value: host.adminKey });
    client.subscribe(0, 0, "notes:hidden", {});
    let found: unknown;
    while (found === undefined) found = modifications(await client.nextOf("Transition"))[0]?.["value"];
    expect(found).toBe("internal");
    client.socket.close();
    const other = await RawClient.connect(host);
    other.send({ type: "Authenticate", baseVersion: 0, tokenType: "Admin", value: "x".repeat(40) });
    expect(await other.next()).toMatchObject({ type: "AuthError" });
  });
});

describe("what ends a socket, and only that one", () => {
  const connect = { type: "Connect", sessionId: "8d2a4e58-9a05-4c5b-8f0c-5d1c7f0f7a11" };
  const add = { type: "Add", queryId: 0, udfPath: "notes:list", args: [{}] };
  const change = { type: "ModifyQuerySet", baseVersion: 0, newVersion: 1 };

  test.each([
    ["no JSON", ["{"]],
    ["no object", ["null"]],
    ["an unknown type", [connect, { type: "Shutdown" }]],
    ["a type from the prototype", [connect, { type: "__proto__" }]],
    ["anything before Connect", [{ ...change, modifications: [] }]],
    ["a second Connect", [connect, connect]],
    ["a session id that is none", [{ ...connect, sessionId: "me" }]],
    ["a timestamp that is none", [{ ...connect, maxObservedTimestamp: "AAAA" }]],
    [
      "a query set version that does not follow",
      [connect, { ...change, baseVersion: 3, newVersion: 4, modifications: [] }],
    ],
    ["a query set version that stands still", [connect, { ...change, newVersion: 0, modifications: [] }]],
    [
      "an identity version that does not follow",
      [connect, { type: "Authenticate", baseVersion: 1, tokenType: "None" }],
    ],
    ["a query id used twice", [connect, { ...change, modifications: [add, add] }]],
    ["a negative query id", [connect, { ...change, modifications: [{ ...add, queryId: -1 }] }]],
    ["arguments that are no object", [connect, { ...change, modifications: [{ ...add, args: [[]] }] }]],
    [
      "a fractional request id",
      [connect, { type: "Mutation", requestId: 0.5, udfPath: "notes:add", args: [{}] }],
    ],
    [
      "a component named without the admin key",
      [connect, { type: "Mutation", requestId: 0, udfPath: "lib:f", args: [{}], componentPath: "events" }],
    ],
    [
      "a live query of a component without the admin key",
      [connect, { ...change, modifications: [{ ...add, componentPath: "events" }] }],
    ],
  ])("%s", async (_name, messages) => {
    const bystander = await RawClient.connect(host);
    const client = await RawClient.open(host);
    for (const message of messages) client.send(message);
    expect(await client.nextOf("FatalError")).toMatchObject({ error: expect.any(String) as string });
    expect(await client.closed).toMatchObject({ code: 1008 });
    bystander.subscribe(0, 0, "notes:whoami", {});
    expect(await bystander.next()).toMatchObject({ type: "Transition" });
    bystander.socket.close();
  });

  test("a binary message", async () => {
    const client = await RawClient.connect(host);
    client.socket.send(Buffer.from("{}"));
    expect(await client.nextOf("FatalError")).toMatchObject({ error: "messages must be text" });
  });

  test("a message above the size limit", async () => {
    const client = await RawClient.connect(host);
    client.socket.on("error", () => undefined);
    client.send(" ".repeat(17 * 1024 * 1024));
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  test("a stop of the host, which asks the client to come back", async () => {
    const stopping = await hosts.start();
    const client = await RawClient.connect(stopping);
    client.mutate(0, "notes:add", { text: "before the stop" });
    await client.nextOf("MutationResponse");
    await stopping.stop();
    expect(await client.closed).toEqual({
      code: 1012,
      reason: "InternalServerError: the server is shutting down",
    });
  });

  test("a client that has seen a newer state is told to come back", async () => {
    const future = encodeTimestamp(2n ** 63n - 1n);
    const client = await RawClient.connect(host, { maxObservedTimestamp: future });
    expect(await client.closed).toMatchObject({
      code: 1011,
      reason: expect.stringMatching(/^InternalServerError/) as string,
    });
  });

  test.each(["https://evil.example", "null", "http://localhost.evil.example"])(
    "a page of %s can't open one at all",
    async (origin) => {
      await expect(RawClient.open(host, { headers: { origin } })).rejects.toThrow("403");
    },
  );

  test("a page of an allowed origin can", async () => {
    const client = await RawClient.open(host, { headers: { origin: "http://localhost:5173" } });
    client.socket.close();
  });
});
