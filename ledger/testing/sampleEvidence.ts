/** A made-up deployment's evidence, the same on every run: keys, trees, checkpoints, cosignatures, receipts. */
import { formatCheckpoint, signCheckpoint } from "../checkpoint.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { cosign } from "../cosignature.ts";
import { signNoble } from "../ed25519.ts";
import { sha256Noble } from "../hash.ts";
import type { Sha256 } from "../hash.ts";
import { logOfLogsLeafHash } from "../logOfLogs.ts";
import { eventLeafHash } from "../merkle.ts";
import { inclusionPath, proofFromPath } from "../merkleProof.ts";
import { formatVerifierKey, signerKey } from "../noteKeys.ts";
import type { KeyKind, SignerKey } from "../noteKeys.ts";
import { formatOrigin } from "../origin.ts";
import type { Origin } from "../origin.ts";
import { formatAnchoredReceipt, formatReceipt } from "../receipt.ts";
import { formatNote, parseNote } from "../signedNote.ts";
import type { LedgerEntry } from "../verify.ts";
import { naiveRoot, sha256Of } from "./naiveTree.ts";
import { SAMPLE_ORG_ID, sampleEvents, sampleId, seal } from "./sampleLedger.ts";

export const DEPLOYMENT = "daybook.example";
export const ORG_ORIGIN: Origin = { kind: "organisation", deployment: DEPLOYMENT, orgId: SAMPLE_ORG_ID };
export const LOG_ORIGIN: Origin = { kind: "log of logs", deployment: DEPLOYMENT };
/** 2026-01-06 08:00 UTC, in seconds. */
export const COSIGNED_AT = 1_767_686_400;

/** A key whose secret is the hash of a text: for tests and vectors alone. */
export function sampleKey(name: string, kind: KeyKind, secret = name): SignerKey {
  return signerKey(name, kind, sha256Of(`daybook sample key ${secret}`), sha256Noble);
}

/** The deployment's one secret key, under the name of each of its logs. */
export const deploymentKey = (name: string = DEPLOYMENT): SignerKey => sampleKey(name, "note", DEPLOYMENT);
export const WITNESSES = ["a", "b", "c"].map((letter) =>
  sampleKey(`witness-${letter}.example`, "cosignature"),
);

/** A policy with the deployment's key and any two of the three witnesses. */
export function samplePolicy(quorum = "most"): string {
  const lines = [
    "# Two of three witnesses.",
    `log ${formatVerifierKey(deploymentKey())}`,
    ...WITNESSES.map((key, at) => `witness ${"abc".charAt(at)} ${formatVerifierKey(key)}`),
    "group most 2 a b c",
    `quorum ${quorum}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** A tree of leaf hashes with its signed and cosigned heads. */
export class SampleLog {
  readonly origin: Origin;
  readonly leaves: readonly Uint8Array[];

  constructor(origin: Origin, leaves: readonly Uint8Array[]) {
    this.origin = origin;
    this.leaves = leaves;
  }

  checkpoint(size = this.leaves.length): Checkpoint {
    return { origin: this.origin, size, root: naiveRoot(this.leaves.slice(0, size)) };
  }

  /** Published: signed by the deployment's key, cosigned by these witnesses. */
  published(size = this.leaves.length, witnesses: readonly SignerKey[] = []): string {
    const signed = signCheckpoint(
      this.checkpoint(size),
      [deploymentKey(formatOrigin(this.origin))],
      signNoble,
    );
    return cosigned(signed, witnesses);
  }

  /** Everything of a proof file but what it proves. */
  proof(
    index: number,
    witnesses: readonly SignerKey[] = [],
    size = this.leaves.length,
  ): { readonly index: number; readonly proof: Uint8Array[]; readonly checkpoint: string } {
    const nodeAt = ({ level, index: at }: { readonly level: number; readonly index: number }) =>
      naiveRoot(this.leaves.slice(at * 2 ** level, (at + 1) * 2 ** level));
    const proof = proofFromPath(inclusionPath(index, size), nodeAt, sha256Noble);
    return { index, proof, checkpoint: this.published(size, witnesses) };
  }
}

/** A published checkpoint with one more line for each witness. */
export function cosigned(published: string, witnesses: readonly SignerKey[], time = COSIGNED_AT): string {
  const note = parseNote(published);
  if (!note.ok) throw new Error(note.reason);
  const lines = witnesses.map((key, at) => cosign(note.value.text, time + at, key, signNoble));
  return formatNote({ text: note.value.text, signatures: [...note.value.signatures, ...lines] });
}

/** The entries of the sample ledger. */
export function sampleEntries(sha256: Sha256): LedgerEntry[] {
  return sampleEvents(sha256).map((event) => seal(event, sha256));
}

/** The sample ledger's log. */
export function organisationLog(): SampleLog {
  const entries = sampleEntries(sha256Noble);
  return new SampleLog(
    ORG_ORIGIN,
    entries.map(({ hash }) => eventLeafHash(hash, sha256Noble)),
  );
}

/** Where the sample organisation's checkpoint of all its events stands in the log of logs. */
export const ANCHOR_INDEX = 3;

/** Seven checkpoints of two organisations, the sample's at `ANCHOR_INDEX`. */
export function logOfLogs(): SampleLog {
  const ours = organisationLog();
  const theirs: Origin = { kind: "organisation", deployment: DEPLOYMENT, orgId: sampleId("org", 2) };
  const checkpoints = Array.from({ length: 7 }, (_, at): Checkpoint => {
    if (at === ANCHOR_INDEX) return ours.checkpoint();
    return at % 2 === 0
      ? ours.checkpoint(at + 1)
      : { origin: theirs, size: at, root: sha256Of(`their root ${at}`) };
  });
  return new SampleLog(
    LOG_ORIGIN,
    checkpoints.map((checkpoint) => logOfLogsLeafHash(checkpoint, sha256Noble)),
  );
}

/** A direct receipt of the sample ledger's event `seq`. */
export function directReceipt(seq: number, witnesses: readonly SignerKey[] = []): string {
  const text = sampleEntries(sha256Noble)[seq - 1]?.text ?? "";
  return formatReceipt(text, organisationLog().proof(seq - 1, witnesses));
}

/** The same event's anchored receipt: the witnesses cosigned the log of logs alone. */
export function anchoredReceipt(seq: number, witnesses: readonly SignerKey[] = []): string {
  return formatAnchoredReceipt(directReceipt(seq), logOfLogs().proof(ANCHOR_INDEX, witnesses));
}

/** The text of the note of the sample organisation's checkpoint. */
export const sampleText = (): string => formatCheckpoint(organisationLog().checkpoint());
