/** Step 7 of the corridor: every projection and the directory follow the new events, in the same transaction. */
import { followEvent } from "../access/directory.ts";
import { followClosing } from "../access/lifecycle.ts";
import { followChange } from "../access/securityLog.ts";
import { tenantWriter } from "../access/tenantDb.ts";
import type { MutationCtx } from "../_generated/server.js";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import { followParked } from "./parked.ts";
import { PROJECTIONS } from "../projections/registry.ts";
import { followOverpayment } from "./overpayment.ts";

/** Folds events into the read models, in order. */
export async function project(
  ctx: MutationCtx,
  orgId: string,
  events: readonly DomainEvent[],
): Promise<void> {
  const tenant = tenantWriter(ctx, orgId);
  for (const event of events) {
    for (const projection of PROJECTIONS) await projection.apply(tenant, event);
    await followEvent(ctx, event);
    await followClosing(ctx, event);
    await followChange(ctx, event);
    await followOverpayment(ctx, event);
    await followParked(ctx, event);
  }
}
