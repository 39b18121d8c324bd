/**
 * The account of an organisation that is removed: the ledger says that it is linked no more, so that another
 * organisation can link it. At the provider nothing is called off.
 */
import type { MutationCtx } from "../_generated/server.js";
import { decideReleased, stripeAccount } from "../domain/stripeAccount.ts";
import { commitOutcome } from "./outcome.ts";

/** Ends a removed organisation's link and returns 1; 0 when there is none. Throws for one that is not closed. */
export async function releaseAccount(ctx: MutationCtx, orgId: string): Promise<number> {
  const place = {
    ...{ orgId, stream: `stripeAccount/${orgId}` },
    ...{ aggregate: stripeAccount, job: "worker/closing" },
  };
  return (await commitOutcome(ctx, place, decideReleased)) ? 1 : 0;
}
