/** What of files outlives an engine, and what a start, a deletion and a failed commit remove. */
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { matching } from "../testing/matchers.ts";
import { admitted, namesIn, sha256, tokenIn, until, upload } from "../testing/testFiles.ts";
import { ADMIN, openFixture, removeDataDirs, type TestEngine } from "../testing/testEngine.ts";
import { newSnapshotPath } from "./backupSnapshots.ts";

const COUNTER = { identity: ADMIN, componentPath: "counter" };

afterAll(removeDataDirs);

describe("across restarts", () => {
  async function reopened({ engine, dataDir }: TestEngine): Promise<TestEngine> {
    await engine.close();
    return await openFixture("app", { dataDir });
  }

  test("files, URLs and upload URLs stay good", async () => {
    const first = await openFixture();
    const url = await first.mutation("files:uploadUrl");
    const id = await upload(first, url, "kept", "text/plain");
    const link = await first.query("files:url", { id });
    const second = await reopened(first);
    expect(await second.query("files:url", { id })).toBe(link);
    expect(await second.action("files:read", { id })).toMatchObject({ text: "kept" });
    expect(await upload(second, url, "later", null)).toEqual(matching(/^[a-z0-9]{32}$/));
    await second.engine.close();
  });

  test("an upload URL of a component that is not there any more is good for nothing", async () => {
    const first = await openFixture();
    const token = tokenIn(await first.mutation("pictures:uploadUrl", {}, COUNTER));
    expect(await first.engine.files.admitUpload(token)).toMatchObject({ ok: true });
    await first.engine.close();
    const second = await openFixture("cron", { dataDir: first.dataDir });
    expect(await second.engine.files.admitUpload(token)).toEqual({ ok: false, reason: "invalid" });
    await second.engine.close();
  });

  test("what a crash left without a row is removed, and nothing else", async () => {
    const first = await openFixture();
    const id = await upload(first, await first.mutation("files:uploadUrl"), "kept", null);
    const kept = namesIn(first);
    const foreign = ["note.txt", "lost+found"];
    for (const name of [
      "0b9c4e57-8f0e-4d9a-9d0c-0d5a3e1f2a3b",
      "0b9c4e57-8f0e-4d9a-9d0c-0d5a3e1f2a3c.part",
      ...foreign,
    ]) {
      writeFileSync(path.join(first.dataDir, "files", name), "left over");
    }
    // An upload that was admitted and cut off by the crash.
    writeFileSync((await admitted(first, await first.mutation("files:uploadUrl"))).path, "half");
    const second = await reopened(first);
    expect(namesIn(second).sort()).toEqual([...kept, ...foreign].sort());
    expect(second.logged).toContainEqual(expect.objectContaining({ files: 3 }));
    expect(await second.action("files:read", { id })).toMatchObject({ text: "kept" });
    await second.engine.close();
  });

  test("bytes that a deletion could not remove any more go at a start after the backup", async () => {
    const first = await openFixture();
    const id = await upload(first, await first.mutation("files:uploadUrl"), "doomed", null);
    const snapshot = newSnapshotPath(first.dataDir);
    writeFileSync(snapshot, "");
    await first.mutation("files:remove", { id });
    // Closing waits for the attempt to remove them.
    await first.engine.close();
    expect(namesIn(first)).toHaveLength(1);
    const second = await openFixture("app", { dataDir: first.dataDir });
    await second.engine.close();
    expect(namesIn(first)).toHaveLength(1);
    rmSync(snapshot);
    const third = await openFixture("app", { dataDir: first.dataDir });
    await until(() => namesIn(third).length === 0);
    await third.engine.close();
  });
});

test("while a backup runs, deleted bytes stay; the next deletion after it takes them along", async () => {
  const own = await openFixture();
  const url = await own.mutation("files:uploadUrl");
  const [first, second] = [await upload(own, url, "first", null), await upload(own, url, "second", null)];
  const snapshot = newSnapshotPath(own.dataDir);
  writeFileSync(snapshot, "");
  await own.mutation("files:remove", { id: first });
  expect(await own.query("files:row", { id: first })).toBeNull();
  // Two reads between commits: the removal had its turn before the second one.
  await own.query("files:rows");
  expect(namesIn(own)).toHaveLength(2);
  rmSync(snapshot);
  await own.mutation("files:remove", { id: second });
  await until(() => namesIn(own).length === 0);
  await own.engine.close();
});

test("a commit that fails leaves no bytes", async () => {
  const own = await openFixture();
  const late = await admitted(own, await own.mutation("files:uploadUrl"));
  writeFileSync(late.path, "too late");
  await own.engine.close();
  const content = { size: 8, sha256: sha256("too late"), contentType: null };
  await expect(own.engine.files.commitUpload(late, content)).rejects.toThrow("shutting down");
  expect(namesIn(own)).toEqual([]);
});

test("a commit that is asked for again and then fails takes nothing from the stored file", async () => {
  const own = await openFixture();
  const first = await admitted(own, await own.mutation("files:uploadUrl"));
  writeFileSync(first.path, "kept");
  const content = { size: 4, sha256: sha256("kept"), contentType: null };
  const id = await own.engine.files.commitUpload(first, content);
  await own.engine.close();
  await expect(own.engine.files.commitUpload(first, content)).rejects.toThrow("shutting down");
  const again = await openFixture("app", { dataDir: own.dataDir });
  expect(await again.action("files:read", { id })).toMatchObject({ text: "kept" });
  await again.engine.close();
});
