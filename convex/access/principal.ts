/**
 * Who calls, on behalf of which organisation, in which role: from the verified token and our own rows, never
 * from arguments. There are three levels, and these functions are the only ways in:
 *
 * - `getAuthUser`: signed in;
 * - `requireSameOrg`: an active member of the organisation that the token or the stored choice names;
 * - `requireRole`: a member with permission, in an organisation whose lifecycle allows the call.
 */
import { utf8ToBytes } from "@noble/hashes/utils.js";
import type { Role } from "../../ledger/event.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { isId } from "../../ledger/ids.ts";
import type { Doc } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import { findUser, organizationOfProvider, type UserRow } from "./directory.ts";
import { environment } from "./environment.ts";
import { Refusal } from "./errors.ts";
import { organizationOf, requireLifecycle, type Lifecycle } from "./lifecycle.ts";
import { conditionFor, type Condition } from "./policy.ts";
import { isRevoked, sessionOf, type Session } from "./sessions.ts";
import { tenantReader } from "./tenantDb.ts";

type Ctx = Pick<QueryCtx, "db" | "auth">;

/** A caller with a verified token. `user` is null until their first command that joins an organisation. */
export type SignedIn = {
  issuer: string;
  subject: string;
  user: UserRow | null;
  session: Session;
  /** The organisation claim as it stands in the token; `undefined` when the token has none. */
  claim: unknown;
};

export type Member = {
  userId: string;
  orgId: string;
  role: Role;
  organization: Doc<"organizations">;
  lifecycle: Lifecycle;
  session: Session;
  issuer: string;
  /** The organisation claim, and the organisation that it names; null when it is none of ours. */
  claim: unknown;
  claimedOrgId: string | null;
};

/**
 * The organisation claim of an identity; undefined when the token has none. The platform flattens a claim that is
 * an object into dotted names, and a configured name may be dotted itself (`o.id`). Whatever is no plain value under
 * exactly that name is a claim too, and null stands for it: no object, and no container without the value, names an
 * organisation, and where a flat and a nested claim could be taken for each other neither does.
 */
export function claimOf(identity: Readonly<Record<string, unknown>>, claimName: string): unknown {
  const names = Object.keys(identity);
  const isAmbiguous = names.some(
    (name) => name.startsWith(`${claimName}.`) || claimName.startsWith(`${name}.`),
  );
  if (isAmbiguous) return null;
  if (Object.hasOwn(identity, claimName)) return identity[claimName];
  const [container = ""] = claimName.split(".");
  return names.some((name) => name.startsWith(`${container}.`)) ? null : undefined;
}

/** The signed-in caller. Throws UNAUTHENTICATED, also for a token that is older than its user allows. */
export async function getAuthUser(ctx: Ctx): Promise<SignedIn> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity === null) throw new Refusal("UNAUTHENTICATED");
  const { issuer, subject } = identity;
  const session = sessionOf(identity);
  const user = await findUser(ctx, issuer, subject);
  if (isRevoked(session, user?.sessionsValidFrom)) throw new Refusal("UNAUTHENTICATED");
  return { issuer, subject, user, session, claim: claimOf(identity, environment().DAYBOOK_ORG_CLAIM) };
}

/** The name under which a caller is counted: the user id, or before there is one a hash of the identity. */
export function limitKeyOf({ user, issuer, subject }: SignedIn): string {
  return user?.userId ?? toHex(sha256Noble(utf8ToBytes(JSON.stringify([issuer, subject]))));
}

/** The membership row of a user, whatever its status. */
export async function membershipOf(
  ctx: Pick<QueryCtx, "db">,
  orgId: string,
  userId: string,
): Promise<Doc<"members"> | null> {
  return await tenantReader(ctx, orgId)
    .rows("members", "by_orgId_and_userId", (q) => q.eq("userId", userId))
    .unique();
}

/** Whether a membership lets this session act: it is active, and the session was not revoked. */
export function isEffective(
  membership: Doc<"members"> | null,
  session: Session,
): membership is Doc<"members"> {
  return membership?.status === "active" && !isRevoked(session, membership.sessionsValidFrom);
}

/** Visible ASCII: whatever else a claim says is no organisation of any provider. */
const PROVIDER_ORGANIZATION = /^[!-~]{1,128}$/;

/** Whether a text can be a provider's id of an organisation. One in our own form never is. */
export function isProviderOrganizationId(text: string): boolean {
  return PROVIDER_ORGANIZATION.test(text) && !isId("org", text);
}

/** The organisation that a claim names: our id as it stands, a provider's by its directory row, never by likeness. */
async function organizationOfClaim(ctx: Ctx, issuer: string, claim: unknown): Promise<string | null> {
  if (typeof claim !== "string") return null;
  if (isId("org", claim)) return claim;
  if (!isProviderOrganizationId(claim)) return null;
  return await organizationOfProvider(ctx, { issuer, providerOrgId: claim });
}

/** Where a call takes place: in the organisation of the claim, which the stored choice only stands in for. */
export type Place = "claimedOrChosen" | "chosen";

/**
 * The caller as a member of their active organisation. Throws NO_ACTIVE_ORG; a claim never falls through to the
 * stored choice. `chosen` looks at the stored choice alone: for the one command that links a claim which means
 * nothing yet. Throws UNAUTHENTICATED when the member's sessions were revoked since the token was issued.
 */
export async function requireSameOrg(
  ctx: Ctx,
  caller: SignedIn,
  place: Place = "claimedOrChosen",
): Promise<Member> {
  const { user, claim, issuer, session } = caller;
  const claimedOrgId = await organizationOfClaim(ctx, issuer, claim);
  const isChosen = place === "chosen" || claim === undefined;
  const orgId = isChosen ? user?.selectedOrgId : claimedOrgId;
  if (user === null || typeof orgId !== "string") throw new Refusal("NO_ACTIVE_ORG");
  const { userId } = user;
  const membership = await membershipOf(ctx, orgId, userId);
  const organization = await organizationOf(ctx, orgId);
  if (membership?.status !== "active" || organization === null) throw new Refusal("NO_ACTIVE_ORG");
  if (!isEffective(membership, session)) throw new Refusal("UNAUTHENTICATED");
  const { row, lifecycle } = organization;
  const { role } = membership;
  return { userId, orgId, role, organization: row, lifecycle, session, issuer, claim, claimedOrgId };
}

/**
 * A member's permission for a function: the condition under which their role may call it. Throws ORG_FROZEN or
 * ORG_CLOSED before FORBIDDEN.
 */
export function requireRole(name: string, member: Member): Condition {
  requireLifecycle(name, member.lifecycle, member.role);
  return conditionFor(name, member.role);
}
