/** One question to both implementations: what the library in `ledger/` says, in the words of `verify.py cases`. */
import { hash } from "node:crypto";
import { ALGORITHMS_NOBLE } from "../../ledger/algorithms.ts";
import { parseEntry } from "../../ledger/bundle.ts";
import { openCheckpoint } from "../../ledger/checkpoint.ts";
import { verifyNoble } from "../../ledger/ed25519.ts";
import { appendLeaf, EMPTY_FRONTIER, frontierRoot } from "../../ledger/frontier.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import type { Sha256 } from "../../ledger/hash.ts";
import { parsePolicy } from "../../ledger/logPolicy.ts";
import { eventLeafHash } from "../../ledger/merkle.ts";
import { parseVerifierKey } from "../../ledger/noteKeys.ts";
import type { VerifierKey } from "../../ledger/noteKeys.ts";
import { verifyReceipt } from "../../ledger/receipt.ts";
import { verifyBytes } from "../../ledger/testing/verifyCase.ts";
import type { PythonCase } from "./pythonVerifier.ts";

const sha256: Sha256 = (bytes) => hash("sha256", bytes, "buffer");

function keysOf(texts: readonly string[]): VerifierKey[] {
  return texts.map((text) => {
    const key = parseVerifierKey(text, sha256Noble);
    if (!key.ok) throw new Error(key.reason);
    return key.value;
  });
}

/** The root of the tree of a bundle's first entries, in hexadecimal. */
function rootOf(bytes: Uint8Array, count: number): string {
  const lines = Buffer.from(bytes)
    .toString("utf8")
    .split("\n", 1 + count)
    .slice(1);
  let frontier = EMPTY_FRONTIER;
  for (const line of lines) {
    const parsed = parseEntry(line);
    if (!parsed.ok) throw new Error(parsed.reason);
    frontier = appendLeaf(frontier, eventLeafHash(parsed.entry.hash, sha256Noble), sha256Noble).frontier;
  }
  return toHex(frontierRoot(frontier, sha256Noble));
}

function answerBundle({ bytes: encoded, ...heads }: Extract<PythonCase, { kind: "bundle" }>): object {
  const bytes = new Uint8Array(Buffer.from(encoded, "base64"));
  const verdict = verifyBytes(bytes, sha256, heads);
  if (verdict.result === "not a bundle") return { result: verdict.result };
  const { result, count, headHash, damage } = verdict;
  const found = damage === undefined ? {} : { seq: damage.seq, kind: damage.kind };
  const sound = headHash === undefined ? {} : { headHash, root: rootOf(bytes, count) };
  return { result, ...found, count, ...sound };
}

function answerReceipt({ receipt, policy: text }: Extract<PythonCase, { kind: "receipt" }>): object {
  const policy = parsePolicy(text, sha256Noble);
  const verified = policy.ok ? verifyReceipt(receipt, policy.value, ALGORITHMS_NOBLE) : policy;
  if (!verified.ok) return { result: "refused" };
  return { result: "proven", seq: verified.value.event.seq, hash: verified.value.hash };
}

function answerCheckpoint(asked: Extract<PythonCase, { kind: "checkpoint" }>): object {
  const pinned = { logs: keysOf(asked.logs), witnesses: keysOf(asked.witnesses) };
  const opened = openCheckpoint(asked.checkpoint, pinned, ALGORITHMS_NOBLE);
  if (!opened.ok) return { result: "refused" };
  const { checkpoint, cosignatures } = opened.value;
  return { result: "opened", size: checkpoint.size, times: cosignatures.map(({ time }) => time) };
}

/** The library's answer. */
export function askLibrary(asked: PythonCase): object {
  switch (asked.kind) {
    case "bundle":
      return answerBundle(asked);
    case "receipt":
      return answerReceipt(asked);
    case "checkpoint":
      return answerCheckpoint(asked);
    case "signature": {
      const [signature, message, publicKey] = [asked.signature, asked.message, asked.publicKey].map(
        (hex) => new Uint8Array(Buffer.from(hex, "hex")),
      );
      const isValid = verifyNoble(
        signature ?? new Uint8Array(),
        message ?? new Uint8Array(),
        publicKey ?? new Uint8Array(),
      );
      return { result: isValid ? "valid" : "invalid" };
    }
  }
}
