/**
 * The directory tables: from a look-up key to an organisation, nothing else. They are the only tables that are
 * read before an organisation is known, and so the only exception to the tenant-scoped database.
 *
 * Who may import this (dependency-cruiser holds it): access/principal, pipeline/signedInMutation,
 * pipeline/project, commands/session, commands/members, projections/organizations.
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

/** Keeps the directory in step with the ledger. Runs in the event's transaction; a repeat changes nothing. */
export async function followEvent(ctx: Writer, event: DomainEvent): Promise<void> {
  switch (event.type) {
    case "member.joined": {
      const { userId } = event.data;
      if ((await linkRow(ctx, userId, event.orgId)) === null) {
        await ctx.db.insert("userOrganizations", { userId, orgId: event.orgId });
      }
      return;
    }
    case "member.removed": {
      const userId = event.stream.slice("member/".length);
      const link = await linkRow(ctx, userId, event.orgId);
      if (link !== null) await ctx.db.delete("userOrganizations", link._id);
      return;
    }
    case "invitation.created": {
      const { tokenHash } = event.data;
      if ((await organizationOfInvitation(ctx, tokenHash)) === null) {
        await ctx.db.insert("invitationTokens", { tokenHash, orgId: event.orgId });
      }
      return;
    }
    default:
      return;
  }
}
