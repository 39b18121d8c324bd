/** The proofs that transparency-dev/merkle publishes: every one it accepts is accepted, every other refused. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sha256Noble } from "./hash.ts";
import { verifyConsistency, verifyInclusion } from "./merkle.ts";

const FOLDER = join(import.meta.dirname, "testdata", "merkle");

interface InclusionCase {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string;
  readonly leafHash: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

interface ConsistencyCase {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

function readCases<Case>(kind: string): [string, Case][] {
  return readdirSync(join(FOLDER, kind), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => [name, JSON.parse(readFileSync(join(FOLDER, kind, name), "utf8")) as Case]);
}

/** The data holds byte strings of other lengths than a hash's, so it is not read as hashes. */
const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));
const proofOf = (proof: readonly string[] | null) => (proof ?? []).map(bytes);

const INCLUSION = readCases<InclusionCase>("inclusion");
const CONSISTENCY = readCases<ConsistencyCase>("consistency");

test("196 published proofs are read, 12 of them sound", () => {
  const all = [...INCLUSION, ...CONSISTENCY];
  expect([all.length, all.filter(([, { wantErr }]) => !wantErr).length]).toEqual([196, 12]);
});

test.each(INCLUSION)("inclusion %s", (_name, { leafIdx, treeSize, wantErr, ...rest }) => {
  const claim = {
    index: leafIdx,
    size: treeSize,
    root: bytes(rest.root),
    leafHash: bytes(rest.leafHash),
    proof: proofOf(rest.proof),
  };
  expect(verifyInclusion(claim, sha256Noble)).toBe(!wantErr);
});

test.each(CONSISTENCY)("consistency %s", (_name, { size1, size2, wantErr, ...rest }) => {
  const claim = {
    oldSize: size1,
    newSize: size2,
    oldRoot: bytes(rest.root1),
    newRoot: bytes(rest.root2),
    proof: proofOf(rest.proof),
  };
  expect(verifyConsistency(claim, sha256Noble)).toBe(!wantErr);
});
