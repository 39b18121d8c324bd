/** The evidence's part of the published vectors, read from their files as another language would. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ALGORITHMS_NOBLE } from "./algorithms.ts";
import { hashFromHex } from "./bytes.ts";
import { openCheckpoint, parseCheckpoint } from "./checkpoint.ts";
import { verifyNoble } from "./ed25519.ts";
import { appendLeaf, EMPTY_FRONTIER, formatFrontier, frontierRoot } from "./frontier.ts";
import { sha256Noble, toHex } from "./hash.ts";
import type { Sha256 } from "./hash.ts";
import { logOfLogsData, logOfLogsLeafHash, verifyAnchor } from "./logOfLogs.ts";
import { evaluateQuorum, parsePolicy, pinnedKeys } from "./logPolicy.ts";
import type { LogPolicy, Quorum } from "./logPolicy.ts";
import { leafHash, verifyConsistency, verifyInclusion } from "./merkle.ts";
import { formatSignerKey, parseSignerKey, parseVerifierKey } from "./noteKeys.ts";
import type { VerifierKey } from "./noteKeys.ts";
import { formatOrigin, parseOrigin } from "./origin.ts";
import { verifyReceipt } from "./receipt.ts";
import { parseNote, verifyNote } from "./signedNote.ts";
import { decideAddCheckpoint } from "./witnessProtocol.ts";

const FOLDER = join(import.meta.dirname, "..", "vectors", "evidence");
const sha256Node: Sha256 = (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest());

function readCases(name: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, name), "utf8"));
}

function bytes(hex: string): Uint8Array {
  const hash = hashFromHex(hex);
  if (hash === undefined) throw new Error(`Not a hash: ${hex}`);
  return hash;
}

function keysOf(texts: readonly string[]): VerifierKey[] {
  return texts.map((text) => {
    const key = parseVerifierKey(text, sha256Noble);
    if (!key.ok) throw new Error(key.reason);
    return key.value;
  });
}

function policyOf(text: string): LogPolicy {
  const policy = parsePolicy(text, sha256Noble);
  if (!policy.ok) throw new Error(policy.reason);
  return policy.value;
}

describe.each([
  ["noble", sha256Noble],
  ["node", sha256Node],
])("with the SHA-256 of %s", (_name, sha256) => {
  test("trees, their frontiers and roots", () => {
    const tree = readCases("tree.json") as {
      leafData: string[];
      leafHashes: string[];
      heads: { size: number; frontier: string[]; root: string }[];
    };
    let frontier = EMPTY_FRONTIER;
    for (const [size, head] of tree.heads.entries()) {
      expect({ ...formatFrontier(frontier), root: toHex(frontierRoot(frontier, sha256)) }).toEqual(head);
      const data = tree.leafData[size];
      if (data === undefined) continue;
      const leaf = leafHash(bytes(data), sha256);
      expect(toHex(leaf)).toBe(tree.leafHashes[size]);
      frontier = appendLeaf(frontier, leaf, sha256).frontier;
    }
    expect(tree.heads).toHaveLength(34);
  });

  test("inclusion proofs", () => {
    const cases = readCases("inclusion.json") as {
      name: string;
      index: number;
      size: number;
      leafHash: string;
      root: string;
      proof: string[];
      valid: boolean;
    }[];
    for (const { name, leafHash: leaf, root, proof, valid, ...place } of cases) {
      const claim = { ...place, leafHash: bytes(leaf), root: bytes(root), proof: proof.map(bytes) };
      expect({ name, valid: verifyInclusion(claim, sha256) }).toEqual({ name, valid });
    }
    expect(cases.filter(({ valid }) => valid).length).toBe(36);
    expect(cases.filter(({ valid }) => !valid).length).toBe(214);
  });

  test("consistency proofs", () => {
    const cases = readCases("consistency.json") as {
      name: string;
      oldSize: number;
      newSize: number;
      oldRoot: string;
      newRoot: string;
      proof: string[];
      valid: boolean;
    }[];
    for (const { name, oldRoot, newRoot, proof, valid, ...sizes } of cases) {
      const claim = { ...sizes, oldRoot: bytes(oldRoot), newRoot: bytes(newRoot), proof: proof.map(bytes) };
      expect({ name, valid: verifyConsistency(claim, sha256) }).toEqual({ name, valid });
    }
    expect(cases.filter(({ valid }) => valid).length).toBe(91);
  });
});

interface KeyCase {
  readonly name: string;
  readonly text: string;
  readonly valid: boolean;
  readonly signer?: string;
  readonly keyName?: string;
  readonly keyId?: string;
  readonly kind?: string;
  readonly publicKey?: string;
}

test.each(readCases("keys.json") as KeyCase[])("key: $name", ({ text, valid, signer, ...parts }) => {
  const key = parseVerifierKey(text, sha256Noble);
  expect(key.ok).toBe(valid);
  if (!key.ok || signer === undefined) return;
  const { name, keyId, kind, publicKey } = key.value;
  expect({ keyName: name, keyId, kind, publicKey: toHex(publicKey) }).toEqual({
    keyName: parts.keyName,
    keyId: parts.keyId,
    kind: parts.kind,
    publicKey: parts.publicKey,
  });
  const secret = parseSignerKey(signer, sha256Noble);
  expect(secret).toMatchObject({ ok: true, value: key.value });
  if (secret.ok) expect(formatSignerKey(secret.value)).toBe(signer);
});

test.each(
  readCases("notes.json") as {
    name: string;
    note: string;
    keys: string[];
    valid: boolean;
    signers?: string[];
  }[],
)("note: $name", ({ note, keys, valid, signers }) => {
  const parsed = parseNote(note);
  const verified = parsed.ok ? verifyNote(parsed.value, keysOf(keys), verifyNoble) : parsed;
  expect(verified.ok).toBe(valid);
  expect(verified.ok ? verified.value.map(({ name }) => name) : undefined).toEqual(signers);
});

interface CheckpointCase {
  readonly name: string;
  readonly checkpoint: string;
  readonly logs: readonly string[];
  readonly witnesses: readonly string[];
  readonly valid: boolean;
  readonly origin?: string;
  readonly size?: number;
  readonly root?: string;
  readonly cosignatures?: readonly { readonly witness: string; readonly time: number }[];
}

test.each(readCases("checkpoints.json") as CheckpointCase[])("checkpoint: $name", (vector) => {
  const pinned = { logs: keysOf(vector.logs), witnesses: keysOf(vector.witnesses) };
  const opened = openCheckpoint(vector.checkpoint, pinned, ALGORITHMS_NOBLE);
  expect(opened.ok).toBe(vector.valid);
  if (!opened.ok) return;
  const { checkpoint, cosignatures } = opened.value;
  expect({
    origin: formatOrigin(checkpoint.origin),
    size: checkpoint.size,
    root: toHex(checkpoint.root),
    cosignatures: cosignatures.map(({ witness, time }) => ({ witness: witness.name, time })),
  }).toEqual({
    origin: vector.origin,
    size: vector.size,
    root: vector.root,
    cosignatures: vector.cosignatures,
  });
});

interface WitnessCase {
  readonly name: string;
  readonly body: string;
  readonly logs: readonly string[];
  readonly last: { readonly size: number; readonly root: string } | null;
  readonly status: number;
  readonly size?: number;
}

test.each(readCases("witness.json") as WitnessCase[])(
  "witness: $name",
  ({ body, logs, last, status, size }) => {
    const lastOf = (name: string) => {
      const origin = parseOrigin(name);
      if (origin === undefined) throw new Error(`Not an origin: ${name}`);
      return last === null ? undefined : { origin, size: last.size, root: bytes(last.root) };
    };
    const decision = decideAddCheckpoint(body, lastOf, keysOf(logs), ALGORITHMS_NOBLE);
    expect(decision.status).toBe(status);
    expect("size" in decision ? decision.size : undefined).toBe(size);
  },
);

function quorumNames(quorum: Quorum): string[] {
  if (quorum.kind === "group") return quorum.members.flatMap(quorumNames);
  return quorum.kind === "witness" ? [quorum.witness.name] : [];
}

interface PolicyCase {
  readonly name: string;
  readonly policy: string;
  readonly valid: boolean;
  readonly quorums?: readonly { readonly cosigned: readonly string[]; readonly met: boolean }[];
}

test.each(readCases("policies.json") as PolicyCase[])("policy: $name", ({ policy, valid, quorums }) => {
  expect(parsePolicy(policy, sha256Noble).ok).toBe(valid);
  for (const { cosigned, met } of quorums ?? []) {
    const { witnesses, ...rest } = policyOf(policy);
    expect(witnesses.map(({ name }) => name)).toEqual(expect.arrayContaining(quorumNames(rest.quorum)));
    const cosignatures = witnesses
      .filter(({ name }) => cosigned.includes(name))
      .map(({ key }) => ({
        witness: key,
        time: 1,
        signature: { name: key.name, keyId: key.keyId, signature: new Uint8Array(72) },
      }));
    expect(evaluateQuorum({ witnesses, ...rest }, cosignatures).isMet).toBe(met);
  }
});

test("leaves of the log of logs", () => {
  const cases = readCases("log-of-logs.json") as { checkpoint: string; data: string; leafHash: string }[];
  expect(cases).toHaveLength(3);
  for (const { checkpoint, data, leafHash: leaf } of cases) {
    const parsed = parseCheckpoint(checkpoint);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(toHex(logOfLogsData(parsed.value, sha256Noble))).toBe(data);
    expect(toHex(logOfLogsLeafHash(parsed.value, sha256Noble))).toBe(leaf);
  }
});

test.each(
  readCases("anchors.json") as {
    name: string;
    anchor: string;
    policy: string;
    valid: boolean;
    index?: number;
    size?: number;
  }[],
)("anchor: $name", ({ anchor, policy, valid, index, size }) => {
  const verified = verifyAnchor(anchor, pinnedKeys(policyOf(policy)), ALGORITHMS_NOBLE);
  expect(verified.ok).toBe(valid);
  const value = verified.ok ? verified.value : undefined;
  expect([value?.index, value?.organisation.checkpoint.size]).toEqual([index, size]);
});

test.each(
  readCases("receipts.json") as {
    name: string;
    receipt: string;
    policy: string;
    valid: boolean;
    seq?: number;
    hash?: string;
  }[],
)("receipt: $name", ({ receipt, policy, valid, seq, hash }) => {
  const verified = verifyReceipt(receipt, policyOf(policy), ALGORITHMS_NOBLE);
  expect(verified.ok).toBe(valid);
  const value = verified.ok ? verified.value : undefined;
  expect([value?.event.seq, value?.hash]).toEqual([seq, hash]);
});
