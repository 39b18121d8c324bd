/**
 * What must have happened before some calls, and needs another's word: a payment that Stripe says is paid, an account
 * that was linked. Brought about within a rehearsal, through the ledger component's own door: deliveries are signed.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { ulid } from "ulid";
import { components } from "../../convex/_generated/api.js";
import type { MutationCtx } from "../../convex/_generated/server.js";
import { accept } from "../../convex/domain/decision.ts";
import type { NewEvent } from "../../convex/events/catalogue/catalogue.ts";
import { appendDecision, type Appending } from "../../convex/pipeline/ledger.ts";
import { project } from "../../convex/pipeline/project.ts";
import { PRICE_MINOR, type Name, type World } from "./world.ts";

/** The refunds that wait for approval, by who asked. */
export const REFUNDS = {
  owner: "rfd_01ARZ3NDEKTSV4RRFFQ69G5FA0",
  manager: "rfd_01ARZ3NDEKTSV4RRFFQ69G5FA1",
  peer: "rfd_01ARZ3NDEKTSV4RRFFQ69G5FA2",
} as const satisfies Partial<Record<Name, string>>;

type By = Pick<Appending, "actor" | "source">;

const JOB: By = {
  actor: { kind: "system", id: "effects/stripe" },
  source: { kind: "job", name: "effects/stripe" },
};

function byCommand(userId: string, role: string, name: string): By {
  return {
    actor: { kind: "user", id: userId, role },
    source: { kind: "command", name, key: ulid(), policy: "0".repeat(16) },
  };
}

/** Appends one event to a stream and projects it. */
async function append(
  ctx: MutationCtx,
  orgId: string,
  { event, version, by }: { event: NewEvent; version: number; by: By },
): Promise<void> {
  const { events } = await appendDecision(ctx, {
    orgId,
    decision: accept([event]),
    versions: new Map([[event.stream, version]]),
    correlationId: "cor_1",
    ...by,
  });
  await project(ctx, orgId, events);
}

/** A delivery of Stripe as it comes, signed now. */
function signed(type: string, object: object): { header: string; body: ArrayBuffer } {
  const created = Math.floor(Date.now() / 1000);
  const text = JSON.stringify({
    id: `evt_${ulid()}`,
    object: "event",
    api_version: "2026-10-28.endive",
    ...{ created, type, livemode: false },
    data: { object },
  });
  const [secret = ""] = (process.env["DAYBOOK_STRIPE_WEBHOOK_SECRETS"] ?? "").split(",");
  const signature = bytesToHex(hmac(sha256, utf8ToBytes(secret), utf8ToBytes(`${created}.${text}`)));
  const body = new TextEncoder().encode(text);
  return { header: `t=${created},v1=${signature}`, body: body.buffer };
}

const INTENT = "pi_3MATRIXMATRIX";

/** Pays what was asked for staff's booking, and lets several people ask for a refund that needs approval. */
export async function payAndAskForRefunds(ctx: MutationCtx, world: World): Promise<void> {
  const { orgId, people } = world;
  const stream = `payment/${world.payments.staff}`;
  const created = { paymentIntentId: INTENT, livemode: false };
  await append(ctx, orgId, {
    event: { stream, type: "payment.created", data: created },
    version: 1,
    by: JOB,
  });
  const intent = { object: "payment_intent", id: INTENT, amount: PRICE_MINOR, amount_received: PRICE_MINOR };
  const delivery = signed("payment_intent.succeeded", { ...intent, currency: "eur", status: "succeeded" });
  const received = await ctx.runMutation(components.events.deliveries.receive, delivery);
  if (received.status !== "received") throw new Error(`the delivery was ${received.status}`);
  const data = { paymentIntentId: INTENT, amountMinor: PRICE_MINOR, currency: "EUR" };
  const by: By = { actor: { kind: "provider", id: "stripe" }, source: received.source };
  await append(ctx, orgId, { event: { stream, type: "payment.confirmed", data }, version: 2, by });
  let version = 3;
  for (const name of ["owner", "manager", "peer"] as const) {
    const role = name === "owner" ? "owner" : "manager";
    const refund = { refundId: REFUNDS[name], amountMinor: 1, reason: "other", needsApproval: true } as const;
    const event = { stream, type: "payment.refundRequested", data: refund } as const;
    const asked = byCommand(people[name].userId, role, "payments.requestRefund");
    await append(ctx, orgId, { event, version, by: asked });
    version += 1;
  }
}

/** Lets the link that the owner has begun lead to an account. */
export async function linkAccount(ctx: MutationCtx, world: World): Promise<void> {
  const { orgId, people } = world;
  const stream = `stripeAccount/${orgId}`;
  const row = await ctx.db
    .query("stripeAccounts")
    .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
    .unique();
  const linkId = row?.pending?.linkId ?? "";
  await append(ctx, orgId, {
    event: { stream, type: "stripeAccount.linkReturned", data: { linkId } },
    version: 1,
    by: byCommand(people.owner.userId, "owner", "stripeAccount.completeLink"),
  });
  const account = { linkId, account: "acct_1MATRIXMATRIX", livemode: false };
  await append(ctx, orgId, {
    event: { stream, type: "stripeAccount.linked", data: account },
    version: 2,
    by: JOB,
  });
}
