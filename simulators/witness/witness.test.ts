import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { signCheckpoint } from "../../ledger/checkpoint.ts";
import { signNoble, verifyNoble } from "../../ledger/ed25519.ts";
import { EMPTY_FRONTIER, appendLeaf, frontierRoot, type Frontier } from "../../ledger/frontier.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { leafHash } from "../../ledger/merkle.ts";
import { signerKey } from "../../ledger/noteKeys.ts";
import { formatAddCheckpoint, readWitnessAnswer } from "../../ledger/witnessProtocol.ts";
import { CheckpointStore } from "./checkpointStore.ts";
import { answerAddCheckpoint, type Answer } from "./witness.ts";

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const LOG = signerKey("daybook.test/log", "note", seed(1), sha256Noble);
const WITNESS = signerKey("witness.test", "cosignature", seed(2), sha256Noble);
const ORIGIN = { kind: "log of logs", deployment: "daybook.test" } as const;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "daybook-witness-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const file = (): string => path.join(folder, "state.json");

function tree(...leaves: string[]): Frontier {
  return leaves.reduce(
    (frontier, leaf) =>
      appendLeaf(frontier, leafHash(new TextEncoder().encode(leaf), sha256Noble), sha256Noble).frontier,
    EMPTY_FRONTIER,
  );
}

function signed(frontier: Frontier, key = LOG): string {
  const head = { origin: ORIGIN, size: frontier.size, root: frontierRoot(frontier, sha256Noble) };
  return signCheckpoint(head, [key], signNoble);
}

/** Asks a witness that was started on this state just now. */
function ask(oldSize: number, proof: Uint8Array[], checkpoint: string): Answer {
  const store = new CheckpointStore(file());
  const body = formatAddCheckpoint({ oldSize, proof, checkpoint });
  return answerAddCheckpoint(body, { key: WITNESS, logs: [LOG], store, now: () => 1_800_000_000 });
}

const a = tree("a");
const ab = tree("a", "b");
const proofFromAToAb = [leafHash(new TextEncoder().encode("b"), sha256Noble)];

test("P a first checkpoint is cosigned, and one that is proven to follow it, also after a restart", () => {
  const first = signed(a);
  const answer = ask(0, [], first);
  expect(readWitnessAnswer(answer, first, [WITNESS], verifyNoble)).toMatchObject({
    kind: "cosigned",
    cosignatures: [{ time: 1_800_000_000 }],
  });
  expect(ask(1, proofFromAToAb, signed(ab)).status).toBe(200);
});

test("P a split view is refused: another tree of the same size, or one that does not begin with what was cosigned", () => {
  expect(ask(0, [], signed(a)).status).toBe(200);
  expect(ask(1, [], signed(tree("x")))).toMatchObject({ status: 409, body: "1\n" });
  expect(ask(0, [], signed(tree("x")))).toMatchObject({ status: 409, body: "1\n" });
  expect(ask(1, proofFromAToAb, signed(tree("x", "b"))).status).toBe(422);
  expect(new CheckpointStore(file()).lastOf("daybook.test/log")?.size).toBe(1);
});

test("P11 a log that was set back is refused with the size that the witness knows", () => {
  expect(ask(0, [], signed(ab)).status).toBe(200);
  expect(ask(0, [], signed(a))).toMatchObject({ status: 409, body: "2\n" });
  // Larger than what is offered: no proof leads back.
  expect(ask(2, [], signed(a)).status).toBe(400);
});

test("a log that it does not know is 404, a signature of another key 403, what is no request 400", () => {
  const stranger = signerKey("other.test/log", "note", seed(1), sha256Noble);
  const other = signCheckpoint(
    {
      origin: { kind: "log of logs", deployment: "other.test" },
      size: 1,
      root: frontierRoot(a, sha256Noble),
    },
    [stranger],
    signNoble,
  );
  expect(ask(0, [], other).status).toBe(404);
  expect(ask(0, [], signed(a, signerKey("daybook.test/log", "note", seed(9), sha256Noble))).status).toBe(403);
  expect(ask(0, [], "nonsense").status).toBe(400);
});

test("a damaged state ends the witness instead of beginning anew", () => {
  expect(ask(0, [], signed(a)).status).toBe(200);
  expect(readFileSync(file(), "utf8")).toContain("daybook.test/log");
  writeFileSync(file(), "{");
  expect(() => new CheckpointStore(file())).toThrow(SyntaxError);
});
