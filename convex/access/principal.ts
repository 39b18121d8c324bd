/**
 * Who calls, on behalf of which organisation, in which role: from the verified token and our own rows, never
 * from arguments. Phases: token → user → active organisation → active membership → role → lifecycle.
 */
import type { Role } from "../../ledger/event.ts";
import type { Doc } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import { findUser, type UserRow } from "./directory.ts";
import { environment } from "./environment.ts";
import { Refusal } from "./errors.ts";
import { policyRow } from "./policy.ts";
import { tenantReader } from "./tenantDb.ts";

type Ctx = Pick<QueryCtx, "db" | "auth">;

/** A caller with a verified token. `user` is null until their first command that joins an organisation. */
export type SignedIn = {
  issuer: string;
  subject: string;
  user: UserRow | null;
  /** The organisation claim as it stands in the token; `undefined` when the token has none. */
  claim: unknown;
};

export type Member = {
  userId: string;
  orgId: string;
  role: Role;
  organization: Doc<"organizations">;
};

/**
 * The organisation claim of an identity; undefined when the token has none. The platform flattens a claim that is
 * an object into dotted names: that is a claim too, and null stands for it, because no object names an organisation.
 */
export function claimOf(identity: Readonly<Record<string, unknown>>, claimName: string): unknown {
  if (Object.hasOwn(identity, claimName)) return identity[claimName];
  const isFlattened = Object.keys(identity).some((name) => name.startsWith(`${claimName}.`));
  return isFlattened ? null : undefined;
}

/** The signed-in caller. Throws UNAUTHENTICATED. */
export async function getAuthUser(ctx: Ctx): Promise<SignedIn> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity === null) throw new Refusal("UNAUTHENTICATED");
  const { issuer, subject } = identity;
  const claim = claimOf(identity, environment().DAYBOOK_ORG_CLAIM);
  return { issuer, subject, user: await findUser(ctx, issuer, subject), claim };
}

/** The membership row of a user, active or not. */
export async function membershipOf(
  ctx: Pick<QueryCtx, "db">,
  orgId: string,
  userId: string,
): Promise<Doc<"members"> | null> {
  return await tenantReader(ctx, orgId)
    .rows("members", "by_orgId_and_userId", (q) => q.eq("userId", userId))
    .unique();
}

export async function organizationOf(
  ctx: Pick<QueryCtx, "db">,
  orgId: string,
): Promise<Doc<"organizations"> | null> {
  return await tenantReader(ctx, orgId).rows("organizations", "by_orgId").unique();
}

/** The caller as a member of their active organisation. Throws NO_ACTIVE_ORG; a claim never falls through. */
export async function requireMember(ctx: Ctx, caller: SignedIn): Promise<Member> {
  const orgId = caller.claim === undefined ? caller.user?.selectedOrgId : caller.claim;
  if (caller.user === null || typeof orgId !== "string") throw new Refusal("NO_ACTIVE_ORG");
  const { userId } = caller.user;
  const membership = await membershipOf(ctx, orgId, userId);
  const organization = await organizationOf(ctx, orgId);
  if (membership?.status !== "active" || organization === null) throw new Refusal("NO_ACTIVE_ORG");
  return { userId, orgId, role: membership.role, organization };
}

/** Lets a call through in an active organisation, and in a frozen one only where the policy says so. */
export function requireLifecycle(name: string, status: Doc<"organizations">["status"], role: Role): void {
  if (status === "active") return;
  const row = policyRow(name);
  const excepted = row.level === "member" && (row.whenFrozen ?? []).includes(role);
  if (excepted) return;
  throw new Refusal(status === "frozen" ? "ORG_FROZEN" : "ORG_CLOSED");
}
