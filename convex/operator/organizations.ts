/**
 * What the operator does to an organisation, with the deployment's key. Every change of its lifecycle is in its
 * ledger, with the operator as actor; an integrity freeze is outside it, and its lifting in the security log.
 */
import { v } from "convex/values";
import { internalMutation, internalQuery } from "../_generated/server.js";
import { organizationOfProvider } from "../access/directory.ts";
import { Refusal } from "../access/errors.ts";
import { integrityFreezeOf, liftIntegrityFreeze, organizationOf, tombstoneOf } from "../access/lifecycle.ts";
import { operatorName, parseOperator } from "../access/operators.ts";
import { wakeEffects } from "../access/outbox.ts";
import { isProviderOrganizationId } from "../access/principal.ts";
import { recordIncident } from "../access/securityLog.ts";
import { tenantReader } from "../access/tenantDb.ts";
import {
  decideFreeze,
  decideLinkProvider,
  decideUnfreeze,
  decideUnlinkProvider,
} from "../domain/organization.ts";
import { FREEZE_REASONS } from "../events/catalogue/organization.ts";
import {
  answerOperator,
  commitOperatorDecision,
  loadOrganization,
  operatorResponse,
} from "../pipeline/operatorCommand.ts";
import { resumeHeld } from "../pipeline/parked.ts";

/** A reason of the closed list. Throws INVALID with those that there are. */
function parseReason(text: string): (typeof FREEZE_REASONS)[number] {
  const reason = FREEZE_REASONS.find((known) => known === text);
  if (reason === undefined) {
    throw new Refusal("INVALID", {
      field: "reason",
      message: `Must be one of ${FREEZE_REASONS.join(", ")}.`,
    });
  }
  return reason;
}

/** Freezes, or takes over what an owner froze. */
export const freeze = internalMutation({
  args: { orgId: v.string(), reason: v.string(), operator: operatorName },
  returns: operatorResponse,
  handler: async (ctx, { orgId, reason, operator }) =>
    await answerOperator(async () => {
      const name = parseOperator(operator);
      const { state, version } = await loadOrganization(ctx, orgId);
      const decision = decideFreeze(state, { reason: parseReason(reason) }, "operator", { orgId });
      return await commitOperatorDecision(ctx, {
        orgId,
        version,
        operator: name,
        name: "organizations.freeze",
        decision,
      });
    }),
});

/** Lifts every freeze: the one in the ledger, whoever set it, and the integrity check's. */
export const unfreeze = internalMutation({
  args: { orgId: v.string(), operator: operatorName },
  returns: operatorResponse,
  handler: async (ctx, { orgId, operator }) =>
    await answerOperator(async () => {
      const name = parseOperator(operator);
      // Reads the organisation's stream, and so throws before anything is lifted when that is damaged still.
      const { state, version } = await loadOrganization(ctx, orgId);
      const wasHeld = await liftIntegrityFreeze(ctx, orgId);
      if (wasHeld) {
        await recordIncident(ctx, {
          orgId,
          actor: `operator/${name}`,
          function: "operator/organizations:unfreeze",
          code: "INTEGRITY_FREEZE_LIFTED",
        });
        await resumeHeld(ctx, orgId);
      }
      if (wasHeld && state.kind !== "frozen") {
        // No event says that it goes on.
        await wakeEffects(ctx, orgId);
        return null;
      }
      return await commitOperatorDecision(ctx, {
        orgId,
        version,
        operator: name,
        name: "organizations.unfreeze",
        decision: decideUnfreeze(state, "operator", { orgId }),
      });
    }),
});

const link = { orgId: v.string(), issuer: v.string(), providerOrgId: v.string(), operator: operatorName };

/** Links a provider's organisation on an owner's proven wish. */
export const linkProvider = internalMutation({
  args: link,
  returns: operatorResponse,
  handler: async (ctx, { orgId, issuer, providerOrgId, operator }) =>
    await answerOperator(async () => {
      const name = parseOperator(operator);
      if (!isProviderOrganizationId(providerOrgId)) throw new Refusal("INVALID", { field: "providerOrgId" });
      const of = { issuer, providerOrgId };
      const { state, version } = await loadOrganization(ctx, orgId);
      const isTaken = (await organizationOfProvider(ctx, of)) !== null;
      return await commitOperatorDecision(ctx, {
        orgId,
        version,
        operator: name,
        name: "organizations.linkProvider",
        decision: decideLinkProvider(state, of, { isTaken }, { orgId }),
      });
    }),
});

export const unlinkProvider = internalMutation({
  args: link,
  returns: operatorResponse,
  handler: async (ctx, { orgId, issuer, providerOrgId, operator }) =>
    await answerOperator(async () => {
      const name = parseOperator(operator);
      const { state, version } = await loadOrganization(ctx, orgId);
      return await commitOperatorDecision(ctx, {
        orgId,
        version,
        operator: name,
        name: "organizations.unlinkProvider",
        decision: decideUnlinkProvider(state, { issuer, providerOrgId }, { orgId }),
      });
    }),
});

/** How an organisation stands: its lifecycle, what holds it, what was last verified, whether it was removed. */
export const status = internalQuery({
  args: { orgId: v.string() },
  returns: v.object({
    status: v.union(
      v.literal("active"),
      v.literal("frozen"),
      v.literal("closed"),
      v.literal("removed"),
      v.literal("unknown"),
    ),
    frozenBy: v.union(v.null(), v.literal("owner"), v.literal("operator"), v.literal("integrity")),
    damage: v.union(v.null(), v.object({ at: v.number(), seq: v.number(), kind: v.string() })),
    verifiedHead: v.union(v.null(), v.object({ seq: v.number(), hash: v.string(), at: v.number() })),
    removeAfter: v.union(v.null(), v.number()),
  }),
  handler: async (ctx, { orgId }) => {
    const lifecycle = (await organizationOf(ctx, orgId))?.lifecycle;
    const tombstone = await tombstoneOf(ctx, orgId);
    const held = await integrityFreezeOf(ctx, orgId);
    const verified = await tenantReader(ctx, orgId).rows("verifiedHeads", "by_orgId").unique();
    const isRemoved = tombstone !== null && tombstone.removedAt !== null;
    return {
      status: isRemoved ? ("removed" as const) : (lifecycle?.status ?? ("unknown" as const)),
      frozenBy: lifecycle?.status === "frozen" ? lifecycle.by : null,
      damage: held === null ? null : { at: held.at, seq: held.seq, kind: held.kind },
      verifiedHead: verified === null ? null : { seq: verified.seq, hash: verified.hash, at: verified.at },
      removeAfter: tombstone?.removeAfter ?? null,
    };
  },
});
