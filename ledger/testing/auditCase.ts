/** An audit of bytes in memory, asked for and answered in the texts of the vectors. */
import type { Algorithms } from "../algorithms.ts";
import { auditVerdict } from "../auditVerdict.ts";
import type { AuditDamage, AuditVerdict } from "../auditVerdict.ts";
import { readCheckpoint } from "../evidenceLines.ts";
import type { BundleEvidence } from "../evidenceLines.ts";
import { wantedSizes } from "../judgeEvidence.ts";
import type { KnownHead } from "../knownHead.ts";
import { parsePolicy, policyOfKeys } from "../logPolicy.ts";
import type { LogPolicy } from "../logPolicy.ts";
import { parseVerifierKey } from "../noteKeys.ts";
import { TreeRoots } from "../treeRoots.ts";
import { vouchersOf } from "../trust.ts";
import type { Trust } from "../trust.ts";
import { BundleVerifier } from "../verifyBundle.ts";
import type { BundleVerdict } from "../verifyBundle.ts";
import { knownHeadsOf } from "./verifyCase.ts";
import type { HeadTexts } from "./verifyCase.ts";

/** What an auditor brings along. */
export interface AuditCase extends HeadTexts {
  /** Verifier keys of logs. */
  readonly keys?: readonly string[];
  readonly policy?: string;
  /** A checkpoint as it was published. */
  readonly since?: string;
}

/** A verdict in the words of `vectors/bundles.json`. */
export interface ToldVerdict {
  readonly result: "intact" | "damaged";
  readonly seq?: number;
  readonly kind?: AuditDamage["kind"];
  readonly count: number;
  readonly headHash?: string;
  readonly checkpoints: number;
  readonly signedTo: number;
  readonly provenTo: number;
}

/** A verdict of the library in those words. */
export function toldVerdict({ result, damage, count, headHash, evidence }: AuditVerdict): ToldVerdict {
  const { checkpoints, signedTo, provenTo } = evidence;
  return {
    result,
    ...(damage === undefined ? {} : { seq: damage.seq, kind: damage.kind }),
    count,
    ...(headHash === undefined ? {} : { headHash }),
    checkpoints: checkpoints.length,
    signedTo,
    provenTo,
  };
}

function policyOf({ keys = [], policy: text }: AuditCase, { sha256 }: Algorithms): LogPolicy | undefined {
  const pinned = keys.map((key) => parseVerifierKey(key, sha256));
  const known = pinned.flatMap((key) => (key.ok && key.value.kind === "note" ? [key.value] : []));
  if (known.length < keys.length) throw new RangeError("Not a key of a log.");
  const { logs } = policyOfKeys(known);
  if (text === undefined) return logs.length > 0 ? policyOfKeys(known) : undefined;
  const policy = parsePolicy(text, sha256);
  if (!policy.ok) throw new RangeError(policy.reason);
  return { ...policy.value, logs: [...policy.value.logs, ...logs] };
}

/** The auditor's trust, or "refused" for a checkpoint that no audit trusted. Throws a RangeError for keys or a policy. */
export function trustOf(asked: AuditCase, algorithms: Algorithms): Trust | "refused" {
  const policy = policyOf(asked, algorithms);
  const trust = policy === undefined ? {} : { policy };
  if (asked.since === undefined) return trust;
  const since = readCheckpoint(asked.since);
  if (!since.ok) return "refused";
  const vouching = vouchersOf(since.value, policy, algorithms);
  const isSigned = vouching.kind === "read" && vouching.vouchers.signers.length > 0;
  return policy === undefined || isSigned ? { ...trust, since: since.value } : "refused";
}

/** Audits an export. */
export function auditBytes(
  bytes: Uint8Array,
  trust: Trust,
  knownHeads: readonly KnownHead[],
  algorithms: Algorithms,
): AuditVerdict | Extract<BundleVerdict, { result: "not a bundle" }> {
  let roots: TreeRoots | undefined;
  let evidence: BundleEvidence | undefined;
  const verifier = new BundleVerifier({
    sha256: algorithms.sha256,
    knownHeads,
    treeFor: (opening) => {
      evidence = opening.evidence;
      roots = new TreeRoots(wantedSizes(opening.evidence, trust), algorithms.sha256);
      return roots;
    },
  });
  verifier.push(bytes);
  const chain = verifier.finish();
  if (chain.result === "not a bundle") return chain;
  const read = evidence === undefined ? {} : { evidence };
  return auditVerdict(chain, { ...read, roots, trust, algorithms });
}

/** The whole of it, as `vectors/bundles.json` asks and answers. */
export function auditCase(
  bytes: Uint8Array,
  asked: AuditCase,
  algorithms: Algorithms,
): ToldVerdict | { readonly result: "not a bundle" | "refused" } {
  const trust = trustOf(asked, algorithms);
  if (trust === "refused") return { result: "refused" };
  const verdict = auditBytes(bytes, trust, knownHeadsOf(asked), algorithms);
  if (verdict.result === "not a bundle") return { result: "not a bundle" };
  const origin = trust.since?.checkpoint.origin;
  const isOther = origin !== undefined && (origin.kind !== "organisation" || origin.orgId !== verdict.orgId);
  return isOther && verdict.orgId !== undefined ? { result: "refused" } : toldVerdict(verdict);
}
