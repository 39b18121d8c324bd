/** Events, and the deliveries that each makes for the endpoints that want it. */
import type Stripe from "stripe";
import { newId } from "../state/ids.ts";
import type { Delivery } from "../state/simulatorState.ts";
import type { Work } from "../state/work.ts";
import type { DeliveryAlteration } from "./alterations.ts";
import type { WebhookEndpoint } from "./deliverySettings.ts";
import type { DeliverySwitch } from "./deliverySwitches.ts";

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What `before` held where `after` differs, as `data.previous_attributes` tells it. */
export function previousAttributes(before: Fields, after: Fields): Record<string, unknown> {
  const changed: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is] = [before[name], after[name]];
    if (JSON.stringify(was) === JSON.stringify(is)) continue;
    changed[name] = isFields(was) && isFields(is) ? previousAttributes(was, is) : (was ?? null);
  }
  return changed;
}

/** Whether an endpoint gets events of this type, of the platform or of a connected account. */
export function wants(endpoint: WebhookEndpoint, type: string, isConnected: boolean): boolean {
  const { scope = "all", events } = endpoint;
  const isInScope = scope === "all" || (scope === "connect") === isConnected;
  return isInScope && (events === undefined || events.includes("*") || events.includes(type));
}

const AMOUNTS = ["amount_total", "amount_received", "amount"];

/** Another amount, for a delivery that must not be taken for a repetition. */
function otherAmount(event: Stripe.Event): DeliveryAlteration {
  const object = event.data.object as unknown as Fields;
  const name = AMOUNTS.find((amount) => typeof object[amount] === "number");
  if (name === undefined) return { kind: "rewrite", path: "data.object.created", value: event.created - 1 };
  return { kind: "rewrite", path: `data.object.${name}`, value: Number(object[name]) + 1 };
}

function release(work: Work, held: readonly string[]): void {
  const { deliveries } = work.state;
  const places = held.map((id) => deliveries.findIndex((delivery) => delivery.id === id));
  const inOrder = places.map((place) => deliveries[place]).filter((delivery) => delivery !== undefined);
  const reversed = [...inOrder].reverse();
  places.forEach((place, position) => {
    const delivery = reversed[position];
    if (delivery === undefined) return;
    deliveries[place] = delivery;
    delivery.status = "pending";
    delivery.nextAttemptMs = work.nowMs;
  });
}

/** One delivery, and what the switches that it meets make of it. */
function addDelivery(work: Work, event: Stripe.Event, endpointId: string): void {
  const deliver = (alterations: DeliveryAlteration[]): Delivery => {
    const delivery: Delivery = {
      id: newId(work.ids, "delivery"),
      eventId: event.id,
      accountId: work.book.account.id,
      endpointId,
      status: "pending",
      alterations,
      attempts: [],
      nextAttemptMs: work.nowMs,
    };
    work.state.deliveries.push(delivery);
    return delivery;
  };
  const delivery = deliver([]);
  for (const item of work.settings.switches.take(event.type)) apply(work, event, delivery, item, deliver);
}

function apply(
  work: Work,
  event: Stripe.Event,
  delivery: Delivery,
  item: DeliverySwitch,
  deliver: (alterations: DeliveryAlteration[]) => Delivery,
): void {
  const { effect } = item;
  switch (effect.kind) {
    case "delay":
      delivery.nextAttemptMs = work.nowMs + effect.seconds * 1000;
      return;
    case "duplicate":
      for (let copy = 0; copy < effect.copies; copy += 1) deliver([]);
      return;
    case "drop":
      delivery.status = "dropped";
      return;
    case "other_body":
      deliver([otherAmount(event)]);
      return;
    case "alter":
      delivery.alterations.push(...effect.alterations);
      return;
    case "reorder":
      delivery.status = "held";
      item.held.push(delivery.id);
      if (item.times <= 0) release(work, item.held);
  }
}

/**
 * Records that something happened to an object: an event with a copy of it, and a delivery to each endpoint.
 * @param before the object as it was, for types that tell `previous_attributes`.
 */
export function recordEvent(work: Work, type: Stripe.Event.Type, object: object, before?: object): void {
  const { book, state, request } = work;
  const isConnected = book.account.id !== state.platformAccountId;
  const endpoints = [...work.settings.endpoints()].filter(([, endpoint]) =>
    wants(endpoint, type, isConnected),
  );
  const previous =
    before === undefined
      ? {}
      : { previous_attributes: previousAttributes(before as Fields, object as Fields) };
  // The union of the SDK's event types cannot be built from a type that is only known at run time.
  const event = {
    id: newId(work.ids, "event"),
    object: "event",
    ...(isConnected ? { account: book.account.id } : {}),
    api_version: work.settings.apiVersion,
    created: work.nowS,
    data: { object: structuredClone(object), ...previous },
    livemode: false,
    pending_webhooks: endpoints.length,
    request: { id: request.id, idempotency_key: request.idempotencyKey },
    type,
  } as unknown as Stripe.Event;
  book.events.set(event.id, event);
  for (const [endpointId] of endpoints) addDelivery(work, event, endpointId);
}

/** Sends what `reorder` holds, in the order that it has. */
export function releaseHeld(state: Work["state"], nowMs: number): number {
  const held = state.deliveries.filter(({ status }) => status === "held");
  for (const delivery of held) {
    delivery.status = "pending";
    delivery.nextAttemptMs = nowMs;
  }
  return held.length;
}
