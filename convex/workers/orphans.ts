/**
 * Looks for rows without an organisation and for references that lead nowhere: table after table, one page of rows
 * per transaction, each of which schedules the next. It reads all organisations' rows, because a row that belongs to
 * none is in no organisation's own database; it changes nothing. What it finds goes to the security log of the
 * organisation that the row names, counted per page, and to the platform's log.
 */
import { v } from "convex/values";
import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import { internalMutation, type MutationCtx } from "../_generated/server.js";
import { tombstoneOf } from "../access/lifecycle.ts";
import { recordIncident } from "../access/securityLog.ts";
import { tenantReader } from "../access/tenantDb.ts";
import type schema from "../schema.ts";
import { hasReceipt, headSeq } from "./ledgerCheck.ts";

const PAGE = 50;
const WORKER = "workers/orphans";

type TableName = keyof typeof schema.tables;

/** What a reference lacks; null when it leads somewhere. */
type Problem = string | null;

/** How one table's rows are looked at. */
type Check<Table extends TableName> = {
  /** The organisation that a row names; null when it names none. */
  orgOf: (row: Doc<Table>) => string | null;
  /** Whether a row may stand there without the organisation's own row. */
  standsAlone?: (row: Doc<Table>) => boolean;
  /** A reference that leads nowhere. Only asked where the organisation is there. */
  references?: (ctx: MutationCtx, row: Doc<Table>) => Promise<Problem>;
};

async function hasMember(ctx: MutationCtx, orgId: string, userId: string): Promise<boolean> {
  const rows = tenantReader(ctx, orgId).rows("members", "by_orgId_and_userId", (q) => q.eq("userId", userId));
  return (await rows.first()) !== null;
}

async function isLinked(ctx: MutationCtx, orgId: string, userId: string): Promise<boolean> {
  const row = await ctx.db
    .query("userOrganizations")
    .withIndex("by_userId_and_orgId", (q) => q.eq("userId", userId).eq("orgId", orgId))
    .first();
  return row !== null;
}

async function bookingProblem(ctx: MutationCtx, row: Doc<"bookings">): Promise<Problem> {
  const { orgId, serviceId, assigneeId } = row;
  const service = await tenantReader(ctx, orgId)
    .rows("services", "by_orgId_and_serviceId", (q) => q.eq("serviceId", serviceId))
    .first();
  if (service === null) return "no service";
  return assigneeId === null || (await hasMember(ctx, orgId, assigneeId)) ? null : "no member";
}

async function hasBooking(ctx: MutationCtx, orgId: string, bookingId: string): Promise<boolean> {
  const rows = tenantReader(ctx, orgId).rows("bookings", "by_orgId_and_bookingId", (q) =>
    q.eq("bookingId", bookingId),
  );
  return (await rows.first()) !== null;
}

async function hasPayment(ctx: MutationCtx, orgId: string, paymentId: string): Promise<boolean> {
  const rows = tenantReader(ctx, orgId).rows("payments", "by_orgId_and_paymentId", (q) =>
    q.eq("paymentId", paymentId),
  );
  return (await rows.first()) !== null;
}

async function invitationProblem(ctx: MutationCtx, { tokenHash }: Doc<"invitations">): Promise<Problem> {
  const token = await ctx.db
    .query("invitationTokens")
    .withIndex("by_tokenHash", (q) => q.eq("tokenHash", tokenHash))
    .first();
  return token === null ? "no token" : null;
}

async function tokenProblem(ctx: MutationCtx, row: Doc<"invitationTokens">): Promise<Problem> {
  const invitation = await tenantReader(ctx, row.orgId)
    .rows("invitations", "by_orgId_and_tokenHash", (q) => q.eq("tokenHash", row.tokenHash))
    .first();
  return invitation === null ? "no invitation" : null;
}

async function alertProblem(ctx: MutationCtx, { orgId, outboxId }: Doc<"alerts">): Promise<Problem> {
  if (typeof outboxId !== "string") return null;
  const effect = await tenantReader(ctx, orgId)
    .rows("outbox", "by_orgId_and_outboxId", (q) => q.eq("outboxId", outboxId))
    .first();
  return effect === null ? "no effect" : null;
}

/** A payment's effects begin their subject with its id; those of an account concern the organisation alone. */
async function effectProblem(ctx: MutationCtx, effect: Doc<"outbox">): Promise<Problem> {
  const { orgId, outboxId, kind, subject } = effect;
  if (kind !== "alert.deliver") {
    const [paymentId = ""] = subject.split(" ");
    if (!paymentId.startsWith("pay_")) return null;
    return (await hasPayment(ctx, orgId, paymentId)) ? null : "no payment";
  }
  const alert = await tenantReader(ctx, orgId)
    .rows("alerts", "by_orgId_and_outboxId", (q) => q.eq("outboxId", outboxId))
    .first();
  return alert === null ? "no alert" : null;
}

const ORPHANED_ROWS = "ORPHANED_ROWS";

const ofOrg = { orgOf: ({ orgId }: { orgId: string }): string => orgId };

/** Every table, so that the compiler asks for the next one too. */
const CHECKS: { readonly [Table in TableName]: Check<Table> } = {
  // A user's row can be erased while their id remains, so no reference to it is held against it.
  users: { orgOf: ({ selectedOrgId }) => selectedOrgId ?? null },
  userOrganizations: {
    ...ofOrg,
    references: async (ctx, { orgId, userId }) =>
      (await hasMember(ctx, orgId, userId)) ? null : "no member",
  },
  invitationTokens: { ...ofOrg, references: tokenProblem },
  commandKeys: {
    ...ofOrg,
    references: async (ctx, { orgId, userId, command, key }) =>
      (await hasReceipt(ctx, { orgId, actorId: userId, command, key })) ? null : "no receipt",
  },
  providerOrganizations: ofOrg,
  organizations: {
    ...ofOrg,
    references: async (ctx, { orgId }) => ((await headSeq(ctx, orgId)) > 0 ? null : "no ledger"),
  },
  members: {
    ...ofOrg,
    references: async (ctx, { orgId, userId, status }) =>
      status !== "active" || (await isLinked(ctx, orgId, userId)) ? null : "no link",
  },
  invitations: { ...ofOrg, references: invitationProblem },
  services: ofOrg,
  bookings: { ...ofOrg, references: bookingProblem },
  payments: {
    ...ofOrg,
    references: async (ctx, { orgId, bookingId }) =>
      (await hasBooking(ctx, orgId, bookingId)) ? null : "no booking",
  },
  stripeAccounts: ofOrg,
  stripeLinks: ofOrg,
  paymentSecrets: {
    ...ofOrg,
    references: async (ctx, { orgId, paymentId }) =>
      (await hasPayment(ctx, orgId, paymentId)) ? null : "no payment",
  },
  auditLog: {
    ...ofOrg,
    references: async (ctx, { orgId, seq }) => (seq <= (await headSeq(ctx, orgId)) ? null : "no event"),
  },
  deliveries: ofOrg,
  rawDeliveries: { orgOf: ({ orgId }) => orgId ?? null },
  integrityFreezes: ofOrg,
  rebuilds: ofOrg,
  shadowRows: ofOrg,
  verifiedHeads: ofOrg,
  closedOrganizations: {
    ...ofOrg,
    // The tombstone is what stays when all else is gone.
    standsAlone: ({ removedAt }) => removedAt !== null,
    references: async (ctx, { orgId }) => ((await headSeq(ctx, orgId)) > 0 ? null : "no ledger"),
  },
  securityLog: {
    ...ofOrg,
    // What this worker found is written where nothing else is.
    standsAlone: ({ function: name }) => name === WORKER,
  },
  // And so is the alert that goes with it.
  alerts: { ...ofOrg, standsAlone: ({ kind }) => kind === ORPHANED_ROWS, references: alertProblem },
  // And so is the effect that delivers the alert.
  outbox: { ...ofOrg, standsAlone: ({ neverRests }) => neverRests, references: effectProblem },
};

const TABLES = Object.keys(CHECKS) as TableName[];

/** `leaving`: being removed, table after table, so that references into it may lead nowhere for a while. */
type Standing = "there" | "leaving" | "absent";

async function standingOf(ctx: MutationCtx, orgId: string): Promise<Standing> {
  const row = await tenantReader(ctx, orgId).rows("organizations", "by_orgId").first();
  const tombstone = await tombstoneOf(ctx, orgId);
  const isDue = tombstone !== null && tombstone.removeAfter <= Date.now();
  if (isDue && row !== null) return "leaving";
  // The organisation's own row goes last, a step before the tombstone gets its date; its ledger stays.
  if (isDue && tombstone.removedAt === null && (await headSeq(ctx, orgId)) > 0) return "leaving";
  return row === null ? "absent" : "there";
}

type Orphan = { orgId: string; id: string; problem: string };

async function orphanOf<Table extends TableName>(
  ctx: MutationCtx,
  check: Check<Table>,
  row: Doc<Table>,
): Promise<Orphan | null> {
  const orgId = check.orgOf(row);
  if (orgId === null) return null;
  const found = (problem: Problem): Orphan | null =>
    problem === null ? null : { orgId, id: row._id, problem };
  const standing = await standingOf(ctx, orgId);
  const standsAlone = check.standsAlone?.(row) ?? false;
  if (standing === "absent" && !standsAlone) return found("no organisation");
  if (standing === "leaving") return null;
  return found((await check.references?.(ctx, row)) ?? null);
}

type PageOfOrphans = { orphans: Orphan[]; cursor: string | null };

async function pageOf<Table extends TableName>(
  ctx: MutationCtx,
  table: Table,
  checks: { readonly [Each in Table]: Check<Each> },
  cursor: string | null,
): Promise<PageOfOrphans> {
  const rows = await ctx.db.query(table).paginate({ numItems: PAGE, cursor });
  const check: Check<Table> = checks[table];
  const orphans: Orphan[] = [];
  for (const row of rows.page) {
    const orphan = await orphanOf(ctx, check, row);
    if (orphan !== null) orphans.push(orphan);
  }
  return { orphans, cursor: rows.isDone ? null : rows.continueCursor };
}

/** One row of the log for each organisation and kind on a page, with how many there are and the first one's id. */
async function record(ctx: MutationCtx, table: TableName, orphans: readonly Orphan[]): Promise<void> {
  const groups = Map.groupBy(orphans, ({ orgId, problem }) => JSON.stringify([orgId, problem]));
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const detail = `${table}: ${first.problem}, ${group.length} rows, first ${first.id}`;
    console.error(`INV-07 ${first.orgId} ${detail}`);
    await recordIncident(ctx, {
      orgId: first.orgId,
      actor: "system/orphans",
      function: WORKER,
      code: ORPHANED_ROWS,
      detail,
    });
  }
}

/**
 * Looks at a page of one table; without a position, begins with the first. Answers what it found; `inRound`
 * schedules what comes after.
 */
export const step = internalMutation({
  args: {
    inRound: v.boolean(),
    at: v.optional(v.object({ table: v.string(), cursor: v.union(v.string(), v.null()) })),
  },
  returns: v.object({
    orphans: v.array(v.object({ orgId: v.string(), id: v.string(), problem: v.string() })),
    next: v.union(v.null(), v.object({ table: v.string(), cursor: v.union(v.string(), v.null()) })),
  }),
  handler: async (ctx, { at, inRound }) => {
    const index = at === undefined ? 0 : TABLES.findIndex((table) => table === at.table);
    const table = TABLES[index];
    if (table === undefined) throw new Error("no such table");
    const { orphans, cursor } = await pageOf(ctx, table, CHECKS, at?.cursor ?? null);
    await record(ctx, table, orphans);
    const following = cursor === null ? TABLES[index + 1] : table;
    const next = following === undefined ? null : { table: following, cursor };
    if (inRound && next !== null) {
      await ctx.scheduler.runAfter(0, internal.workers.orphans.step, { at: next, inRound });
    }
    return { orphans, next };
  },
});
