/**
 * The origins of a deployment's logs: `<deployment>/org/<orgId>` for the ledger of one organisation and
 * `<deployment>/log` for the log of logs.
 */
import type { Sha256 } from "./hash.ts";
import { isId, ULID_SOURCE } from "./ids.ts";
import type { OrgId } from "./ids.ts";
import { verifierKey } from "./noteKeys.ts";
import type { VerifierKey } from "./noteKeys.ts";

/** A host name in lower case, a port if any, and segments of a path if any; none is `org` or `log`. */
const HOST = "[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?(?::[1-9][0-9]{0,4})?";
const SEGMENT = "/(?!(?:org|log)(?:/|$))[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?";
const DEPLOYMENT_SOURCE = `${HOST}(?:${SEGMENT}){0,2}`;
const DEPLOYMENT_PATTERN = new RegExp(`^${DEPLOYMENT_SOURCE}$`);
const ORIGIN_PATTERN = new RegExp(`^(${DEPLOYMENT_SOURCE})/(?:log|org/(org_${ULID_SOURCE}))$`);

export type Origin =
  | { readonly kind: "organisation"; readonly deployment: string; readonly orgId: OrgId }
  | { readonly kind: "log of logs"; readonly deployment: string };

/**
 * Whether a text may name a deployment: a host name in lower case (100 characters), `:port` if any, and up to two
 * path segments of 32 characters, as `daybook.example` or `example.com/daybook`.
 */
export function isDeploymentName(text: string): boolean {
  return DEPLOYMENT_PATTERN.test(text);
}

/** `<deployment>/org/<orgId>` or `<deployment>/log`. Throws a RangeError for a bad name of a deployment. */
export function formatOrigin(origin: Origin): string {
  if (!isDeploymentName(origin.deployment)) {
    throw new RangeError(`Not a deployment's name: ${JSON.stringify(origin.deployment)}`);
  }
  return origin.kind === "organisation"
    ? `${origin.deployment}/org/${origin.orgId}`
    : `${origin.deployment}/log`;
}

/** Reads an origin; undefined for anything that `formatOrigin` does not write. */
export function parseOrigin(text: string): Origin | undefined {
  const [, deployment, orgId] = ORIGIN_PATTERN.exec(text) ?? [];
  if (deployment === undefined) return undefined;
  if (orgId === undefined) return { kind: "log of logs", deployment };
  return isId("org", orgId) ? { kind: "organisation", deployment, orgId } : undefined;
}

/**
 * The pinned keys as keys of this origin. A key that is named after the origin is taken as it is; one that is named
 * after the deployment stands for every log of the deployment, and is given the origin as its name (and with it
 * another id). So an auditor pins one key for all organisations of a deployment.
 */
export function keysOfOrigin(origin: string, pinned: readonly VerifierKey[], sha256: Sha256): VerifierKey[] {
  const deployment = parseOrigin(origin)?.deployment;
  return pinned
    .filter(({ kind, name }) => kind === "note" && (name === origin || name === deployment))
    .map((key) => (key.name === origin ? key : verifierKey(origin, "note", key.publicKey, sha256)));
}
