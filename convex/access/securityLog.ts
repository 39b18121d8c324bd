/**
 * The security log: what was refused, limited, changed in who may do what, or found by a job, kept per organisation.
 * A row commits with the answer or the change that it tells of: a refusal is returned, never thrown, so that its
 * record survives. Ids and codes only: no arguments, no values.
 *
 * It is bounded under attack: of one member's refusals in one minute the first ones have a row each, and all the
 * others share one with their count. What has no organisation, and what a query refuses, can't be written; it goes to
 * the platform's log in the same shape.
 */
import type { Role } from "../../ledger/event.ts";
import type { Doc } from "../_generated/dataModel.js";
import type { ActionCtx, MutationCtx } from "../_generated/server.js";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import { raiseAlert } from "./alerts.ts";
import type { Code, Rejection } from "./errors.ts";
import { tenantWriter } from "./tenantDb.ts";

/** Refusals that say something about access; the others are ordinary mistakes and leave nothing behind. */
const RECORDED: ReadonlySet<Code> = new Set<Code>([
  "FORBIDDEN",
  "NOT_FOUND",
  "IDEMPOTENCY_KEY_REUSED",
  "RATE_LIMITED",
  "ORG_FROZEN",
  "ORG_CLOSED",
  "STEP_UP_REQUIRED",
  "INVITATION_UNUSABLE",
]);

/** Refusals of one member in one minute that have a row each; the next one also raises an alert. */
export const FULL_PER_MINUTE = 30;

/** The code of the row that stands for the others. */
export const MORE_REFUSALS = "MORE_REFUSALS";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

type Row = Omit<Doc<"securityLog">, "_id" | "_creationTime" | "orgId">;

/** Who was refused what. Without an organisation the caller has none, or is not known to be a member of one. */
export type Refused = {
  orgId?: string | undefined;
  userId: string;
  role?: Role | undefined;
  function: string;
  rejection: Rejection;
};

/** Writes what the tables can't take to the platform's log: one line of JSON. */
export function logRefusal({ orgId, userId, role, function: name, rejection }: Refused): void {
  const { code, field } = rejection;
  const isAccess = RECORDED.has(code) || code === "NO_ACTIVE_ORG" || code === "UNAUTHENTICATED";
  if (!isAccess) return;
  const outcome = outcomeOf(code);
  console.warn(JSON.stringify({ security: { outcome, function: name, code, userId, orgId, role, field } }));
}

function outcomeOf(code: Code): "refused" | "limited" {
  return code === "RATE_LIMITED" ? "limited" : "refused";
}

async function requestIdOf(ctx: MutationCtx): Promise<string> {
  return (await ctx.meta.getRequestMetadata()).requestId;
}

/** The row that one more refusal adds, given the newest one of the same member and minute. */
function nextRow(row: Row, newest: Row | null, minute: number): Row {
  const ordinal = (newest?.ordinal ?? 0) + 1;
  if (ordinal <= FULL_PER_MINUTE) return { ...row, minute, ordinal };
  const codes = new Set(
    (newest?.code === MORE_REFUSALS ? (newest.detail ?? "").split(" ") : []).concat(row.code),
  );
  const { at, userId, role, requestId } = row;
  return {
    ...{ at, userId, minute, ordinal: FULL_PER_MINUTE + 1 },
    ...(role === undefined ? {} : { role }),
    ...(requestId === undefined ? {} : { requestId }),
    outcome: row.outcome,
    function: row.function,
    code: MORE_REFUSALS,
    count: newest?.code === MORE_REFUSALS ? newest.count + 1 : 1,
    detail: [...codes].sort().join(" "),
  };
}

/** Keeps a refusal: in its organisation's log, or without one in the platform's. */
export async function recordRefusal(ctx: MutationCtx, refused: Refused): Promise<void> {
  const { orgId, userId, role, rejection } = refused;
  const { code, field } = rejection;
  if (orgId === undefined) {
    logRefusal(refused);
    return;
  }
  if (!RECORDED.has(code)) return;
  const at = Date.now();
  const minute = at - (at % MINUTE_MS);
  const tenant = tenantWriter(ctx, orgId);
  const newest = await tenant
    .rows("securityLog", "by_orgId_and_userId_and_minute", (q) => q.eq("userId", userId).eq("minute", minute))
    .order("desc")
    .first();
  const row = nextRow(
    {
      at,
      outcome: outcomeOf(code),
      function: refused.function,
      code,
      userId,
      count: 1,
      requestId: await requestIdOf(ctx),
      ...(role === undefined ? {} : { role }),
      ...(field === undefined ? {} : { field }),
    },
    newest,
    minute,
  );
  if (newest !== null && newest.code === MORE_REFUSALS) await tenant.replace("securityLog", newest, row);
  else await tenant.insert("securityLog", row);
  await alertIfUnusual(ctx, orgId, row);
}

/** Thresholds are in docs/operations.md. */
async function alertIfUnusual(
  ctx: MutationCtx,
  orgId: string,
  { at, userId, ordinal, outcome }: Row,
): Promise<void> {
  const hour = at - (at % HOUR_MS);
  if (outcome === "limited") {
    await raiseAlert(ctx, orgId, {
      kind: "LIMIT_REACHED",
      dedupeKey: `LIMIT_REACHED ${userId} ${hour}`,
      userId,
    });
  }
  if (ordinal === FULL_PER_MINUTE + 1) {
    await raiseAlert(ctx, orgId, {
      kind: "REFUSALS_UNUSUAL",
      dedupeKey: `REFUSALS_UNUSUAL ${userId} ${hour}`,
      userId,
    });
  }
}

/** Events that change who may do what, or read everything; the others leave nothing in the security log. */
const CHANGES: ReadonlySet<DomainEvent["type"]> = new Set<DomainEvent["type"]>([
  "invitation.revoked",
  "member.joined",
  "member.roleChanged",
  "member.removed",
  "member.suspended",
  "member.reinstated",
  "member.sessionsRevoked",
  "organization.frozen",
  "organization.unfrozen",
  "organization.closed",
  "organization.providerLinked",
  "organization.providerUnlinked",
  "export.begun",
  "reading.begun",
]);

function functionOf({ source }: DomainEvent): string {
  return source.kind === "webhook" ? source.provider : source.name;
}

/** Keeps a change of roles or keys. Runs in the event's transaction. */
export async function followChange(ctx: MutationCtx, event: DomainEvent): Promise<void> {
  if (!CHANGES.has(event.type)) return;
  const { actor } = event;
  await tenantWriter(ctx, event.orgId).insert("securityLog", {
    at: event.recordedAt,
    outcome: "changed",
    function: functionOf(event),
    code: event.type,
    userId: actor.kind === "user" ? actor.id : `${actor.kind}/${actor.id}`,
    count: 1,
    detail: event.stream,
    requestId: await requestIdOf(ctx),
    ...(actor.kind === "user" ? { role: actor.role } : {}),
  });
}

/** Writes a delivery that was refused to the platform's log: whoever sent it is unknown, and no row is written for it. */
export async function logRefusedDelivery(
  ctx: Pick<ActionCtx, "meta">,
  name: string,
  reason: string,
): Promise<void> {
  const { requestId } = await ctx.meta.getRequestMetadata();
  console.warn(JSON.stringify({ security: { outcome: "refused", function: name, code: reason, requestId } }));
}

/** Keeps a delivery that waits, or never fits. Of one reason an hour raises one alert; the list has them all. */
export async function recordParked(
  ctx: MutationCtx,
  orgId: string,
  { deliveryId, reason }: { deliveryId: string; reason: string },
): Promise<void> {
  const at = Date.now();
  const detail = `${deliveryId} ${reason}`;
  await tenantWriter(ctx, orgId).insert("securityLog", {
    at,
    outcome: "found",
    function: "webhooks/stripe",
    code: "DELIVERY_PARKED",
    userId: "system/webhooks/stripe",
    count: 1,
    detail,
  });
  const kind = "DELIVERY_PARKED";
  await raiseAlert(ctx, orgId, { kind, dedupeKey: `${kind} ${reason} ${at - (at % HOUR_MS)}`, detail });
}

/**
 * Keeps what a job or the operator did that the ledger does not hold. `actor` is `system/…` or `operator/…`. One alert for
 * each incident, or for all that share `alertKey`.
 */
export async function recordIncident(
  ctx: MutationCtx,
  incident: {
    orgId: string;
    actor: string;
    function: string;
    code: string;
    detail?: string;
    alertKey?: string;
  },
): Promise<void> {
  const { orgId, actor, code, detail } = incident;
  const at = Date.now();
  const dedupeKey = `${code} ${incident.alertKey ?? at}`;
  await tenantWriter(ctx, orgId).insert("securityLog", {
    at,
    outcome: "found",
    function: incident.function,
    code,
    userId: actor,
    count: 1,
    ...(detail === undefined ? {} : { detail }),
  });
  const alert = { kind: code, dedupeKey, ...(detail === undefined ? {} : { detail }) };
  await raiseAlert(ctx, orgId, alert, { neverRests: true });
}
