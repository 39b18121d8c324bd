/** One question to both implementations: what the library in `ledger/` says, in the words of `verify.py cases`. */
import { hash } from "node:crypto";
import { ALGORITHMS_NOBLE } from "../../ledger/algorithms.ts";
import { parseEntry } from "../../ledger/bundle.ts";
import { openCheckpoint } from "../../ledger/checkpoint.ts";
import { verifyNoble } from "../../ledger/ed25519.ts";
import type { Ed25519Verify } from "../../ledger/ed25519.ts";
import { appendLeaf, EMPTY_FRONTIER, frontierRoot } from "../../ledger/frontier.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import type { Sha256 } from "../../ledger/hash.ts";
import { parsePolicy } from "../../ledger/logPolicy.ts";
import { eventLeafHash } from "../../ledger/merkle.ts";
import { parseVerifierKey } from "../../ledger/noteKeys.ts";
import type { VerifierKey } from "../../ledger/noteKeys.ts";
import { verifyReceipt } from "../../ledger/receipt.ts";
import { auditCase } from "../../ledger/testing/auditCase.ts";
import type { PythonCase } from "./pythonVerifier.ts";

const sha256: Sha256 = (bytes) => hash("sha256", bytes, "buffer");

function keysOf(texts: readonly string[]): VerifierKey[] {
  return texts.map((text) => {
    const key = parseVerifierKey(text, sha256Noble);
    if (!key.ok) throw new Error(key.reason);
    return key.value;
  });
}

/** Signatures are drawn again and again. */
const verified = new Map<string, boolean>();
const verify: Ed25519Verify = (signature, message, publicKey) => {
  const name = [signature, message, publicKey].map(toHex).join();
  const known = verified.get(name) ?? verifyNoble(signature, message, publicKey);
  verified.set(name, known);
  return known;
};

/** The root of the tree of an export's first entries, in hexadecimal. */
function rootOf(bytes: Uint8Array, count: number): string {
  const text = Buffer.from(bytes).toString("utf8");
  const { evidence = 0 } = JSON.parse(text.slice(0, text.indexOf("\n"))) as { evidence?: number };
  const lines = text.split("\n", 1 + evidence + count).slice(1 + evidence);
  let frontier = EMPTY_FRONTIER;
  for (const line of lines) {
    const parsed = parseEntry(line);
    if (!parsed.ok) throw new Error(parsed.reason);
    frontier = appendLeaf(frontier, eventLeafHash(parsed.entry.hash, sha256Noble), sha256Noble).frontier;
  }
  return toHex(frontierRoot(frontier, sha256Noble));
}

function answerBundle({ bytes: encoded, ...asked }: Extract<PythonCase, { kind: "bundle" }>): object {
  const bytes = new Uint8Array(Buffer.from(encoded, "base64"));
  const verdict = auditCase(bytes, asked, { sha256, verify });
  return "headHash" in verdict ? { ...verdict, root: rootOf(bytes, verdict.count) } : verdict;
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
