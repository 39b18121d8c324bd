/** What the operator sees of deliveries on a running host, and does about them from the command line. */
import { spawn } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { exitOf } from "../support/hostProcess.ts";
import {
  created,
  deliver,
  listed,
  requestPayment,
  statusOf,
  type PaymentBackend,
} from "../support/payments.ts";
import { headerFor, nowSeconds, providerId, succeeded } from "../support/stripe.ts";
import { STRIPE_ENVIRONMENT } from "../support/stripeEnvironment.ts";

const ROOT = path.join(import.meta.dirname, "../..");

let backend: HostBackend;
let on: PaymentBackend;

beforeAll(async () => {
  backend = await openHostBackend({ ...STRIPE_ENVIRONMENT });
  on = {
    backend,
    post: async (body, header) => {
      const headers = header === null ? {} : { "stripe-signature": header };
      const response = await fetch(`${backend.host.siteUrl}/webhooks/stripe`, {
        method: "POST",
        headers,
        body,
      });
      return { status: response.status, text: await response.text() };
    },
    append: () => Promise.reject(new Error("nothing is appended past the door here")),
  };
});
afterAll(async () => {
  await backend.close();
});

type Ended = { exit: number | null; stdout: string; stderr: string };

async function run(...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, ["embedded/main.ts", ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, DATA_DIR: backend.host.dataDir, DAYBOOK_URL: backend.host.url },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return { exit: await exitOf(child), stdout, stderr };
}

test("deliveries prints what is parked, resolve-delivery and dismiss-delivery decide it", async () => {
  const asked = await requestPayment(on);
  const early = succeeded(asked.intentId);
  await deliver(on, early);
  const list = await run("deliveries");
  expect(list).toMatchObject({ exit: 0, stderr: "" });
  expect(JSON.parse(list.stdout)).toMatchObject({
    page: [{ deliveryId: early.id, type: "payment_intent.succeeded", reason: "UNKNOWN_OBJECT", orgId: null }],
    isDone: true,
  });

  const tooSoon = await run("resolve-delivery", early.id, "--operator", "on-call");
  expect(JSON.parse(tooSoon.stdout)).toEqual({
    ...{ status: "committed", outcome: "parked", reason: "UNKNOWN_OBJECT" },
  });
  const wrong = succeeded(asked.intentId, { amount_received: 1 });
  await deliver(on, wrong);
  await created(on, asked);
  await expect.poll(() => statusOf(asked.owner.client, asked.paymentId)).toBe("paid");
  const own = await run("deliveries", "--org", asked.orgId, "--reason", "AMOUNT_MISMATCH");
  expect(JSON.parse(own.stdout)).toMatchObject({ page: [{ deliveryId: wrong.id }], isDone: true });
  for (const other of [
    ["--org", "org_NOBODY"],
    ["--reason", "WRONG_MODE"],
    ["--cursor", "1"],
  ]) {
    expect(JSON.parse((await run("deliveries", ...other)).stdout)).toMatchObject({ page: [] });
  }
  const strange = await run("deliveries", "--cursor", "elsewhere");
  expect(strange).toMatchObject({ exit: 2, stdout: "" });
  const late = await run("resolve-delivery", early.id);
  expect(late).toMatchObject({ exit: 1, stdout: "" });
  expect(late.stderr).toContain("NOT_FOUND");

  const whim = await run("dismiss-delivery", wrong.id, "--reason", "whim");
  expect(whim).toMatchObject({ exit: 1, stdout: "" });
  expect(whim.stderr).toContain("settled_at_provider");
  const dismissed = await run("dismiss-delivery", wrong.id, "--reason", "test", "--operator", "on-call");
  expect(dismissed).toMatchObject({ exit: 0, stderr: "" });
  expect(JSON.parse(dismissed.stdout)).toEqual({
    ...{ status: "committed", outcome: "dismissed", reason: "test" },
  });
  expect(await listed(asked.owner.client, wrong.id)).toMatchObject([{ status: "dismissed" }]);
  expect(JSON.parse((await run("deliveries")).stdout)).toMatchObject({ page: [], isDone: true });
  expect((await run("dismiss-delivery", providerId("evt"), "--reason", "test")).exit).toBe(1);
});

test("E25 the metrics count refused deliveries by reason, and the log has each with its request id", async () => {
  const body = JSON.stringify(succeeded(providerId("pi"), { receipt_email: "CANARY@example.com" }));
  const counts = async (): Promise<number[]> => {
    const text = await (await fetch(`${backend.host.url}/metrics`)).text();
    return ["SIGNATURE", "STALE", "HEADER", "other"].map((reason) => {
      const line = text
        .split("\n")
        .find((one) => one.includes(`deliveries_refused_total{reason="${reason}"}`));
      return Number(line?.split(" ").at(-1));
    });
  };
  expect(await counts()).toEqual([0, 0, 0, 0]);
  await on.post(`${body} `, await headerFor(body));
  await on.post(body, await headerFor(body, { secret: "whsec_forged" }));
  await on.post(body, await headerFor(body, { seconds: nowSeconds() - 400 }));
  await on.post(body, null);
  await expect.poll(counts).toEqual([2, 1, 1, 0]);
  expect(backend.host.output).toMatch(
    /"outcome":"refused","function":"webhooks\/stripe","code":"STALE","requestId":"[0-9a-f]{16}"/,
  );
  expect(backend.host.output).not.toContain("CANARY");
});
