import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeVectors, VECTORS_FOLDER } from "./makeVectors.ts";

test("the committed vectors are what the code says", () => {
  for (const [path, text] of makeVectors()) {
    expect({ path, text: readFileSync(join(VECTORS_FOLDER, path), "utf8") }).toEqual({ path, text });
  }
});

test.each(["chains", "bundles"])("nothing lies in %s that the index does not name", (folder) => {
  const made = [...makeVectors().keys()].filter((path) => path.startsWith(`${folder}/`));
  const present = readdirSync(join(VECTORS_FOLDER, folder)).map((name) => `${folder}/${name}`);
  expect(present.sort()).toEqual(made.sort());
});
