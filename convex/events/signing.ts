/** The component's keys, from its own environment: the only place where they are read. */
import { parseDeploymentKeys, type DeploymentKeys } from "../../ledger/deploymentKeys.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { env } from "./_generated/server.js";

let cached: { text: string; keys: DeploymentKeys } | undefined;

/** The keys of the deployment's checkpoints. Throws on a deployment whose environment was never checked at start. */
export function deploymentKeys(): DeploymentKeys {
  const { DAYBOOK_CHECKPOINT_KEYS: keys, DAYBOOK_DEPLOYMENT: deployment } = env;
  const text = `${deployment} ${keys}`;
  if (cached?.text === text) return cached.keys;
  const parsed = parseDeploymentKeys(keys, deployment, sha256Noble);
  if (!parsed.ok) throw new Error(`bad DAYBOOK_CHECKPOINT_KEYS: ${parsed.reason}`);
  cached = { text, keys: parsed.value };
  return parsed.value;
}
