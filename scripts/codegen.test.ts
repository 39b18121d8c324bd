import { execFile } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SOURCES, staleFiles } from "./codegen.ts";

const REPOSITORY = path.resolve(import.meta.dirname, "..");

let project: string;

beforeAll(() => {
  project = mkdtempSync(path.join(os.tmpdir(), "daybook-codegen-test-"));
  for (const source of SOURCES) {
    cpSync(path.join(REPOSITORY, source), path.join(project, source), { recursive: true });
  }
});

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

test("the committed files are what the functions say", async () => {
  const run = promisify(execFile)(process.execPath, ["scripts/codegen.ts", "--check"], { cwd: REPOSITORY });
  expect((await run).stdout).toContain("what the functions say");
});

test("a changed, a missing and a left over file are each named, and those of a component with a new function", async () => {
  appendFileSync(path.join(project, "convex/_generated/api.d.ts"), "export type Edited = never;\n");
  rmSync(path.join(project, "convex/events/_generated/dataModel.ts"));
  writeFileSync(path.join(project, "convex/_generated/old.ts"), "export {};\n");
  writeFileSync(
    path.join(project, "convex/events/count.ts"),
    `import { v } from "convex/values";
     import { query } from "./_generated/server.ts";
     export const added = query({ args: { n: v.int64() }, returns: v.int64(), handler: (_ctx, { n }) => n });`,
  );
  expect(await staleFiles(project)).toEqual([
    "convex/_generated/api.d.ts",
    "convex/_generated/old.ts",
    "convex/events/_generated/api.ts",
    "convex/events/_generated/component.ts",
    "convex/events/_generated/dataModel.ts",
  ]);
});

test("functions that fail to load are named, with their own error", async () => {
  writeFileSync(path.join(project, "convex/broken.ts"), 'throw new Error("no luck today");\nexport {};\n');
  await expect(staleFiles(project)).rejects.toThrow(/broken\.js failed to load: no luck today/);
});
