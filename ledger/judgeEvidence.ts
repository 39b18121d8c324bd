/**
 * Holds the evidence of a bundle against its events, the pinned keys and what the auditor trusted before. The chain is
 * verified elsewhere (`verify.ts`); this is about whether it is the one that others saw.
 *
 * Checkpoints are judged by size. Each must be the organisation's, lie within the ledger, have the root of the tree of
 * its events, and bear no false signature of a known key. Then the anchors, then the trusted checkpoint. The first
 * fault by position decides; its position is the first sequence that no agreeing checkpoint below it covers, and what
 * lies at or above it counts for nothing.
 */
import type { Algorithms } from "./algorithms.ts";
import { areEqualBytes, toBase64 } from "./bytes.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { BundledAnchor, BundleEvidence, ReadCheckpoint } from "./evidenceLines.ts";
import { logOfLogsLeafHash } from "./logOfLogs.ts";
import { describeQuorum } from "./logPolicy.ts";
import { verifyInclusion } from "./merkle.ts";
import { formatOrigin } from "./origin.ts";
import type { TreeRoots } from "./treeRoots.ts";
import { vouchersOf } from "./trust.ts";
import type { Trust, Vouchers } from "./trust.ts";

export const EVIDENCE_DAMAGE_KINDS = [
  "checkpoint mismatch",
  "split view",
  "rolled back",
  "foreign organisation",
  "forged signature",
  "unsigned",
  "not cosigned",
] as const;
export type EvidenceDamageKind = (typeof EVIDENCE_DAMAGE_KINDS)[number];

export interface EvidenceDamage {
  readonly kind: EvidenceDamageKind;
  readonly seq: number;
  readonly expected: string;
  readonly found: string;
}

/** A checkpoint that agrees with the ledger's events. */
export interface AgreeingCheckpoint extends Vouchers {
  readonly read: ReadCheckpoint;
  readonly size: number;
  /** Milliseconds since the epoch, the server's word; of the trusted checkpoint it is not known. */
  readonly at?: number;
  /** Its place in the log of logs, when the bundle proves one. */
  readonly anchor?: Vouchers & { readonly log: Checkpoint; readonly index: number };
}

export interface EvidenceVerdict {
  /** By size. */
  readonly checkpoints: readonly AgreeingCheckpoint[];
  /** Events 1 to this are in a checkpoint that a pinned key signed. */
  readonly signedTo: number;
  /** Events 1 to this are in one that meets the quorum as well. */
  readonly provenTo: number;
  readonly damage?: EvidenceDamage;
}

export interface JudgeOptions {
  readonly orgId: string;
  /** Events whose chain is sound. */
  readonly count: number;
  /** Whether the chain is sound to its end: then a larger checkpoint means that events are gone. */
  readonly isWhole: boolean;
  /** Of the sound events, at the sizes that `wantedSizes` names. */
  readonly roots: TreeRoots;
  readonly trust: Trust;
  readonly algorithms: Algorithms;
}

/** The sizes at which the tree's root is needed. */
export function wantedSizes(evidence: BundleEvidence, { since }: Trust): number[] {
  const own = evidence.checkpoints.map(({ checkpoint }) => checkpoint.size);
  const anchored = evidence.anchors.map(({ organisation }) => organisation.checkpoint.size);
  return [...own, ...anchored, ...(since === undefined ? [] : [since.checkpoint.size])];
}

type Fault = Omit<EvidenceDamage, "seq">;

class Judge {
  readonly #options: JudgeOptions;
  readonly #agreeing = new Map<number, AgreeingCheckpoint>();
  readonly #logs = new Map<number, Checkpoint>();
  #damage: EvidenceDamage | undefined;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  judge(evidence: BundleEvidence): EvidenceVerdict {
    for (const { at, ...read } of evidence.checkpoints) {
      if (!this.#judgeCheckpoint(read, at)) break;
    }
    for (const anchor of evidence.anchors) {
      if (!this.#judgeAnchor(anchor)) break;
    }
    this.#judgeSince();
    // What was proven ends in front of the fault.
    const end = this.#damage?.seq ?? Number.POSITIVE_INFINITY;
    const checkpoints = [...this.#agreeing.values()]
      .filter(({ size }) => size < end)
      .sort((left, right) => left.size - right.size);
    const signedTo = checkpoints.findLast(({ signers }) => signers.length > 0)?.size ?? 0;
    const provenTo = checkpoints.findLast(isProven)?.size ?? 0;
    this.#judgeWhole(checkpoints);
    const damage = this.#damage;
    return { checkpoints, signedTo, provenTo, ...(damage === undefined ? {} : { damage }) };
  }

  /** Whether the judging may go on to larger ones. */
  #judgeCheckpoint(read: ReadCheckpoint, at?: number): boolean {
    const { size } = read.checkpoint;
    const { isWhole, count, trust, algorithms } = this.#options;
    // What lies behind the damage of a chain can't be held against anything.
    if (size > count && !isWhole) return false;
    const fault = this.#findFault(read);
    if (fault !== undefined) return this.#note(fault, size);
    const vouching = vouchersOf(read, trust.policy, algorithms);
    if (vouching.kind === "forged") {
      const expected = "signatures of the keys that are named";
      return this.#note({ kind: "forged signature", expected, found: vouching.reason }, size);
    }
    // Of several of one size the first counts.
    if (!this.#agreeing.has(size)) {
      this.#agreeing.set(size, { read, size, ...vouching.vouchers, ...(at === undefined ? {} : { at }) });
    }
    return true;
  }

  #findFault({ checkpoint }: ReadCheckpoint): Fault | undefined {
    const { orgId, count, roots } = this.#options;
    const { origin, size, root } = checkpoint;
    if (origin.kind !== "organisation" || origin.orgId !== orgId) {
      return {
        kind: "foreign organisation",
        expected: orgId,
        found: `a checkpoint of ${formatOrigin(origin)}`,
      };
    }
    if (size > count) {
      return {
        kind: "rolled back",
        expected: `the ${size} events of a checkpoint`,
        found: `${count} events`,
      };
    }
    const own = roots.at(size)?.root ?? new Uint8Array(0);
    if (areEqualBytes(own, root)) return undefined;
    const expected = `root ${toBase64(root)} of ${size} events, as in the checkpoint`;
    return { kind: "checkpoint mismatch", expected, found: `root ${toBase64(own)}` };
  }

  /** Keeps the fault that lies lowest, of several the first. Always false: it ends its list. */
  #note(fault: Fault, size: number): false {
    // Where events are gone, all that are left are sound.
    const sound = fault.kind === "rolled back" ? this.#options.count : this.#agreeingBelow(size);
    const seq = sound + 1;
    if (this.#damage === undefined || seq < this.#damage.seq) {
      const { kind, expected, found } = fault;
      this.#damage = { kind, seq, expected, found };
    }
    return false;
  }

  /** The size of the largest checkpoint below this size that agrees. */
  #agreeingBelow(size: number): number {
    return Math.max(0, ...[...this.#agreeing.keys()].filter((agreeing) => agreeing < size));
  }

  #judgeAnchor(anchor: BundledAnchor): boolean {
    const { organisation, log, proof } = anchor;
    const { size } = organisation.checkpoint;
    // The same bytes were judged as a line of their own, as a rule.
    const isJudged = this.#agreeing.get(size)?.read.published === organisation.published;
    if (!isJudged && !this.#judgeCheckpoint(organisation)) return false;
    const fault = this.#findAnchorFault(anchor);
    if (fault !== undefined) return this.#note(fault, size);
    const vouching = vouchersOf(log, this.#options.trust.policy, this.#options.algorithms);
    if (vouching.kind === "forged") {
      const expected = "signatures of the keys that are named";
      return this.#note({ kind: "forged signature", expected, found: vouching.reason }, size);
    }
    const agreeing = this.#agreeing.get(size);
    if (agreeing !== undefined) {
      const place = { ...vouching.vouchers, log: log.checkpoint, index: proof.index };
      this.#agreeing.set(size, { ...agreeing, anchor: place });
    }
    return true;
  }

  #findAnchorFault({ organisation, log, proof }: BundledAnchor): Fault | undefined {
    const { sha256 } = this.#options.algorithms;
    const { checkpoint } = organisation;
    const own = this.#agreeing.get(checkpoint.size)?.read.checkpoint;
    const isOwn =
      own !== undefined &&
      formatOrigin(own.origin) === formatOrigin(checkpoint.origin) &&
      areEqualBytes(own.root, checkpoint.root) &&
      log.checkpoint.origin.deployment === checkpoint.origin.deployment;
    const leafHash = isOwn ? logOfLogsLeafHash(checkpoint, sha256) : new Uint8Array(0);
    const { size, root } = log.checkpoint;
    if (
      !isOwn ||
      !verifyInclusion({ index: proof.index, size, root, leafHash, proof: proof.proof }, sha256)
    ) {
      const expected = `the checkpoint of ${checkpoint.size} events in the log of logs`;
      return { kind: "checkpoint mismatch", expected, found: "a proof that does not lead there" };
    }
    const seen = this.#logs.get(size);
    this.#logs.set(size, log.checkpoint);
    if (seen === undefined || areEqualBytes(seen.root, root)) return undefined;
    const expected = `one log of logs of ${size} checkpoints`;
    return { kind: "split view", expected, found: `roots ${toBase64(seen.root)} and ${toBase64(root)}` };
  }

  /** Two signed checkpoints that no one ledger can have are proof against the one who signed both. */
  #judgeSince(): void {
    const { since } = this.#options.trust;
    if (since === undefined) return;
    const { size } = since.checkpoint;
    const fault = this.#findFault(since);
    const isSplit = [...this.#agreeing.values()].some((own) => own.size >= size && own.signers.length > 0);
    if (fault?.kind === "checkpoint mismatch" && isSplit && this.#isSigned(since)) {
      this.#note({ ...fault, kind: "split view" }, size);
    } else {
      this.#judgeCheckpoint(since);
    }
  }

  #isSigned(read: ReadCheckpoint): boolean {
    const vouching = vouchersOf(read, this.#options.trust.policy, this.#options.algorithms);
    return vouching.kind === "read" && vouching.vouchers.signers.length > 0;
  }

  /** Whoever pins keys asks for a checkpoint that counts. */
  #judgeWhole(checkpoints: readonly AgreeingCheckpoint[]): void {
    const { policy } = this.#options.trust;
    if (policy === undefined || this.#damage !== undefined || !this.#options.isWhole) return;
    // The checkpoint of no event agrees with every ledger, and so says nothing of one that has events.
    const telling = checkpoints.filter(({ size }) => size > 0 || this.#options.count === 0);
    if (!telling.some(({ signers }) => signers.length > 0)) {
      const expected = "a checkpoint signed by a pinned key";
      const found = `${telling.length} checkpoints, none of them signed so`;
      this.#damage = { kind: "unsigned", seq: 1, expected, found };
    } else if (!telling.some(isProven)) {
      const expected = `a checkpoint cosigned by ${describeQuorum(policy.quorum)}`;
      const names = new Set(
        telling.flatMap(({ witnessedBy, anchor }) => [...witnessedBy, ...(anchor?.witnessedBy ?? [])]),
      );
      const found = names.size === 0 ? "no cosignature" : `cosignatures of ${[...names].join(", ")}`;
      this.#damage = { kind: "not cosigned", seq: 1, expected, found };
    }
  }
}

/** Whether a pinned key signed it, and a quorum cosigned it or the log of logs that holds it, which a key signed too. */
function isProven({ signers, isQuorumMet, anchor }: AgreeingCheckpoint): boolean {
  if (signers.length === 0) return false;
  return isQuorumMet || ((anchor?.signers.length ?? 0) > 0 && (anchor?.isQuorumMet ?? false));
}

/** Judges the evidence of a bundle, or of none: the trusted checkpoint can be held against a plain ledger. */
export function judgeEvidence(evidence: BundleEvidence, options: JudgeOptions): EvidenceVerdict {
  return new Judge(options).judge(evidence);
}
