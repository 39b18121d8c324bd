/**
 * A job's way through the corridor: what came of an effect is decided on the aggregate as it stands now, appended with
 * the job as actor and source, projected, and its own effects are scheduled. No principal and no policy row: no client
 * reaches it. Of an organisation that was removed meanwhile only the ledger goes on. A ledger that is held for damage
 * takes no outcome: it is thrown, so that the effect stays as it was and, when the hold is lifted and its lease has
 * ended, is run again under the same key.
 */
import { ulid } from "ulid";
import type { MutationCtx } from "../_generated/server.js";
import { integrityFreezeOf, isRemoved } from "../access/lifecycle.ts";
import { accept, type Aggregate } from "../domain/decision.ts";
import type { OutcomeDecision } from "../domain/paymentOutcomes.ts";
import { scheduleEffects } from "./effects.ts";
import { appendDecision, loadAggregate } from "./ledger.ts";
import { project } from "./project.ts";

/** Runs a decider of outcomes on a stream and commits what it decides. Returns whether that was anything. */
export async function commitOutcome<State>(
  ctx: MutationCtx,
  of: { orgId: string; stream: string; aggregate: Aggregate<State>; job: string },
  decide: (state: State) => OutcomeDecision,
): Promise<boolean> {
  const { orgId, stream, job } = of;
  if ((await integrityFreezeOf(ctx, orgId)) !== null)
    throw new Error(`${orgId} is held: its ledger is damaged`);
  const { state, version } = await loadAggregate(ctx, orgId, stream, of.aggregate);
  const decision = decide(state);
  if (decision.kind === "nothing") return false;
  const { events } = await appendDecision(ctx, {
    orgId,
    decision: accept(decision.events),
    versions: new Map([[stream, version]]),
    actor: { kind: "system", id: job },
    source: { kind: "job", name: job },
    correlationId: `cor_${ulid(Date.now(), Math.random)}`,
  });
  if (await isRemoved(ctx, orgId)) return true;
  await project(ctx, orgId, events);
  await scheduleEffects(ctx, orgId, events);
  return true;
}
