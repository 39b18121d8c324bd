import { readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { convexTest } from "convex-test";
import { makeFunctionReference } from "convex/server";
import type { Value } from "convex/values";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import schema from "../../fixtures/app/convex/schema.ts";
import { containing } from "../testing/matchers.ts";
import { admitted, keyIn, namesIn, sha256, textOf, tokenIn, until, upload } from "../testing/testFiles.ts";
import { ADMIN, openFixture, PUBLIC_URL, removeDataDirs, type TestEngine } from "../testing/testEngine.ts";

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
const COUNTER = { identity: ADMIN, componentPath: "counter" };
let host: TestEngine;

beforeAll(async () => {
  host = await openFixture();
});

afterEach(() => {
  vi.useRealTimers();
});

afterAll(async () => {
  await host.engine.close();
  removeDataDirs();
});

async function stored(text: string, contentType: string | null = "text/plain"): Promise<string> {
  return await upload(host, await host.mutation("files:uploadUrl"), text, contentType);
}

describe("an uploaded file", () => {
  test("has a row, a URL with a key of its own, and its bytes", async () => {
    const id = await stored("first");
    expect(await host.query("files:row", { id })).toEqual({
      _id: id,
      _creationTime: expect.any(Number) as unknown,
      sha256: sha256("first"),
      size: 5,
      contentType: "text/plain",
    });
    const url = await host.query("files:url", { id });
    expect(url).toMatch(new RegExp(`^${PUBLIC_URL}/api/storage/${UUID}$`));
    expect(url).not.toContain(id);
    const found = await host.engine.files.find(keyIn(url));
    expect(found).toMatchObject({ size: 5, sha256: sha256("first"), contentType: "text/plain" });
    expect(readFileSync(found?.path ?? "", "utf8")).toBe("first");
    expect(statSync(path.join(host.dataDir, "files")).mode & 0o777).toBe(0o700);
  });

  test("of no type says so, and is first in the newest rows", async () => {
    const id = await stored("typeless", null);
    expect(await host.query("files:row", { id })).toMatchObject({ contentType: null });
    expect(await host.query("files:rows")).toMatchObject([{ _id: id }, {}]);
  });

  test("shows its metadata in the old form, whose id is good wherever an id is", async () => {
    const id = await stored("old form");
    const key = keyIn(await host.query("files:url", { id }));
    const hex = Buffer.from(sha256("old form"), "base64").toString("hex");
    const metadata = { storageId: key, sha256: hex, size: 8, contentType: "text/plain" };
    expect(await host.query("files:metadata", { id })).toEqual(metadata);
    expect(await host.query("files:metadata", { id: key })).toEqual(metadata);
    expect(await host.action("files:read", { id: key })).toMatchObject({ text: "old form" });
  });

  test("appears in a live query of the table, and its live URL goes with it", async () => {
    const rows = await host.watch("files:rows");
    const before = ((await rows.refresh()) as Value[]).length;
    const id = await stored("live");
    await rows.until((value) => (value as Value[]).length === before + 1);
    const url = await host.watch("files:url", { id });
    await host.mutation("files:remove", { id });
    expect(await url.until((value) => value === null)).toBeNull();
    rows.close();
    url.close();
  });
});

describe("an upload URL", () => {
  test("comes from mutations and actions, and is another each time", async () => {
    const urls = [
      await host.mutation("files:uploadUrl"),
      await host.mutation("files:uploadUrl"),
      await host.action("files:uploadUrlInAction"),
    ];
    expect(new Set(urls).size).toBe(3);
    for (const url of urls) {
      expect(url).toEqual(containing(`${PUBLIC_URL}/api/storage/upload?token=`));
      expect(await host.engine.files.admitUpload(tokenIn(url))).toMatchObject({ ok: true });
    }
  });

  test("takes more than one upload, each to a file of its own", async () => {
    const url = await host.mutation("files:uploadUrl");
    const [first, second] = [await upload(host, url, "one", null), await upload(host, url, "two", null)];
    expect(first).not.toBe(second);
    expect(await host.action("files:read", { id: second })).toMatchObject({ text: "two" });
  });

  test("is good for an hour", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const startMs = Date.now();
    const token = tokenIn(await host.mutation("files:uploadUrl"));
    vi.setSystemTime(startMs + 3_598_000);
    expect(await host.engine.files.admitUpload(token)).toMatchObject({ ok: true });
    vi.setSystemTime(startMs + 3_601_000);
    expect(await host.engine.files.admitUpload(token)).toEqual({ ok: false, reason: "expired" });
  });

  test("can't be made up, changed, or taken from another host", async () => {
    const token = tokenIn(await host.mutation("files:uploadUrl"));
    const parts = token.split(".");
    const other = await openFixture();
    const foreign = tokenIn(await other.mutation("files:uploadUrl"));
    await other.engine.close();
    const changed = parts.map((part, at) =>
      parts.with(at, (part.startsWith("A") ? "B" : "A") + part.slice(1)).join("."),
    );
    for (const bad of ["", "x", "a.b.c.d.e", token.slice(0, -2), foreign, ...changed]) {
      expect(await host.engine.files.admitUpload(bad)).toEqual({ ok: false, reason: "invalid" });
    }
  });
});

test("an upload that is committed again is the same file", async () => {
  const first = await admitted(host, await host.mutation("files:uploadUrl"));
  writeFileSync(first.path, "once");
  const content = { size: 4, sha256: sha256("once"), contentType: null };
  const id = await host.engine.files.commitUpload(first, content);
  expect(await host.engine.files.commitUpload(first, content)).toBe(id);
  expect(await host.action("files:read", { id })).toMatchObject({ text: "once" });
  const unwritten = await admitted(host, await host.mutation("files:uploadUrl"));
  await expect(host.engine.files.commitUpload(unwritten, content)).rejects.toThrow("ENOENT");
});

describe("an action", () => {
  test("stores a blob and reads it back", async () => {
    const id = await host.action("files:store", { text: "by an action", type: "Text/HTML; Charset=utf-8" });
    expect(await host.query("files:row", { id })).toMatchObject({
      size: 12,
      sha256: sha256("by an action"),
      contentType: "text/html;charset=utf-8",
    });
    const read = await host.action("files:read", { id });
    expect(read).toEqual({ text: "by an action", type: "text/html;charset=utf-8", isBlob: true });
    const found = await host.engine.files.find(keyIn(await host.query("files:url", { id })));
    expect(statSync(found?.path ?? "").mode & 0o777).toBe(0o600);
  });

  test("is held to the hash that it gives, and leaves nothing when it is wrong", async () => {
    const before = namesIn(host);
    const right = await host.action("files:store", { text: "a", sha256: sha256("a") });
    expect(await host.query("files:url", { id: right })).not.toBeNull();
    await expect(host.action("files:store", { text: "a", sha256: sha256("b") })).rejects.toThrow(
      `Sha256 mismatch. Expected: ${sha256("b")} Actual: ${sha256("a")}`,
    );
    await expect(host.action("files:store", { text: "a", sha256: "beef" })).rejects.toThrow("in base64");
    expect(namesIn(host)).toHaveLength(before.length + 1);
  });

  test("stores nothing larger than the limit, and nothing but a Blob", async () => {
    const before = namesIn(host);
    await expect(host.action("files:store", { text: "x".repeat((1 << 20) + 1) })).rejects.toThrow(
      "at most 1048576 bytes",
    );
    await expect(host.action("files:storeNoBlob")).rejects.toThrow("store() expects a Blob");
    expect(namesIn(host)).toEqual(before);
    const id = await host.action("files:store", { text: "x".repeat(1 << 20) });
    expect(await host.query("files:row", { id })).toMatchObject({ size: 1 << 20 });
  });

  test("deletes what it stored, and a blob that it has already stays whole", async () => {
    const life = { hadUrl: true, text: "short life", after: null, blobAfter: null };
    expect(await host.action("files:life")).toEqual(life);
    const id = await stored("gone by an action");
    await host.action("files:removeInAction", { id });
    expect(await host.action("files:read", { id })).toBeNull();
  });

  test("over HTTP has files too", async () => {
    const store = new Request("https://site.example/stored", { method: "POST", body: "over HTTP" });
    const answer = await host.engine.httpAction(store, { kind: "anonymous" }, "r");
    const { id } = (await answer?.json()) as { id: string };
    expect(await host.query("files:row", { id })).toMatchObject({ contentType: "text/plain;charset=utf-8" });
    const read = new Request(`https://site.example/stored?id=${id}`);
    const back = await host.engine.httpAction(read, { kind: "anonymous" }, "r");
    expect(await back?.text()).toBe("over HTTP");
    expect(back?.headers.get("content-type")).toBe("text/plain;charset=utf-8");
  });
});

describe("a mutation", () => {
  test("neither stores nor reads bytes, as on the platform", async () => {
    const id = await stored("not for mutations");
    await expect(host.mutation("files:storeInMutation")).rejects.toThrow("Please use an action, or");
    await expect(host.mutation("files:getInMutation", { id })).rejects.toThrow("Please use an action.");
  });

  test("deletes row and bytes, at once and for good", async () => {
    const id = await stored("to be deleted");
    const key = keyIn(await host.query("files:url", { id }));
    expect(await host.mutation("files:remove", { id })).toBeNull();
    expect(await host.query("files:row", { id })).toBeNull();
    expect(await host.query("files:metadata", { id })).toBeNull();
    expect(await host.engine.files.find(key)).toBeNull();
    await until(() => !namesIn(host).includes(key));
    await expect(host.mutation("files:remove", { id })).rejects.toThrow(`storage id ${id} not found`);
    await expect(host.mutation("files:remove", { id: key })).rejects.toThrow(`storage id ${key} not found`);
  });

  test("that fails deletes nothing", async () => {
    const id = await stored("stays");
    await expect(host.mutation("files:remove", { id, fail: true })).rejects.toThrow("after all");
    expect(await host.action("files:read", { id })).toMatchObject({ text: "stays" });
  });
});

test("a query can't write, whatever it calls", async () => {
  const id = await stored("read only");
  for (const operation of ["1.0/storageDelete", "1.0/storageGenerateUploadUrl"]) {
    await expect(host.query("files:writeInQuery", { operation, id })).rejects.toThrow("Only mutations can");
  }
  expect(await host.action("files:read", { id })).toMatchObject({ text: "read only" });
});

test("convex-test, where it has files, answers the same", async () => {
  const platform = convexTest({
    schema,
    modules: {
      "./convex/_generated/server.js": () => Promise.resolve({}),
      "./convex/files.ts": () => import("../../fixtures/app/convex/files.ts"),
    },
  } as never);
  const there = {
    query: (name: string, args: object): Promise<Value> =>
      platform.query(makeFunctionReference<"query">(name), args) as Promise<Value>,
    action: (name: string, args: object): Promise<Value> =>
      platform.action(makeFunctionReference<"action">(name), args) as Promise<Value>,
  };
  const seen: unknown[] = [];
  for (const side of [host, there]) {
    const id = await side.action("files:store", { text: "the same" });
    const { sha256: hash, size } = (await side.query("files:row", { id })) as {
      sha256: string;
      size: number;
    };
    const url = textOf(await side.query("files:url", { id }));
    seen.push({
      ...{ hash, size, hasUrl: url.includes("/api/storage/") },
      read: await side.action("files:read", { id }),
      life: await side.action("files:life", {}),
    });
  }
  expect(seen[0]).toEqual(seen[1]);
  expect(seen[0]).toMatchObject({ hash: sha256("the same"), size: 8, hasUrl: true });
});

test("what is no id of a file is refused in the platform's words", async () => {
  const note = await host.mutation("notes:add", { room: "r", text: "no file" });
  await expect(host.query("files:url", { id: "x" })).rejects.toThrow(
    'Invalid argument `storageId` for `storage.getUrl`: Invalid storage ID: "x".',
  );
  for (const [kind, name] of [
    ["query", "files:url"],
    ["query", "files:metadata"],
    ["mutation", "files:remove"],
    ["action", "files:read"],
  ] as const) {
    await expect(host[kind](name, { id: note })).rejects.toThrow("any table other than '_storage'");
  }
  const unknown = "00000000-0000-4000-8000-000000000000";
  expect(await host.query("files:url", { id: unknown })).toBeNull();
  expect(await host.engine.files.find(unknown)).toBeNull();
  expect(await host.engine.files.find("../daybook.sqlite")).toBeNull();
});

test("a component has files of its own, and neither side reaches the other's", async () => {
  const mine = await stored("the app's");
  const theirs = await upload(host, await host.mutation("pictures:uploadUrl", {}, COUNTER), "theirs", null);
  expect(await host.query("pictures:count", {}, COUNTER)).toBe(1);
  expect(await host.query("pictures:count", {}, { ...COUNTER, componentPath: "otherCounter" })).toBe(0);
  const url = await host.query("pictures:url", { id: theirs }, COUNTER);
  expect(await host.engine.files.find(keyIn(url))).toMatchObject({ size: 6 });
  for (const [id, name, options] of [
    [mine, "pictures:url", COUNTER],
    [theirs, "files:url", {}],
  ] as const) {
    await expect(host.query(name, { id }, options)).rejects.toThrow("any table other than '_storage'");
  }
  const myKey = keyIn(await host.query("files:url", { id: mine }));
  expect(await host.query("pictures:url", { id: myKey }, COUNTER)).toBeNull();
  await expect(host.mutation("files:remove", { id: keyIn(url) })).rejects.toThrow("not found");
});

test("operators see the rows, and not where the bytes are", async () => {
  await stored("for operators");
  const read = (name: string): Promise<{ rows: readonly string[] }> =>
    host.engine.inspection.readTable({ componentPath: "", name }, { order: "desc", cursor: null, limit: 1 });
  expect((await read("_storage")).rows).toEqual([containing(sha256("for operators"))]);
  for (const name of ["_stored_files", "_discarded_files"]) expect((await read(name)).rows).toEqual([]);
  expect(host.engine.inspection.tables("")).not.toContain("_storage");
});
