/**
 * Refusals, and what happens outside of the ledger, kept per organisation. The row commits with the answer: a refusal is returned, never thrown, so
 * that its record survives. Ids and codes only: no arguments, no values.
 */
import type { Role } from "../../ledger/event.ts";
import type { MutationCtx } from "../_generated/server.js";
import type { Code, Rejection } from "./errors.ts";
import { mayRecordRefusal } from "./limits.ts";
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

export async function recordRefusal(
  ctx: MutationCtx,
  refused: { orgId: string; userId: string; role?: Role; function: string; rejection: Rejection },
): Promise<void> {
  const { orgId, userId, role, rejection } = refused;
  if (!RECORDED.has(rejection.code)) return;
  if (!(await mayRecordRefusal(ctx, orgId, userId))) return;
  await tenantWriter(ctx, orgId).insert("securityLog", {
    at: Date.now(),
    function: refused.function,
    code: rejection.code,
    userId,
    ...(role === undefined ? {} : { role }),
    ...(rejection.field === undefined ? {} : { field: rejection.field }),
  });
}

/** Keeps what a job or the operator did that the ledger does not hold. `actor` is `system/…` or `operator/…`. */
export async function recordIncident(
  ctx: MutationCtx,
  incident: { orgId: string; actor: string; function: string; code: string; detail?: string },
): Promise<void> {
  const { orgId, actor, detail } = incident;
  await tenantWriter(ctx, orgId).insert("securityLog", {
    at: Date.now(),
    function: incident.function,
    code: incident.code,
    userId: actor,
    ...(detail === undefined ? {} : { detail }),
  });
}
