import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
import { newDataDir, openFixture, removeDataDirs } from "../testing/testEngine.ts";

afterAll(removeDataDirs);

const SCRIPT = path.join(import.meta.dirname, "../testing/crashingFiles.ts");

type Said = { stored?: string; text?: string; removing?: string; removed?: string };

/** Lets the host work until it has said this much, kills it, and returns everything it said. */
async function killAfter(dataDir: string, lines: number): Promise<Said[]> {
  const child = spawn(process.execPath, [SCRIPT, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const said: Said[] = [];
  for await (const line of createInterface(child.stdout)) {
    said.push(JSON.parse(line) as Said);
    if (said.length === lines) child.kill("SIGKILL");
  }
  return said;
}

test("a kill at any time loses no stored file, brings back no deleted one and leaves no bytes", async () => {
  const dataDir = newDataDir();
  const stored = new Map<string, string>();
  const maybeGone = new Set<string>();
  for (const lines of [40, 121, 203]) {
    for (const { stored: id, text = "", removing, removed } of await killAfter(dataDir, lines)) {
      if (id !== undefined) stored.set(id, text);
      if (removing !== undefined) maybeGone.add(removing);
      if (removed !== undefined) stored.delete(removed);
    }
    const host = await openFixture("app", { dataDir });
    const rows = (await host.query("files:rows")) as { _id: string }[];
    const ids = new Set(rows.map(({ _id }) => _id));
    for (const [id, text] of stored) {
      if (maybeGone.has(id) && !ids.has(id)) stored.delete(id);
      else expect(await host.action("files:read", { id })).toMatchObject({ text });
    }
    for (const id of maybeGone) expect(ids.has(id)).toBe(stored.has(id));
    // Closing waits for the bytes of deleted files to be gone.
    await host.engine.close();
    expect(readdirSync(path.join(dataDir, "files"))).toHaveLength(rows.length);
  }
  expect(stored.size).toBeGreaterThan(10);
});
