/** The verdict of an audit: the chain's and the evidence's together, and in words what was proven and what was not. */
import type { Algorithms } from "./algorithms.ts";
import { NO_EVIDENCE } from "./evidenceLines.ts";
import type { BundleEvidence } from "./evidenceLines.ts";
import { judgeEvidence } from "./judgeEvidence.ts";
import type { AgreeingCheckpoint, EvidenceDamageKind, EvidenceVerdict } from "./judgeEvidence.ts";
import { describeQuorum } from "./logPolicy.ts";
import type { LogPolicy } from "./logPolicy.ts";
import { genesisHash } from "./hash.ts";
import type { TreeRoots } from "./treeRoots.ts";
import type { Trust } from "./trust.ts";
import type { DamageKind, Verdict } from "./verify.ts";

/** What is wrong, of the chain or of its evidence. `seq` is the first sequence that can't be trusted. */
export interface AuditDamage {
  readonly kind: DamageKind | EvidenceDamageKind;
  readonly seq: number;
  readonly expected: string;
  readonly found: string;
}

export interface AuditVerdict extends Omit<Verdict, "damage"> {
  readonly damage?: AuditDamage;
  readonly evidence: EvidenceVerdict;
  /** Sentences. */
  readonly proven: readonly string[];
  readonly notProven: readonly string[];
}

const NOTHING: EvidenceVerdict = { checkpoints: [], signedTo: 0, provenTo: 0 };

export interface AuditOptions {
  readonly evidence?: BundleEvidence;
  /** The tree of the sound events; without it only the chain is judged. */
  readonly roots?: TreeRoots | undefined;
  readonly trust: Trust;
  readonly algorithms: Algorithms;
}

/** Puts a chain's verdict and its evidence together. On a tie of positions the chain's damage is named. */
export function auditVerdict(chain: Verdict, options: AuditOptions): AuditVerdict {
  const { roots, trust, algorithms } = options;
  const { orgId } = chain;
  const isJudged = roots !== undefined && orgId !== undefined;
  const evidence = isJudged
    ? judgeEvidence(options.evidence ?? NO_EVIDENCE, {
        orgId,
        count: chain.count,
        isWhole: chain.result === "intact",
        roots,
        trust,
        algorithms,
      })
    : NOTHING;
  const damage = lowest(chain.damage, evidence.damage);
  const sound = damage === evidence.damage ? soundPart(chain, evidence, options) : chain;
  const words =
    damage === undefined || evidence.checkpoints.length > 0 ? describe(chain, evidence, trust) : NO_WORDS;
  return {
    result: damage === undefined ? "intact" : "damaged",
    orgId,
    count: sound.count,
    headHash: sound.headHash,
    ...(damage === undefined ? {} : { damage }),
    evidence,
    ...words,
  };
}

const NO_WORDS = { proven: [], notProven: ["Nothing from the first bad sequence on."] };

function lowest(chain: AuditDamage | undefined, evidence: AuditDamage | undefined): AuditDamage | undefined {
  if (chain === undefined || evidence === undefined) return chain ?? evidence;
  return evidence.seq < chain.seq ? evidence : chain;
}

/** The part of a sound chain that its evidence does not contradict. */
function soundPart(
  chain: Verdict,
  { damage }: EvidenceVerdict,
  { roots, algorithms }: AuditOptions,
): Pick<Verdict, "count" | "headHash"> {
  // Evidence that is lacking says nothing against the chain.
  if (damage === undefined || damage.kind === "unsigned" || damage.kind === "not cosigned") return chain;
  const count = damage.seq - 1;
  if (count >= chain.count) return chain;
  const genesis = chain.orgId === undefined ? undefined : genesisHash(chain.orgId, algorithms.sha256);
  return { count, headHash: count === 0 ? genesis : roots?.at(count)?.eventHash };
}

/** `events 1 to 7`, `event 1`. */
function span(from: number, to: number): string {
  return from === to ? `event ${from}` : `events ${from} to ${to}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

type Words = Pick<AuditVerdict, "proven" | "notProven">;

function describe(chain: Verdict, evidence: EvidenceVerdict, trust: Trust): Words {
  const { since, policy } = trust;
  const { damage } = evidence;
  const sound = damage === undefined ? chain.count : Math.min(chain.count, Math.max(0, damage.seq - 1));
  const proven: string[] = [];
  if (since !== undefined && damage === undefined) {
    const { size } = since.checkpoint;
    proven.push(
      `${capital(span(1, size))} are those that you trusted before; ${chain.count - size} are new.`,
    );
  }
  const words =
    policy === undefined
      ? describeUnpinned(evidence, since)
      : [describeSigned(evidence, policy), describeLimits(evidence, policy, sound)].reduce(join);
  return join({ proven, notProven: [] }, words);
}

function join(left: Words, right: Words): Words {
  return {
    proven: [...left.proven, ...right.proven],
    notProven: [...left.notProven, ...right.notProven],
  };
}

function describeUnpinned({ checkpoints }: EvidenceVerdict, since: Trust["since"]): Words {
  const notProven = ["Nothing says that this is the ledger that others saw: no key was pinned (--key)."];
  const own = checkpoints.filter(({ read }) => read !== since).length;
  if (own > 0) {
    notProven.push(`Who signed its ${own} checkpoints was not looked at; they agree with its events.`);
  }
  return { proven: [], notProven };
}

function describeSigned({ checkpoints, signedTo, provenTo }: EvidenceVerdict, policy: LogPolicy): Words {
  const proven: string[] = [];
  const notProven: string[] = [];
  const best = checkpoints.findLast(({ size }) => size === provenTo);
  if (provenTo > 0 && best !== undefined) proven.push(vouchedFor(best, policy.witnesses.length));
  const signed = checkpoints.findLast(({ size }) => size === signedTo);
  if (signedTo > provenTo && signed !== undefined) {
    proven.push(`${capital(span(1, signedTo))} are in a checkpoint signed by ${signersOf(signed)}.`);
    notProven.push(
      `That a quorum saw ${span(provenTo + 1, signedTo)}: ${describeQuorum(policy.quorum)} did not cosign them.`,
    );
  }
  return { proven, notProven };
}

function describeLimits({ signedTo }: EvidenceVerdict, { quorum }: LogPolicy, sound: number): Words {
  const proven: string[] = [];
  if (signedTo === 0) {
    const notProven = [
      "No checkpoint is signed by a pinned key: nothing says that this is the ledger that others saw.",
    ];
    return { proven, notProven };
  }
  const notProven: string[] = [];
  const newer = sound - signedTo;
  if (newer > 0) {
    const what = newer === 1 ? "The last event is" : `The last ${newer} events are`;
    notProven.push(`${what} newer than any checkpoint that a pinned key signed.`);
  }
  if (quorum.kind === "none") {
    notProven.push("Whether everybody was shown this ledger: no witness was asked for (--witness-policy).");
  }
  return { proven, notProven };
}

function signersOf({ signers }: AgreeingCheckpoint): string {
  return signers.map(({ name, keyId }) => `${name} (${keyId})`).join(" and ");
}

/** The names of the witnesses of a checkpoint, its own or the log of logs', whichever met the quorum. */
export function witnessesOf({ isQuorumMet, witnessedBy, anchor }: AgreeingCheckpoint): readonly string[] {
  return isQuorumMet && witnessedBy.length > 0 ? witnessedBy : (anchor?.witnessedBy ?? witnessedBy);
}

function vouchedFor(checkpoint: AgreeingCheckpoint, witnessCount: number): string {
  const names = witnessesOf(checkpoint);
  const events = capital(span(1, checkpoint.size));
  const signed = `${events} are in a checkpoint signed by ${signersOf(checkpoint)}`;
  if (names.length === 0) return `${signed}.`;
  const where =
    checkpoint.isQuorumMet && checkpoint.witnessedBy.length > 0 ? "" : ", through the log of logs,";
  return `${signed} and cosigned${where} by ${names.length} of ${witnessCount} witnesses (${names.join(", ")}).`;
}
