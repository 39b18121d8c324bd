/** The door of Stripe's deliveries over real HTTP, with the secret where only the ledger component has it. */
import { request } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deliveriesContract } from "../contract/deliveries.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { openPayment, statusOf, type Answer, type PaymentBackend } from "../support/payments.ts";
import { headerFor, STRIPE_ENVIRONMENT, succeeded, WEBHOOK_SECRET } from "../support/stripe.ts";

let backend: HostBackend;
let on: PaymentBackend;

const door = (): string => `${backend.host.siteUrl}/webhooks/stripe`;

/** Calls a function of the ledger component with the deployment's key. */
async function callComponent(kind: "query" | "mutation", path: string, args: unknown): Promise<unknown> {
  const response = await fetch(`${backend.host.url}/api/${kind}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Convex ${backend.host.adminKey()}` },
    body: JSON.stringify({ path, componentPath: "events", args, format: "json" }),
  });
  const answer = (await response.json()) as { status?: string; value?: unknown; errorMessage?: string };
  if (answer.status !== "success") throw new Error(answer.errorMessage ?? JSON.stringify(answer));
  return answer.value;
}

beforeAll(async () => {
  backend = await openHostBackend({ ...STRIPE_ENVIRONMENT });
  on = {
    backend,
    post: async (body, header) => {
      const headers = {
        "content-type": "application/json",
        ...(header === null ? {} : { "stripe-signature": header }),
      };
      const response = await fetch(door(), { method: "POST", headers, body });
      return { status: response.status, text: await response.text() };
    },
    append: async (args) => await callComponent("mutation", "append:append", args),
  };
});
afterAll(async () => {
  await backend.close();
});

deliveriesContract(() => Promise.resolve(on));

/** A request as it is, without what fetch would add or refuse. */
async function raw(
  headers: Record<string, string | string[]>,
  parts: readonly (string | Buffer)[],
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const sent = request(door(), { method: "POST", headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    sent.on("error", reject);
    for (const part of parts) sent.write(part);
    sent.end();
  });
}

test("WH-405 other methods are told which one there is", async () => {
  for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    const response = await fetch(door(), { method });
    expect([method, response.status, response.headers.get("allow")]).toEqual([method, 405, "POST"]);
  }
});

test("E15 a body in chunks counts as it comes, and a compressed one is not unpacked", async () => {
  const { owner, paymentId, intentId } = await openPayment(on);
  const body = JSON.stringify(succeeded(intentId));
  const header = await headerFor(body);
  const chunked = { "transfer-encoding": "chunked", "stripe-signature": header };
  const big = "x".repeat(64 * 1024);
  expect((await raw(chunked, [big, big, big, big, "x"])).status).toBe(413);
  const zipped = gzipSync(Buffer.alloc(20 * 1024 * 1024));
  expect((await raw({ "content-encoding": "gzip", "stripe-signature": header }, [zipped])).status).toBe(400);
  expect(await statusOf(owner.client, paymentId)).toBe("awaiting_payment");
  // Two signature headers are one header with a comma, as HTTP has it, and no header of Stripe's.
  expect((await raw({ "stripe-signature": [header, header] }, [body])).status).toBe(400);
  expect((await raw(chunked, [body.slice(0, 40), body.slice(40)])).status).toBe(200);
  expect(await statusOf(owner.client, paymentId)).toBe("paid");
});

test("E15 a declared length of 21 MB is refused without being read", async () => {
  const response = await raw({ "content-length": String(21 * 1024 * 1024) }, [
    Buffer.alloc(21 * 1024 * 1024),
  ]).catch((error: unknown) => ({ status: 0, text: String(error) }));
  expect([413, 0]).toContain(response.status);
});

test("the signing secret is in no answer, log or row", async () => {
  const { intentId } = await openPayment(on);
  const body = JSON.stringify(succeeded(intentId));
  const answer = await on.post(body, await headerFor(body));
  expect(answer.text).not.toContain(WEBHOOK_SECRET);
  expect(backend.host.output).not.toContain(WEBHOOK_SECRET);
});

test("F25 a crash of the host leaves a delivery taken whole or not at all, and the next try completes it once", async () => {
  const target = await openPayment(on);
  const body = JSON.stringify(succeeded(target.intentId));
  const header = await headerFor(body);
  const first = on.post(body, header).catch(() => null);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await backend.host.kill();
  await first;
  await backend.host.start();
  expect((await on.post(body, await headerFor(body))).status).toBe(200);
  expect((await on.post(body, await headerFor(body))).status).toBe(200);
  expect(await statusOf(target.owner.client, target.paymentId)).toBe("paid");
});
