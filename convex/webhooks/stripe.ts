/**
 * DOOR: deliveries of Stripe's webhook. In this order: size, declared and as it comes (R44) → header → the ledger
 * component checks signature, freshness and form of the raw bytes, and writes nothing → the body is sealed → one
 * transaction records it and carries it out. Whatever is refused answers alike, so that nobody learns why.
 */
import { v } from "convex/values";
import { internal } from "../_generated/api.js";
import { internalMutation, type ActionCtx } from "../_generated/server.js";
import { logRefusedDelivery } from "../access/securityLog.ts";
import { checkDelivery, retakeDelivery, takeDelivery } from "../pipeline/deliveries.ts";
import { resumeWaiting, waitingValidator } from "../pipeline/parked.ts";
import { keepBody, sealBody } from "../vault/rawDeliveries.ts";
import { NONCE_BYTES } from "../vault/seal.ts";

/** Several times the largest event that Stripe sends. */
export const BODY_BYTES_MAX = 256 * 1024;
/** Longer than any header that is read. */
const HEADER_CHARACTERS_MAX = 4_096;

const SIGNATURE_HEADER = "stripe-signature";

/** What the door answers. `failed`: nothing was committed, and the provider will ask again. */
export type DoorAnswer = "accepted" | "refused" | "tooLarge" | "failed";

/** The body's bytes; null as soon as there are more than may be. */
async function readBounded(request: Request): Promise<Uint8Array<ArrayBuffer> | null> {
  const declared = request.headers.get("content-length");
  if (declared !== null && !(Number(declared) <= BODY_BYTES_MAX)) return null;
  if (request.body === null) return new Uint8Array(0);
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > BODY_BYTES_MAX) {
      await reader.cancel();
      return null;
    }
    parts.push(value);
  }
  const body = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    body.set(part, offset);
    offset += part.byteLength;
  }
  return body;
}

async function refused(ctx: ActionCtx, reason: string): Promise<DoorAnswer> {
  await logRefusedDelivery(ctx, "webhooks/stripe", reason);
  return "refused";
}

async function deliver(ctx: ActionCtx, header: string, bytes: Uint8Array<ArrayBuffer>): Promise<DoorAnswer> {
  const body = bytes.buffer;
  const checked = await checkDelivery(ctx, { header, body });
  if (checked.status === "refused") return await refused(ctx, checked.reason);
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const sealed = sealBody(checked, bytes, nonce);
  const taken = await ctx.runMutation(internal.webhooks.stripe.take, { header, body, sealed });
  return taken.status === "refused" ? await refused(ctx, taken.reason) : "accepted";
}

async function receive(ctx: ActionCtx, request: Request): Promise<DoorAnswer> {
  const header = request.headers.get(SIGNATURE_HEADER);
  const body = await readBounded(request);
  if (body === null) {
    await logRefusedDelivery(ctx, "webhooks/stripe", "TOO_LARGE");
    return "tooLarge";
  }
  if (header === null || header.length > HEADER_CHARACTERS_MAX) return await refused(ctx, "HEADER");
  return await deliver(ctx, header, body);
}

/** Takes one delivery. Never throws: what went wrong, a body that breaks off too, is logged and told as `failed`. */
export async function receiveStripe(ctx: ActionCtx, request: Request): Promise<DoorAnswer> {
  try {
    return await receive(ctx, request);
  } catch (error) {
    // The message may hold what was delivered; the failing transaction's own log has the rest.
    console.error(
      `webhooks/stripe: ${error instanceof Error ? error.name : "an error"}, nothing was committed`,
    );
    return "failed";
  }
}

const sealedValidator = v.object({ keyId: v.string(), nonce: v.bytes(), ciphertext: v.bytes() });

/** Records a delivery, keeps its sealed body where its type is listed, and carries out what it says, in one transaction. */
export const take = internalMutation({
  args: { header: v.string(), body: v.bytes(), sealed: sealedValidator },
  returns: v.union(
    v.object({ status: v.literal("refused"), reason: v.string() }),
    v.object({ status: v.literal("duplicate") }),
    v.object({ status: v.union(v.literal("applied"), v.literal("nothing"), v.literal("parked")) }),
  ),
  handler: async (ctx, { header, body, sealed }) => {
    const taken = await takeDelivery(ctx, { header, body });
    if (taken.status === "refused" || taken.status === "duplicate") return taken;
    const { deliveryId, bodySha256, reason } = taken.record;
    // What is in no list of ours is an account's own business, and nobody will have to look into it.
    if (reason !== "TYPE_NOT_LISTED") {
      await keepBody(ctx, { deliveryId, bodySha256, orgId: taken.listedFor }, sealed);
    }
    return { status: taken.status };
  },
});

/** Decides a parked delivery again, from its record and without its body. */
export const retake = internalMutation({
  args: { deliveryId: v.string() },
  returns: v.null(),
  handler: async (ctx, { deliveryId }) => {
    await retakeDelivery(ctx, deliveryId);
    return null;
  },
});

/** Schedules the parked deliveries that waited for the same, a page at a time. */
export const resume = internalMutation({
  args: { of: waitingValidator, after: v.number() },
  returns: v.null(),
  handler: async (ctx, { of, after }) => {
    await resumeWaiting(ctx, of, after);
    return null;
  },
});
