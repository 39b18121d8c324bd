/** What the auditor brings along: pinned keys, a witness policy, the checkpoint of an earlier audit. */
import { readFile } from "node:fs/promises";
import { readCheckpoint } from "../ledger/evidenceLines.ts";
import type { ReadCheckpoint } from "../ledger/evidenceLines.ts";
import type { AuditVerdict } from "../ledger/auditVerdict.ts";
import { parsePolicy, policyOfKeys } from "../ledger/logPolicy.ts";
import type { LogPolicy } from "../ledger/logPolicy.ts";
import type { VerifierKey } from "../ledger/noteKeys.ts";
import { vouchersOf } from "../ledger/trust.ts";
import type { Trust } from "../ledger/trust.ts";
import { NODE_ALGORITHMS } from "./algorithms.ts";
import { AuditError, systemErrorCode } from "./auditError.ts";
import { writeWhole } from "./wholeFile.ts";

export interface TrustOptions {
  readonly key?: readonly VerifierKey[];
  readonly witnessPolicy?: string;
  readonly since?: string;
}

const FILE_BYTES_MAX = 1_048_576;

/** A small file as text. Throws `AuditError`. */
export async function readText(path: string, bytesMax = FILE_BYTES_MAX): Promise<string> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > bytesMax) throw new AuditError(`${path} is too large.`, "Name the right file.");
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof AuditError) throw error;
    const code = systemErrorCode(error) ?? "not UTF-8";
    throw new AuditError(`${path} can't be read (${code}).`, "Check the path.", { cause: error });
  }
}

/** Pinned keys and the policy of a file, as one policy; undefined when the auditor gave neither. */
export async function readPolicy({ key, witnessPolicy }: TrustOptions): Promise<LogPolicy | undefined> {
  if (witnessPolicy === undefined) return key === undefined ? undefined : policyOfKeys(key);
  const parsed = parsePolicy(await readText(witnessPolicy), NODE_ALGORITHMS.sha256);
  if (!parsed.ok) {
    const next = "Write it as c2sp.org/tlog-policy says; docs/ledger-format.md has an example.";
    throw new AuditError(`${witnessPolicy} is not a policy: ${parsed.reason}.`, next);
  }
  const policy = { ...parsed.value, logs: [...parsed.value.logs, ...policyOfKeys(key ?? []).logs] };
  if (policy.logs.length > 0) return policy;
  throw new AuditError(
    `${witnessPolicy} names no log.`,
    "Pin the deployment's key with --key, or add a log line.",
  );
}

async function readSince(path: string, policy: LogPolicy | undefined): Promise<ReadCheckpoint> {
  const read = readCheckpoint(await readText(path));
  if (!read.ok) {
    throw new AuditError(
      `${path} is not a checkpoint: ${read.reason}.`,
      "Name what --save-checkpoint wrote.",
    );
  }
  if (policy === undefined) return read.value;
  const vouching = vouchersOf(read.value, policy, NODE_ALGORITHMS);
  if (vouching.kind === "read" && vouching.vouchers.signers.length > 0) return read.value;
  const reason = vouching.kind === "forged" ? vouching.reason : "no pinned key signed it";
  const next = "Pin the key that signed it with one more --key, or find the file as it was saved.";
  throw new AuditError(`${path} is not the checkpoint of an audit: ${reason}.`, next);
}

/** Reads what the options name. Throws `AuditError`. */
export async function readTrust(options: TrustOptions): Promise<Trust> {
  const policy = await readPolicy(options);
  const since = options.since === undefined ? undefined : await readSince(options.since, policy);
  return { ...(policy === undefined ? {} : { policy }), ...(since === undefined ? {} : { since }) };
}

/**
 * Keeps the newest checkpoint that counts for the next audit; answers its size, or undefined when there is none. Trust
 * never goes back: one that is older than what an earlier audit trusted already is not kept.
 */
export async function saveCheckpoint(
  path: string,
  { result, evidence }: AuditVerdict,
  since: Trust["since"],
): Promise<number | undefined> {
  const newest = evidence.checkpoints.findLast(({ size }) => size === evidence.provenTo);
  if (result !== "intact" || newest === undefined || evidence.provenTo === 0) return undefined;
  if (since !== undefined && newest.size < since.checkpoint.size) return undefined;
  await writeWhole(path, newest.read.published);
  return newest.size;
}
