/** `npm run embedded -- checkpoint-key`: a signing key for a deployment's checkpoints. */
import { parseDeploymentKeys, verifierKeysOf } from "../../ledger/deploymentKeys.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { formatVerifierKey } from "../../ledger/noteKeys.ts";
import { isDeploymentName } from "../../ledger/origin.ts";
import { makeCheckpointKey } from "./developmentSecrets.ts";

/** Prints a new key and what auditors pin of it. A bad name ends with exit code 1. */
export function printCheckpointKey(deployment: string): void {
  const text = isDeploymentName(deployment) ? makeCheckpointKey(deployment) : "";
  const keys = parseDeploymentKeys(text, deployment, sha256Noble);
  if (!keys.ok) {
    process.stderr.write(
      "A deployment's name is a host name in lower case, with a port or up to two path segments.\n",
    );
    process.exitCode = 1;
    return;
  }
  const pinned = verifierKeysOf(keys.value, sha256Noble).map(formatVerifierKey);
  process.stdout.write(`DAYBOOK_CHECKPOINT_KEYS=${text}\nfor auditors: ${pinned.join()}\n`);
}
