/** The vectors of trees, notes, checkpoints, witnesses, policies and receipts; `makeVectors.ts` writes them. */
import { toBase64 } from "../ledger/bytes.ts";
import { formatCheckpoint } from "../ledger/checkpoint.ts";
import { signNoble } from "../ledger/ed25519.ts";
import { appendLeaf, EMPTY_FRONTIER, formatFrontier, frontierRoot } from "../ledger/frontier.ts";
import { sha256Noble, toHex } from "../ledger/hash.ts";
import { formatAnchor, logOfLogsData, logOfLogsLeafHash } from "../ledger/logOfLogs.ts";
import { consistencyPath, inclusionPath, proofFromPath } from "../ledger/merkleProof.ts";
import { formatSignerKey, formatVerifierKey } from "../ledger/noteKeys.ts";
import type { SignerKey } from "../ledger/noteKeys.ts";
import { formatOrigin } from "../ledger/origin.ts";
import { formatAnchoredReceipt, formatReceipt } from "../ledger/receipt.ts";
import { formatNote, parseNote, signNote } from "../ledger/signedNote.ts";
import { leafData, naiveLeaf, naiveRoot } from "../ledger/testing/naiveTree.ts";
import {
  ANCHOR_INDEX,
  anchoredReceipt,
  cosigned,
  deploymentKey,
  directReceipt,
  LOG_ORIGIN,
  logOfLogs,
  ORG_ORIGIN,
  organisationLog,
  sampleEntries,
  sampleKey,
  samplePolicy,
  WITNESSES,
} from "../ledger/testing/sampleEvidence.ts";
import { formatAddCheckpoint } from "../ledger/witnessProtocol.ts";
import { POLICY_CASES } from "./policyCases.ts";

const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 32, 33];
const LEAVES = Array.from({ length: 33 }, (_, index) => naiveLeaf(leafData(index)));
const LOG = organisationLog();
const SIZE = LOG.leaves.length;
const TWO = WITNESSES.slice(0, 2);
const vkeys = (keys: readonly SignerKey[]) => keys.map(formatVerifierKey);

const nodeAt = ({ level, index }: { readonly level: number; readonly index: number }) =>
  naiveRoot(LEAVES.slice(index * 2 ** level, (index + 1) * 2 ** level));

/** The same text with its one occurrence of a part replaced: a damage that changed nothing would be no damage. */
function replaceOnce(text: string, part: string | RegExp, by: string): string {
  const changed = text.replace(part, by);
  if (changed === text) throw new Error(`Nothing to damage: ${String(part)}`);
  return changed;
}

function flip(hash: Uint8Array): Uint8Array {
  return hash.with(hash.length - 1, (hash.at(-1) ?? 0) ^ 1);
}

function treeVectors(): object {
  let frontier = EMPTY_FRONTIER;
  const heads = [{ ...formatFrontier(frontier), root: toHex(frontierRoot(frontier, sha256Noble)) }];
  for (const leaf of LEAVES) {
    frontier = appendLeaf(frontier, leaf, sha256Noble).frontier;
    heads.push({ ...formatFrontier(frontier), root: toHex(frontierRoot(frontier, sha256Noble)) });
  }
  return { leafData: LEAVES.map((_, index) => toHex(leafData(index))), leafHashes: LEAVES.map(toHex), heads };
}

interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

function inclusionVectors(): object[] {
  const cases: [string, Inclusion, boolean][] = [];
  for (const size of SIZES) {
    for (const index of new Set([0, Math.floor(size / 2), size - 1])) {
      const leafHash = LEAVES[index] ?? new Uint8Array(0);
      const proof = proofFromPath(inclusionPath(index, size), nodeAt, sha256Noble);
      const claim = { index, size, leafHash, root: naiveRoot(LEAVES.slice(0, size)), proof };
      const place = `leaf ${index} of ${size}`;
      cases.push([place, claim, true]);
      cases.push([`${place}: another leaf`, { ...claim, leafHash: flip(leafHash) }, false]);
      cases.push([`${place}: another root`, { ...claim, root: flip(claim.root) }, false]);
      cases.push([`${place}: the next index`, { ...claim, index: index + 1 }, false]);
      cases.push([`${place}: a hash more`, { ...claim, proof: [...proof, claim.root] }, false]);
      if (proof.length === 0) continue;
      cases.push([`${place}: a hash less`, { ...claim, proof: proof.slice(0, -1) }, false]);
      cases.push([`${place}: a changed hash`, { ...claim, proof: proof.map(flip) }, false]);
    }
  }
  return cases.map(([name, { leafHash, root, proof, ...place }, valid]) => {
    return { name, ...place, leafHash: toHex(leafHash), root: toHex(root), proof: proof.map(toHex), valid };
  });
}

interface Consistency {
  readonly oldSize: number;
  readonly newSize: number;
  readonly oldRoot: Uint8Array;
  readonly newRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

function consistencyVectors(): object[] {
  const cases: [string, Consistency, boolean][] = [];
  const rootOf = (size: number) => naiveRoot(LEAVES.slice(0, size));
  for (const [oldSize, newSize] of SIZES.flatMap((old) => SIZES.map((size) => [old, size] as const))) {
    if (oldSize > newSize) continue;
    const proof = proofFromPath(consistencyPath(oldSize, newSize), nodeAt, sha256Noble);
    const claim = { oldSize, newSize, oldRoot: rootOf(oldSize), newRoot: rootOf(newSize), proof };
    const place = `${oldSize} to ${newSize}`;
    cases.push([place, claim, true]);
    cases.push([`${place}: another old root`, { ...claim, oldRoot: flip(claim.oldRoot) }, false]);
    cases.push([`${place}: another new root`, { ...claim, newRoot: flip(claim.newRoot) }, false]);
    cases.push([`${place}: a hash more`, { ...claim, proof: [...proof, claim.oldRoot] }, false]);
    if (proof.length > 0) cases.push([`${place}: a hash less`, { ...claim, proof: proof.slice(1) }, false]);
  }
  const empty = { oldSize: 0, newSize: 3, oldRoot: rootOf(0), newRoot: rootOf(3), proof: [] };
  cases.push(["0 to 3: from nothing nothing is proven", empty, false]);
  return cases.map(([name, { oldRoot, newRoot, proof, ...sizes }, valid]) => {
    return {
      name,
      ...sizes,
      oldRoot: toHex(oldRoot),
      newRoot: toHex(newRoot),
      proof: proof.map(toHex),
      valid,
    };
  });
}

function keyVectors(): object[] {
  const keys = [
    deploymentKey(),
    deploymentKey(formatOrigin(ORG_ORIGIN)),
    deploymentKey(formatOrigin(LOG_ORIGIN)),
  ];
  const good = [...keys, ...WITNESSES].map((key) => ({
    name: `${key.name} for a ${key.kind}`,
    text: formatVerifierKey(key),
    valid: true,
    signer: formatSignerKey(key),
    keyName: key.name,
    keyId: key.keyId,
    kind: key.kind,
    publicKey: toHex(key.publicKey),
  }));
  const text = formatVerifierKey(deploymentKey());
  const damaged: [string, string][] = [
    ["another name", replaceOnce(text, "daybook", "daybooks")],
    ["another id", replaceOnce(text, /\+[0-9a-f]{8}\+/, "+00000000+")],
    ["no name", text.slice(text.indexOf("+"))],
    ["a name with a space", replaceOnce(text, "daybook", "day book")],
    ["an unknown signature type", `k+00000000+${toBase64(new Uint8Array([2, ...new Uint8Array(32)]))}`],
    ["a public key of 31 bytes", `k+00000000+${toBase64(new Uint8Array([1, ...new Uint8Array(31)]))}`],
    ["a newline at its end", `${text}\n`],
    ["another public key", replaceOnce(text, /.$/, text.endsWith("A") ? "B" : "A")],
  ];
  return [...good, ...damaged.map(([name, changed]) => ({ name, text: changed, valid: false }))];
}

function noteVectors(): object[] {
  const ann = sampleKey("ann.example", "note");
  const ben = sampleKey("ben.example", "note");
  const text = "First line.\n\nThird line, after an empty one.\n";
  const [byAnn, byBen] = [signNote(text, ann, signNoble), signNote(text, ben, signNoble)];
  const note = formatNote({ text, signatures: [byAnn, byBen] });
  const keys = vkeys([ann, ben]);
  const swapped = formatNote({ text, signatures: [{ ...byAnn, signature: byBen.signature }, byBen] });
  return [
    { name: "two signers", note, keys, valid: true, signers: [ann.name, ben.name] },
    { name: "one known signer", note, keys: vkeys([ben]), valid: true, signers: [ben.name] },
    { name: "no known signer", note, keys: [], valid: false },
    { name: "a known signer's signature is another's", note: swapped, keys, valid: false },
    { name: "the text was changed", note: replaceOnce(note, "First", "Other"), keys, valid: false },
    { name: "a namesake's key", note, keys: vkeys([sampleKey("ann.example", "note", "x")]), valid: false },
    { name: "no blank line", note: note.replaceAll("\n\n", "\n"), keys, valid: false },
    { name: "no newline at the end", note: note.slice(0, -1), keys, valid: false },
    { name: "a line more at the end", note: `${note}\n`, keys, valid: false },
    { name: "CR LF", note: note.replaceAll("\n", "\r\n"), keys, valid: false },
    { name: "a tab in the text", note: replaceOnce(note, "First", "\tFirst"), keys, valid: false },
    { name: "a hyphen for the dash", note: note.replaceAll("\u2014", "-"), keys, valid: false },
    { name: "base 64 with a space", note: replaceOnce(note, /\n$/, " \n"), keys, valid: false },
  ];
}

function checkpointVectors(): object[] {
  const published = LOG.published();
  const origin = formatOrigin(ORG_ORIGIN);
  const logs = vkeys([deploymentKey()]);
  const witnesses = vkeys(WITNESSES);
  const text = formatCheckpoint(LOG.checkpoint());
  const resigned = (changed: string) =>
    formatNote({ text: changed, signatures: [signNote(changed, deploymentKey(origin), signNoble)] });
  const good = (name: string, checkpoint: string, cosigners: readonly SignerKey[], size = SIZE) => {
    const { root } = LOG.checkpoint(size);
    const cosignatures = cosigners.map(({ name: witness }, at) => ({ witness, time: 1_767_686_400 + at }));
    return { name, checkpoint, logs, witnesses, valid: true, origin, size, root: toHex(root), cosignatures };
  };
  const bad = (name: string, checkpoint: string) => ({ name, checkpoint, logs, witnesses, valid: false });
  const forged = replaceOnce(LOG.published(SIZE, TWO), /(?<=\u2014 witness-b\.example \S{16})./, "_");
  return [
    good("signed", published, []),
    good("of five events", LOG.published(5), [], 5),
    good("of the empty ledger", LOG.published(0), [], 0),
    good("cosigned by two witnesses", LOG.published(SIZE, TWO), TWO),
    {
      ...good("signed by the pinned key of this one origin", published, []),
      logs: vkeys([deploymentKey(origin)]),
    },
    { ...bad("signed by nobody who is known", published), logs: [] },
    {
      ...bad("pinned under another deployment's name", published),
      logs: vkeys([deploymentKey("other.example")]),
    },
    {
      ...bad("pinned under another origin", published),
      logs: vkeys([deploymentKey(formatOrigin(LOG_ORIGIN))]),
    },
    bad("another size", replaceOnce(published, `\n${SIZE}\n`, `\n${SIZE + 1}\n`)),
    bad("a leading zero", resigned(replaceOnce(text, `\n${SIZE}\n`, `\n0${SIZE}\n`))),
    bad("an extension line", resigned(`${text}extension\n`)),
    bad("a root of 31 bytes", resigned(`${origin}\n5\n${toBase64(new Uint8Array(31))}\n`)),
    bad("an empty tree with another root", resigned(`${origin}\n0\n${toBase64(new Uint8Array(32))}\n`)),
    bad("an origin of another form", resigned(replaceOnce(text, "/org/", "/orgs/"))),
    bad("a witness's signature that is no base 64", forged),
    bad("a cosignature over another checkpoint", foreignCosignature()),
  ];
}

/** The whole checkpoint with witness a's cosignature of an older one. */
function foreignCosignature(): string {
  const [older, newer] = [parseNote(LOG.published(5, WITNESSES.slice(0, 1))), parseNote(LOG.published())];
  if (!older.ok || !newer.ok) throw new Error("The sample's checkpoints are notes.");
  const signatures = [...newer.value.signatures, ...older.value.signatures.slice(1)];
  return formatNote({ text: newer.value.text, signatures });
}

function witnessVectors(): object[] {
  const logs = vkeys([deploymentKey()]);
  const leafAt = ({ level, index }: { readonly level: number; readonly index: number }) =>
    naiveRoot(LOG.leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
  const proofFrom = (size: number) => proofFromPath(consistencyPath(size, SIZE), leafAt, sha256Noble);
  const last = (size: number) => ({ size, root: toHex(LOG.checkpoint(size).root) });
  const offer = (oldSize: number, proof: readonly Uint8Array[], checkpoint = LOG.published()) =>
    formatAddCheckpoint({ oldSize, proof, checkpoint });
  const forked = { size: 5, root: toHex(leafData(1)) };
  return [
    { name: "the first checkpoint", body: offer(0, []), logs, last: null, status: 200 },
    { name: "a consistent one", body: offer(5, proofFrom(5)), logs, last: last(5), status: 200 },
    { name: "the same again", body: offer(SIZE, []), logs, last: last(SIZE), status: 200 },
    { name: "from another size", body: offer(5, proofFrom(5)), logs, last: last(7), status: 409, size: 7 },
    {
      name: "from a size, to a witness that knows none",
      body: offer(5, proofFrom(5)),
      logs,
      last: null,
      status: 409,
      size: 0,
    },
    {
      name: "the same size with another root",
      body: offer(SIZE, []),
      logs,
      last: { ...last(SIZE), root: forked.root },
      status: 409,
      size: SIZE,
    },
    { name: "a proof too short", body: offer(5, proofFrom(5).slice(1)), logs, last: last(5), status: 422 },
    { name: "a split view", body: offer(5, proofFrom(5)), logs, last: forked, status: 422 },
    { name: "a proof from nothing", body: offer(0, proofFrom(5)), logs, last: null, status: 422 },
    { name: "an unknown log", body: offer(0, []), logs: [], last: null, status: 404 },
    {
      name: "a known log, an unknown key",
      body: offer(0, []),
      logs: vkeys([sampleKey("daybook.example", "note", "x")]),
      last: null,
      status: 403,
    },
    { name: "an old size above the new one", body: offer(SIZE + 1, []), logs, last: last(SIZE), status: 400 },
    {
      name: "an old size with a leading zero",
      body: replaceOnce(offer(5, proofFrom(5)), "old 5", "old 05"),
      logs,
      last: last(5),
      status: 400,
    },
    { name: "no blank line", body: offer(0, []).replaceAll("\n\n", "\n"), logs, last: null, status: 400 },
  ];
}

function logOfLogsVectors(): object[] {
  return [1, 5, SIZE].map((size) => {
    const checkpoint = LOG.checkpoint(size);
    return {
      checkpoint: formatCheckpoint(checkpoint),
      data: toHex(logOfLogsData(checkpoint, sha256Noble)),
      leafHash: toHex(logOfLogsLeafHash(checkpoint, sha256Noble)),
    };
  });
}

function anchorVectors(): object[] {
  const proof = logOfLogs().proof(ANCHOR_INDEX, TWO);
  const anchor = formatAnchor(LOG.published(), proof);
  const policy = samplePolicy();
  return [
    { name: "the sample's checkpoint", anchor, policy, valid: true, index: ANCHOR_INDEX, size: SIZE },
    { name: "another checkpoint", anchor: formatAnchor(LOG.published(7), proof), policy, valid: false },
    { name: "another index", anchor: replaceOnce(anchor, "index 3", "index 2"), policy, valid: false },
    {
      name: "a checkpoint of the log itself",
      anchor: formatAnchor(logOfLogs().published(), proof),
      policy,
      valid: false,
    },
    { name: "no pinned key", anchor, policy: "quorum none\n", valid: false },
  ];
}

function receiptVectors(): object[] {
  const policy = samplePolicy();
  const keysAlone = samplePolicy("none");
  const { text = "", hash = "" } = sampleEntries(sha256Noble)[3] ?? {};
  const good = { valid: true, seq: 4, hash };
  const direct = directReceipt(4, TWO);
  const anchored = anchoredReceipt(4, TWO);
  const bad = (name: string, receipt: string, under = policy) => ({
    name,
    receipt,
    policy: under,
    valid: false,
  });
  const damagedInner = formatAnchoredReceipt(
    replaceOnce(directReceipt(4), "index 3", "index 2"),
    logOfLogs().proof(ANCHOR_INDEX, TWO),
  );
  return [
    { name: "direct, cosigned by two", receipt: direct, policy, ...good },
    { name: "direct, no witness asked for", receipt: directReceipt(4), policy: keysAlone, ...good },
    { name: "anchored, the log of logs cosigned by two", receipt: anchored, policy, ...good },
    bad("direct, cosigned by one of two", directReceipt(4, WITNESSES.slice(0, 1))),
    bad("anchored, cosigned by nobody", anchoredReceipt(4)),
    bad("no pinned key", direct, "quorum none\n"),
    bad("another index", replaceOnce(direct, "index 3", "index 2")),
    bad("the event of another index", formatReceipt(text, LOG.proof(4)), keysAlone),
    bad("a changed event", formatReceipt(replaceOnce(text, "cor-", "car-"), LOG.proof(3)), keysAlone),
    bad("an event that is not canonical", formatReceipt(` ${text}`, LOG.proof(3)), keysAlone),
    bad("no extra", replaceOnce(direct, /extra .*\n/, "")),
    bad("another header", replaceOnce(direct, "@v1", "@v2")),
    bad("a changed checkpoint", replaceOnce(direct, `\n${SIZE}\n`, `\n${SIZE + 1}\n`)),
    bad(
      "an older organisation's checkpoint than the anchored",
      formatAnchoredReceipt(formatReceipt(text, LOG.proof(3, [], 9)), logOfLogs().proof(ANCHOR_INDEX, TWO)),
    ),
    bad("a damaged receipt inside", damagedInner),
    bad("a cosignature of another time", receiptWithLaterTime(direct)),
  ];
}

/** The first witness's line claims one second more than it signed. */
function receiptWithLaterTime(receipt: string): string {
  const later = cosigned(LOG.published(), WITNESSES.slice(0, 1));
  const line = /\u2014 witness-a\.example (\S+)\n/.exec(later);
  const bytes = Buffer.from(line?.[1] ?? "", "base64");
  bytes.writeUInt8((bytes[11] ?? 0) ^ 1, 11);
  return replaceOnce(receipt, line?.[1] ?? "", bytes.toString("base64"));
}

/** Every generated file of evidence: its path below `vectors/`, and its content. */
export function evidenceVectors(): Map<string, unknown> {
  return new Map<string, unknown>([
    ["evidence/tree.json", treeVectors()],
    ["evidence/inclusion.json", inclusionVectors()],
    ["evidence/consistency.json", consistencyVectors()],
    ["evidence/keys.json", keyVectors()],
    ["evidence/notes.json", noteVectors()],
    ["evidence/checkpoints.json", checkpointVectors()],
    ["evidence/witness.json", witnessVectors()],
    ["evidence/policies.json", POLICY_CASES],
    ["evidence/log-of-logs.json", logOfLogsVectors()],
    ["evidence/anchors.json", anchorVectors()],
    ["evidence/receipts.json", receiptVectors()],
  ]);
}
