/** Bundles of earlier starts: used again only while what they were made of, and they themselves, are as they were. */
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BundleCache } from "./bundleCache.ts";

let folder: string;
let input: string;
let made: number;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "daybook-bundles-"));
  input = path.join(folder, "input.ts");
  writeFileSync(input, "1");
  made = 0;
  // What has just changed is not kept.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const cache = (): BundleCache => new BundleCache(path.join(folder, "cache"));

async function bundled(): Promise<string> {
  const bundle = await cache().get("key", () => {
    made += 1;
    return Promise.resolve({ text: `made of ${readFileSync(input, "utf8")}`, inputs: [input] });
  });
  return bundle.text;
}

function fileOf(pattern: RegExp): string {
  const name = readdirSync(path.join(folder, "cache")).find((each) => pattern.test(each));
  if (name === undefined) throw new Error(`no file like ${String(pattern)}`);
  return path.join(folder, "cache", name);
}

test("is made once while its files are as they were", async () => {
  expect([await bundled(), await bundled(), made]).toEqual(["made of 1", "made of 1", 1]);
});

test("is made anew when a file has changed, also to the same length and time", async () => {
  await bundled();
  writeFileSync(input, "2");
  utimesSync(input, new Date(0), new Date(0));
  expect([await bundled(), made]).toEqual(["made of 2", 2]);
});

test("is not kept when a file has just changed, which may have been while it was read", async () => {
  writeFileSync(input, "2");
  await bundled();
  expect([await bundled(), made]).toEqual(["made of 2", 2]);
});

test("is made anew when what was kept is not what was made", async () => {
  await bundled();
  appendFileSync(fileOf(/\.js$/), " and more");
  expect([await bundled(), made]).toEqual(["made of 1", 2]);
});

test("what V8 compiled is given back as it was kept, and not at all when it is damaged", async () => {
  const data = Buffer.from("compiled");
  expect(await cache().compiled("ab")).toBeUndefined();
  await cache().keepCompiled("ab", data);
  expect(await cache().compiled("ab")).toEqual(data);
  const file = fileOf(/^compiled-/);
  const damaged = readFileSync(file);
  damaged[damaged.length - 1] = 0;
  writeFileSync(file, damaged);
  expect(await cache().compiled("ab")).toBeUndefined();
});
