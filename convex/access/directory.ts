/**
 * The directory tables: from a look-up key to an organisation, nothing else. They are the only tables that are
 * read before an organisation is known, and so the only exception to the tenant-scoped database.
 *
 * Who may import this (dependency-cruiser holds it): access/principal, pipeline/signedInMutation,
 * pipeline/project, commands/session, commands/members, operator/organizations, projections/organizations,
 * workers/cascade.
 */
import type { PaginationOptions, PaginationResult } from "convex/server";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";

type Reader = Pick<QueryCtx, "db">;
type Writer = Pick<MutationCtx, "db">;

export type UserRow = Doc<"users">;

/** The user of an identity: issuer and subject together, never an e-mail address. */
export async function findUser(ctx: Reader, issuer: string, subject: string): Promise<UserRow | null> {
  return await ctx.db
    .query("users")
    .withIndex("by_issuer_and_subject", (q) => q.eq("issuer", issuer).eq("subject", subject))
    .unique();
}

export async function createUser(
  ctx: Writer,
  user: { userId: string; issuer: string; subject: string },
): Promise<void> {
  await ctx.db.insert("users", user);
}

export async function selectOrganization(
  ctx: Writer,
  identity: { issuer: string; subject: string },
  orgId: string,
): Promise<void> {
  const user = await findUser(ctx, identity.issuer, identity.subject);
  if (user === null) throw new Error("only a known user selects an organisation");
  await ctx.db.patch("users", user._id, { selectedOrgId: orgId });
}

async function linkRow(ctx: Reader, userId: string, orgId: string): Promise<Doc<"userOrganizations"> | null> {
  return await ctx.db
    .query("userOrganizations")
    .withIndex("by_userId_and_orgId", (q) => q.eq("userId", userId).eq("orgId", orgId))
    .unique();
}

export async function organizationsOf(
  ctx: Reader,
  userId: string,
  options: PaginationOptions,
): Promise<PaginationResult<Doc<"userOrganizations">>> {
  return await ctx.db
    .query("userOrganizations")
    .withIndex("by_userId_and_orgId", (q) => q.eq("userId", userId))
    .paginate(options);
}

/** The organisation that an invitation token belongs to, by the token's SHA-256 (64 hex). */
export async function organizationOfInvitation(ctx: Reader, tokenHash: string): Promise<string | null> {
  const row = await ctx.db
    .query("invitationTokens")
    .withIndex("by_tokenHash", (q) => q.eq("tokenHash", tokenHash))
    .unique();
  return row?.orgId ?? null;
}

/** The organisation that a provider's organisation means; null when nobody linked it. */
export async function organizationOfProvider(
  ctx: Reader,
  link: { issuer: string; providerOrgId: string },
): Promise<string | null> {
  return (await providerRow(ctx, link))?.orgId ?? null;
}

async function providerRow(
  ctx: Reader,
  { issuer, providerOrgId }: { issuer: string; providerOrgId: string },
): Promise<Doc<"providerOrganizations"> | null> {
  return await ctx.db
    .query("providerOrganizations")
    .withIndex("by_issuer_and_providerOrgId", (q) =>
      q.eq("issuer", issuer).eq("providerOrgId", providerOrgId),
    )
    .unique();
}

/** Refuses the user's tokens that were issued before a moment (milliseconds UTC), in every organisation. */
export async function setSessionsValidFrom(
  ctx: Writer,
  user: UserRow,
  sessionsValidFrom: number,
): Promise<void> {
  await ctx.db.patch("users", user._id, { sessionsValidFrom });
}

type CommandKey = { userId: string; command: string; key: string };

/** Where a command that needs no organisation took effect under this key; null when it did not. */
export async function organizationOfCommandKey(ctx: Reader, of: CommandKey): Promise<string | null> {
  const row = await ctx.db
    .query("commandKeys")
    .withIndex("by_userId_and_command_and_key", (q) =>
      q.eq("userId", of.userId).eq("command", of.command).eq("key", of.key),
    )
    .unique();
  return row?.orgId ?? null;
}

export async function recordCommandKey(ctx: Writer, of: CommandKey, orgId: string): Promise<void> {
  await ctx.db.insert("commandKeys", { ...of, orgId });
}

async function link(ctx: Writer, userId: string, orgId: string): Promise<void> {
  if ((await linkRow(ctx, userId, orgId)) === null) {
    await ctx.db.insert("userOrganizations", { userId, orgId });
  }
}

async function unlink(ctx: Writer, userId: string, orgId: string): Promise<void> {
  const row = await linkRow(ctx, userId, orgId);
  if (row !== null) await ctx.db.delete("userOrganizations", row._id);
}

/** Keeps the directory in step with the ledger. Runs in the event's transaction; a repeat changes nothing. */
export async function followEvent(ctx: Writer, event: DomainEvent): Promise<void> {
  const { orgId } = event;
  switch (event.type) {
    case "member.joined":
    case "member.reinstated":
      await link(ctx, event.stream.slice("member/".length), orgId);
      return;
    case "member.suspended":
    case "member.removed":
      await unlink(ctx, event.stream.slice("member/".length), orgId);
      return;
    case "invitation.created": {
      const { tokenHash } = event.data;
      if ((await organizationOfInvitation(ctx, tokenHash)) === null) {
        await ctx.db.insert("invitationTokens", { tokenHash, orgId });
      }
      return;
    }
    case "organization.providerLinked":
      if ((await providerRow(ctx, event.data)) === null) {
        await ctx.db.insert("providerOrganizations", { ...event.data, orgId });
      }
      return;
    case "organization.providerUnlinked": {
      const row = await providerRow(ctx, event.data);
      if (row?.orgId === orgId) await ctx.db.delete("providerOrganizations", row._id);
      return;
    }
    default:
      return;
  }
}

/** Most rows that one call of a forgetting function removes. */
const FORGET_MAX = 100;

type OrganizationsRows = "userOrganizations" | "invitationTokens" | "commandKeys" | "providerOrganizations";

async function removeRows<Table extends OrganizationsRows>(
  ctx: Writer,
  table: Table,
  rows: readonly Doc<Table>[],
): Promise<number> {
  for (const row of rows) await ctx.db.delete(table, row._id);
  return rows.length;
}

type Forget = (ctx: Writer, orgId: string) => Promise<number>;

/**
 * For each directory table: removes up to a hundred of an organisation's rows and returns how many; 0 when none is
 * left. Only workers/cascade calls these.
 */
export const FORGET_IN_DIRECTORY: Readonly<Record<OrganizationsRows | "users", Forget>> = {
  userOrganizations: async (ctx, orgId) =>
    await removeRows(
      ctx,
      "userOrganizations",
      await ctx.db
        .query("userOrganizations")
        .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
        .take(FORGET_MAX),
    ),
  invitationTokens: async (ctx, orgId) =>
    await removeRows(
      ctx,
      "invitationTokens",
      await ctx.db
        .query("invitationTokens")
        .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
        .take(FORGET_MAX),
    ),
  commandKeys: async (ctx, orgId) =>
    await removeRows(
      ctx,
      "commandKeys",
      await ctx.db
        .query("commandKeys")
        .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
        .take(FORGET_MAX),
    ),
  providerOrganizations: async (ctx, orgId) =>
    await removeRows(
      ctx,
      "providerOrganizations",
      await ctx.db
        .query("providerOrganizations")
        .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
        .take(FORGET_MAX),
    ),
  // A user is nobody's but their own: only the choice of this organisation goes.
  users: async (ctx, orgId) => {
    const choosers = await ctx.db
      .query("users")
      .withIndex("by_selectedOrgId", (q) => q.eq("selectedOrgId", orgId))
      .take(FORGET_MAX);
    for (const row of choosers) await ctx.db.patch("users", row._id, { selectedOrgId: undefined });
    return choosers.length;
  },
};
