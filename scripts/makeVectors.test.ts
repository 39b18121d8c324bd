import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeVectors, VECTORS_FOLDER } from "./makeVectors.ts";

test("the committed vectors are what the code says", () => {
  for (const [path, text] of makeVectors()) {
    expect({ path, text: readFileSync(join(VECTORS_FOLDER, path), "utf8") }).toEqual({ path, text });
  }
});

test("no chain lies about that the index does not name", () => {
  const made = [...makeVectors().keys()].filter((path) => path.startsWith("chains/"));
  const present = readdirSync(join(VECTORS_FOLDER, "chains")).map((name) => `chains/${name}`);
  expect(present.sort()).toEqual(made.sort());
});
