/** The published bundles, read from their files as another language would, and held against what the index says. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ALGORITHMS_NOBLE } from "./algorithms.ts";
import { EVIDENCE_DAMAGE_KINDS } from "./judgeEvidence.ts";
import { auditCase } from "./testing/auditCase.ts";
import type { AuditCase, ToldVerdict } from "./testing/auditCase.ts";

interface BundleVector extends AuditCase {
  readonly file: string;
  readonly what: string;
  readonly verdict: ToldVerdict;
}

const FOLDER = join(import.meta.dirname, "..", "vectors");
const VECTORS = JSON.parse(readFileSync(join(FOLDER, "bundles.json"), "utf8")) as readonly BundleVector[];

test.each(VECTORS)("$file: $what", ({ file, verdict, ...asked }) => {
  const bytes = new Uint8Array(readFileSync(join(FOLDER, file)));
  expect(auditCase(bytes, asked, ALGORITHMS_NOBLE)).toEqual(verdict);
});

test("every row of the table has a bundle, and so has what was proven in part", () => {
  const kinds = new Set(VECTORS.map(({ verdict }) => verdict.kind));
  expect(EVIDENCE_DAMAGE_KINDS.filter((kind) => !kinds.has(kind))).toEqual([]);
  const inPart = VECTORS.filter(
    ({ verdict: { count, signedTo, provenTo } }) => provenTo > 0 && provenTo < signedTo && signedTo <= count,
  );
  expect(inPart.length).toBeGreaterThan(2);
});
