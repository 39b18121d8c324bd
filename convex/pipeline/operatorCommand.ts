/**
 * The operator's way through the corridor: no principal and no policy row, because only the deployment's key
 * reaches it; decide, append with the operator as actor and source, project.
 */
import { v, type Infer } from "convex/values";
import { ulid } from "ulid";
import { rejectedValidator, Refusal, toRejected } from "../access/errors.ts";
import type { MutationCtx } from "../_generated/server.js";
import type { Decision } from "../domain/decision.ts";
import { organization, type OrganizationState } from "../domain/organization.ts";
import { requireAccepted } from "./commandMutation.ts";
import { scheduleEffects } from "./effects.ts";
import { appendDecision, loadAggregate } from "./ledger.ts";
import { project } from "./project.ts";

/** The sequence of the event that was written; null when nothing had to be written to the ledger. */
export const operatorResponse = v.union(
  v.object({ status: v.literal("committed"), seq: v.union(v.number(), v.null()) }),
  rejectedValidator,
);
export type OperatorResponse = Infer<typeof operatorResponse>;

/** Runs an operator's function; a Refusal becomes its answer. */
export async function answerOperator(run: () => Promise<number | null>): Promise<OperatorResponse> {
  try {
    return { status: "committed", seq: await run() };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return toRejected(error);
  }
}

/** An organisation as its ledger says, for a decision of the operator. Throws on a damaged stream. */
export async function loadOrganization(
  ctx: MutationCtx,
  orgId: string,
): Promise<{ state: OrganizationState; version: number }> {
  return await loadAggregate(ctx, orgId, `organization/${orgId}`, organization);
}

/** Appends what was decided on an organisation and returns the sequence of its last event. Throws the rejection. */
export async function commitOperatorDecision(
  ctx: MutationCtx,
  of: { orgId: string; version: number; operator: string; name: string; decision: Decision },
): Promise<number> {
  const { orgId, version, operator, name } = of;
  const { receipt, events } = await appendDecision(ctx, {
    orgId,
    decision: requireAccepted(of.decision),
    versions: new Map([[`organization/${orgId}`, version]]),
    actor: { kind: "operator", id: operator },
    source: { kind: "operator", name },
    correlationId: `cor_${ulid(Date.now(), Math.random)}`,
  });
  await project(ctx, orgId, events);
  await scheduleEffects(ctx, orgId, events);
  return receipt.lastSeq;
}
