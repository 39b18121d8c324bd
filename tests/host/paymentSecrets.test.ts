/**
 * What must not be readable from the database alone: looked for byte by byte in the host's files, where it is sealed or
 * not at all. Each canary has been through the host: the payer's secret, the link's code, a raw body's e-mail address.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import {
  intentOf,
  openPaymentScene,
  payerSecret,
  requestPayment,
  untilStatus,
  type PaymentScene,
} from "../support/paymentScene.ts";
import { committed, eventually, freshly, key } from "../support/scene.ts";
import { eventOf, headerFor, succeeded } from "../support/stripe.ts";

let scene: PaymentScene;

beforeAll(async () => {
  scene = await openPaymentScene();
});
afterAll(async () => {
  await scene.backend.close();
});

/** Development's own secrets, and the books of the stand-in for Stripe, whose secrets these are. */
const KEPT_IN_CLEAR = ["development.json", "stripe-simulator.json"];

/** The database, its journal and whatever else lies beside it. */
function stored(): Map<string, string> {
  const { dataDir } = scene.backend.host;
  const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !KEPT_IN_CLEAR.includes(entry.name),
  );
  return new Map(
    files.map((entry) => [entry.name, readFileSync(path.join(entry.parentPath, entry.name), "latin1")]),
  );
}

async function linkWithCode(): Promise<string> {
  const owner = await freshly(scene.backend, scene.owner, scene.orgId);
  const begun = committed(
    await owner.mutation(api.commands.stripeAccount.beginLink, { idempotencyKey: key() }),
  );
  const { location } = await scene.simulator.flip<{ location: string }>("oauth/authorize", {
    ...{ redirect_uri: `${scene.backend.host.siteUrl}/stripe/linked`, account: "new" },
    state: begun.result.state,
  });
  const code = new URL(location).searchParams.get("code") ?? "";
  const { state = "" } = begun.result;
  committed(
    await owner.mutation(api.commands.stripeAccount.completeLink, { state, code, idempotencyKey: key() }),
  );
  await eventually(
    async () => (await owner.query(api.projections.stripeAccount.current, {}))?.status === "linked",
  );
  return code;
}

test("R60 R61 payers' secrets, codes, raw bodies and signing secrets are in no file of the database in clear", async () => {
  const { backend, owner, orgId } = scene;
  const { paymentId } = await requestPayment(scene);
  const clientSecret = (await payerSecret(scene, paymentId)).value;
  const webhookSecret = backend.host.secret("DAYBOOK_STRIPE_WEBHOOK_SECRETS");
  const email = "CANARY.payer@example.com";
  const event = succeeded(intentOf(clientSecret), { receipt_email: email });
  const customer = eventOf("customer.created", { id: "cus_1", object: "customer", email });
  for (const sent of [event, customer]) {
    const body = JSON.stringify(sent);
    const header = await headerFor(body, { secret: webhookSecret });
    const door = `${backend.host.siteUrl}/webhooks/stripe`;
    const answer = await fetch(door, { method: "POST", headers: { "stripe-signature": header }, body });
    expect(answer.status).toBe(200);
    const kept = await backend.operator.query(internal.operator.deliveries.raw, { deliveryId: sent.id });
    // Of a type that nobody here listens to nothing is kept at all.
    expect(kept.map(({ text }) => text)).toEqual(sent === event ? [body] : []);
  }
  await untilStatus(scene, paymentId, "paid");
  const code = await linkWithCode();
  expect(code).not.toBe("");

  // Written out, so that what was in the journal only is looked through as well.
  await backend.host.kill("SIGTERM");
  const files = stored();
  expect([...files.keys()]).toContain("daybook.sqlite");
  const all = [...files.values()].join("\n");
  // What is looked for would be found: ids of the same rows are.
  for (const id of [orgId, paymentId, event.id, intentOf(clientSecret)]) expect(all).toContain(id);
  const utf16 = (text: string): string => Buffer.from(text, "utf16le").toString("latin1");
  const base64 = (text: string): string => Buffer.from(text).toString("base64").replace(/=+$/, "");
  for (const [what, secret] of Object.entries({
    ...{ clientSecret, code, email, webhookSecret },
    secretAlone: clientSecret.slice(clientSecret.indexOf("_secret_")),
    simulatorKey: backend.host.secret("simulatorKey"),
  })) {
    for (const form of [secret, utf16(secret), base64(secret), Buffer.from(secret).toString("hex")]) {
      const found = [...files].filter(([, text]) => text.includes(form)).map(([name]) => name);
      expect([what, found]).toEqual([what, []]);
    }
    expect([what, backend.host.output.includes(secret)]).toEqual([what, false]);
  }
  await backend.host.start();
  expect(await owner.client.query(api.projections.payments.payerSecret, { paymentId })).toBeNull();
});
