/**
 * The keys with which a deployment signs its checkpoints, as its operator sets them: signer keys named after the
 * deployment, separated by commas, the current one first. The others are of earlier times; they sign nothing, and stay
 * so that readers of `GET /log/keys` find the keys of old checkpoints.
 */
import type { Sha256 } from "./hash.ts";
import { parseSignerKey, signerKey, verifierKey } from "./noteKeys.ts";
import type { SignerKey, VerifierKey } from "./noteKeys.ts";
import { formatOrigin, isDeploymentName } from "./origin.ts";
import type { Origin } from "./origin.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";

export interface DeploymentKeys {
  readonly deployment: string;
  readonly current: SignerKey;
  /** Every key, the current one first. */
  readonly all: readonly SignerKey[];
}

/** Reads the keys of a deployment. The reason of a refusal holds nothing of a secret. */
export function parseDeploymentKeys(
  text: string,
  deployment: string,
  sha256: Sha256,
): Parsed<DeploymentKeys> {
  if (!isDeploymentName(deployment)) return refused("the deployment's name is not in due form");
  const all: SignerKey[] = [];
  for (const entry of text.split(",")) {
    const key = parseSignerKey(entry, sha256);
    if (!key.ok) return key;
    if (key.value.kind !== "note") return refused("a key is one of a witness, not of a log");
    if (key.value.name !== deployment) return refused("a key is not named after the deployment");
    if (all.some(({ keyId }) => keyId === key.value.keyId)) return refused("a key is repeated");
    all.push(key.value);
  }
  const [current] = all;
  return current === undefined ? refused("there is no key") : accepted({ deployment, current, all });
}

/** The signing key of one of the deployment's logs: the current key, named after the log's origin. */
export function signerOf(keys: DeploymentKeys, origin: Origin, sha256: Sha256): SignerKey {
  return signerKey(formatOrigin(origin), "note", keys.current.secretKey, sha256);
}

/** The public keys, named after the deployment: what auditors pin for all of its logs. */
export function verifierKeysOf(keys: DeploymentKeys, sha256: Sha256): VerifierKey[] {
  return keys.all.map(({ name, publicKey }) => verifierKey(name, "note", publicKey, sha256));
}
