/** How the cases of `vectors/bundles.json` are written: a bundle, whom the auditor trusts, the verdict. */
import { signCheckpoint } from "../checkpoint.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { signNoble } from "../ed25519.ts";
import { formatAnchorLine, formatCheckpointLine } from "../evidenceLines.ts";
import { genesisHash, sha256Noble } from "../hash.ts";
import { formatAnchor } from "../logOfLogs.ts";
import { formatVerifierKey } from "../noteKeys.ts";
import type { SignerKey } from "../noteKeys.ts";
import { formatOrigin } from "../origin.ts";
import type { Origin } from "../origin.ts";
import type { AuditCase, ToldVerdict } from "./auditCase.ts";
import { bundleText, rewrittenFrom, sampleBundle } from "./sampleBundle.ts";
import type { BundleParts } from "./sampleBundle.ts";
import {
  cosigned,
  DEPLOYMENT,
  deploymentKey,
  logOfLogs,
  ORG_ORIGIN,
  organisationLog,
  sampleKey,
  samplePolicy,
  WITNESSES,
} from "./sampleEvidence.ts";
import type { SampleLog } from "./sampleEvidence.ts";
import { SAMPLE_ORG_ID, sampleId } from "./sampleLedger.ts";

export interface BundleCase {
  readonly name: string;
  readonly what: string;
  /** The file, byte for byte. */
  readonly bundle: string;
  readonly asked: AuditCase;
  readonly verdict: ToldVerdict;
}

export const PARTS = sampleBundle();
export const COUNT = PARTS.entries.length;
export const LOG = organisationLog();
export const LOG_OF_LOGS = logOfLogs();
export const ONE = WITNESSES.slice(0, 1);
export const TWO = WITNESSES.slice(0, 2);
/** The sample's history with its ninth event changed; the first eight are shared. */
export const OTHER = rewrittenFrom(9);
export const ORGANISATION_KEY = deploymentKey(formatOrigin(ORG_ORIGIN));
/** Named after the same log, and pinned by nobody. */
export const STRANGER = sampleKey(formatOrigin(ORG_ORIGIN), "note", "a stranger");

/** Another organisation's log of the same deployment. */
export const STRANGERS: Origin = {
  kind: "organisation",
  deployment: DEPLOYMENT,
  orgId: sampleId("org", 2),
};

export const NOBODY: AuditCase = {};
export const BY_KEY: AuditCase = { keys: [formatVerifierKey(deploymentKey())] };
export const BY_WITNESSES: AuditCase = { policy: samplePolicy() };

/** The sample bundle with other parts. */
export const withParts = (change: Partial<BundleParts>): string => bundleText({ ...PARTS, ...change });
export const withEvidence = (...evidence: readonly string[]): string => withParts({ evidence });

/** The line of a published checkpoint. */
export const line = (published: string): string => formatCheckpointLine(published, 1_767_600_000_000);

/** A checkpoint signed by this key alone, and cosigned. */
export function signedBy(
  key: SignerKey,
  checkpoint: Checkpoint,
  witnesses: readonly SignerKey[] = [],
): string {
  return cosigned(signCheckpoint(checkpoint, [key], signNoble), witnesses);
}

export interface AnchorParts {
  readonly log?: SampleLog;
  readonly witnesses?: readonly SignerKey[];
  /** The organisation's checkpoint, as published. */
  readonly organisation?: string;
}

/** In the sample's log of logs the checkpoints of 1, 3, 5 and 7 events have these places, that of all events its own. */
export const PLACE_OF_FIVE = 4;

/** The line of the anchor of a leaf. */
export function anchorAt(index: number, parts: AnchorParts = {}): string {
  const { log = LOG_OF_LOGS, witnesses = [], organisation = LOG.published() } = parts;
  return formatAnchorLine(formatAnchor(organisation, log.proof(index, witnesses)));
}

/** One character changed in the signature of the first line by a signer whose name begins so. */
export function forged(published: string, signer: string): string {
  const changed = published.replace(
    /^(— (\S+) \S{12})(\S)/gm,
    (whole, opening: string, name: string, next: string) =>
      name.startsWith(signer) ? opening + (next === "A" ? "B" : "A") : whole,
  );
  if (changed === published) throw new Error(`Nobody signed whose name begins with ${signer}.`);
  return changed;
}

/** What was proven: agreeing checkpoints, the last event signed, the last one that a quorum saw as well. */
export type Proven = readonly [checkpoints: number, signedTo: number, provenTo: number];
export const NOTHING: Proven = [0, 0, 0];

type Words = readonly [name: string, what: string];
type Found = readonly [kind: NonNullable<ToldVerdict["kind"]>, seq: number];

function told([checkpoints, signedTo, provenTo]: Proven): Pick<
  ToldVerdict,
  "checkpoints" | "signedTo" | "provenTo"
> {
  return { checkpoints, signedTo, provenTo };
}

const HASH_IN_ENTRY = /"hash":"([0-9a-f]{64})"\}$/;

/** The hash of the entry `count` of a bundle, or the genesis hash. */
function headOf(bundle: string, count: number): string {
  const entries = bundle.split("\n").filter((each) => each.startsWith('{"event":'));
  const hash =
    count === 0 ? genesisHash(SAMPLE_ORG_ID, sha256Noble) : HASH_IN_ENTRY.exec(entries[count - 1] ?? "")?.[1];
  if (hash === undefined) throw new RangeError(`There is no entry ${count}.`);
  return hash;
}

/** A bundle that is intact, with all of its entries. */
export function intact(
  [name, what]: Words,
  bundle: string,
  asked: AuditCase,
  proven: Proven,
  count = COUNT,
): BundleCase {
  const headHash = headOf(bundle, count);
  return { name, what, bundle, asked, verdict: { result: "intact", count, headHash, ...told(proven) } };
}

/** One that is damaged; its sound part ends in front of the position, or with `count` entries. */
export function damaged(
  [name, what]: Words,
  bundle: string,
  asked: AuditCase,
  [kind, seq]: Found,
  proven: Proven,
  count = seq - 1,
): BundleCase {
  const headHash = headOf(bundle, count);
  const verdict = { result: "damaged", seq, kind, count, headHash, ...told(proven) } as const;
  return { name, what, bundle, asked, verdict };
}

/** One whose manifest or evidence is not written as the format says. */
export function unreadable([name, what]: Words, bundle: string): BundleCase {
  const verdict = { result: "damaged", seq: 0, kind: "not canonical", count: 0, ...told(NOTHING) } as const;
  return { name, what, bundle, asked: BY_KEY, verdict };
}
