/** What happens when evidence does not hold: the organisation stops, its owners are told, and nothing is changed. */
import type { MutationCtx } from "../_generated/server.js";
import { raiseAlert } from "./alerts.ts";
import { freezeForIntegrity, tombstoneOf } from "./lifecycle.ts";
import { recordIncident } from "./securityLog.ts";

export type Damage = { seq: number; kind: string };

/** Whether an organisation was removed: nothing is kept of it but its ledger. */
export async function isRemoved(ctx: Pick<MutationCtx, "db">, orgId: string): Promise<boolean> {
  return typeof (await tombstoneOf(ctx, orgId))?.removedAt === "number";
}

/**
 * Freezes an organisation for damage of its ledger, tree or checkpoints, outside of the ledger, and raises an alert.
 * Once is enough. `actor` is `system/…` or `operator/…`; `by` the function that found it.
 */
export async function freezeForDamage(
  ctx: MutationCtx,
  orgId: string,
  damage: Damage,
  found: { actor: string; by: string },
): Promise<void> {
  const detail = `sequence ${damage.seq}: ${damage.kind}`;
  console.error(`INV-02 ${orgId} ${detail}`);
  if ((await isRemoved(ctx, orgId)) || !(await freezeForIntegrity(ctx, orgId, damage))) return;
  await alertOfEvidence(ctx, orgId, { code: "LEDGER_DAMAGED", detail }, found);
}

/** Keeps in the security log what was found of an organisation's evidence, and raises an alert: by itself it stops nothing. */
export async function alertOfEvidence(
  ctx: MutationCtx,
  orgId: string,
  { code, detail }: { code: string; detail: string },
  { actor, by }: { actor: string; by: string },
): Promise<void> {
  if (await isRemoved(ctx, orgId)) return;
  await recordIncident(ctx, { orgId, actor, function: by, code, detail });
}

/** Alerts, once per organisation and key, that a key which signed checkpoints is configured no longer. */
export async function alertOfMissingKey(ctx: MutationCtx, orgId: string, keyId: string): Promise<void> {
  console.error(`${orgId}: the key ${keyId} of its checkpoints is missing in DAYBOOK_CHECKPOINT_KEYS`);
  if (await isRemoved(ctx, orgId)) return;
  const kind = "CHECKPOINT_KEY_MISSING";
  await raiseAlert(ctx, orgId, { kind, dedupeKey: `${kind} ${keyId}`, detail: keyId }, { neverRests: true });
}
