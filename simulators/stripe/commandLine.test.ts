/** The command: what it starts, prints and refuses. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runCommandLine } from "./commandLine.ts";
import { CARD_PAYMENT, sdkFor, startTestSimulator } from "./testing/testSimulator.ts";
import type { TestSimulator } from "./testing/testSimulator.ts";

let world: TestSimulator;
let out: string;
let err: string;
beforeEach(async () => {
  world = await startTestSimulator();
  out = "";
  err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    out += String(chunk);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
    err += String(chunk);
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await world.close();
});

/** Runs a command against the test's simulator; gives its exit code. */
const run = (...parameters: string[]) => runCommandLine([...parameters, "--url", world.url]);

const open = () => world.stripe.paymentIntents.create(CARD_PAYMENT);
const statusOf = async (id: string) => (await world.stripe.paymentIntents.retrieve(id)).status;

test("payers' commands act on a payment and print it", async () => {
  const { id } = await open();
  expect(await run("require-action", id)).toBe(0);
  expect(await statusOf(id)).toBe("requires_action");
  expect(await run("process", id)).toBe(0);
  expect(await run("fail", id, "--decline", "insufficient_funds")).toBe(0);
  const { last_payment_error: error } = await world.stripe.paymentIntents.retrieve(id);
  expect(error?.decline_code).toBe("insufficient_funds");
  expect(await run("succeed", id)).toBe(0);
  expect(out).toContain(id);
  expect(await statusOf(id)).toBe("succeeded");
});

test("refunds and disputes run by command", async () => {
  const first = await open();
  await run("succeed", first.id);
  expect(await run("refund", first.id, "--amount", "500", "--pending")).toBe(0);
  const [refund] = (await world.stripe.refunds.list({ payment_intent: first.id })).data;
  expect(refund).toMatchObject({ amount: 500, status: "pending" });
  expect(await run("settle-refund", refund?.id ?? "", "fail")).toBe(0);
  expect(await run("dispute", first.id, "--reason", "product_not_received")).toBe(0);
  const [dispute] = (await world.stripe.disputes.list()).data;
  expect(dispute).toMatchObject({ reason: "product_not_received", amount: 2000 });
  expect(await run("decide-dispute", dispute?.id ?? "", "lost")).toBe(0);
  expect((await world.stripe.disputes.retrieve(dispute?.id ?? "")).status).toBe("lost");
});

test("accounts are made and deauthorised by command", async () => {
  expect(await run("create-account", "Studio Blue")).toBe(0);
  const id = /acct_1[0-9A-Za-z]{15}/.exec(out)?.[0] ?? "";
  expect(await run("charges", id, "off")).toBe(0);
  expect((await world.stripe.accounts.retrieve(id)).charges_enabled).toBe(false);
  expect(await run("charges", id, "maybe")).toBe(1);
  expect(await run("deauthorise", id)).toBe(0);
  expect(await run("deauthorise", id)).toBe(1);
  expect(err).toContain("is not a connected account");
});

test("lists are tables", async () => {
  const { id } = await open();
  for (const list of ["payments", "sessions", "refunds", "disputes", "events", "deliveries", "accounts"]) {
    expect(await run(list)).toBe(0);
  }
  expect(out).toContain(id);
  expect(out).toContain("payment_intent.created");
  expect(out).toContain("none");
});

test("delivery switches and faults are set, shown and cleared", async () => {
  expect(await run("alter", "delay", "--seconds", "60", "--type", "charge.succeeded", "--times", "2")).toBe(
    0,
  );
  expect(await run("alter", "rewrite", "--path", "data.object.amount", "--value", "1")).toBe(0);
  expect(await run("fault", "slow", "--delay-ms", "10", "--method", "GET", "--path", "/v1/events")).toBe(0);
  out = "";
  expect(await run("switches")).toBe(0);
  expect(await run("faults")).toBe(0);
  for (const word of ["delay", "rewrite", "charge.succeeded", "slow", "/v1/events"])
    expect(out).toContain(word);
  expect(await run("clear")).toBe(0);
  out = "";
  await run("switches");
  expect(out.trim()).toBe("none");
  for (const command of ["retry", "release"]) expect(await run(command)).toBe(0);
});

test("what is wrong is said, with exit code 1", async () => {
  expect(await run("succeed", "pi_none")).toBe(1);
  expect(err).toContain("No such object: 'pi_none'");
  expect(await run("alter", "delay")).toBe(1);
  expect(await run("fault", "nonsense")).toBe(1);
  expect(await run("refund", "pi_none", "--amount", "1.5")).toBe(1);
  expect(await runCommandLine(["payments", "--url", "http://127.0.0.1:9"])).toBe(1);
  expect(err).toContain("No simulator answers");
});

test("start prints where it listens and a key that works, and ends on SIGTERM", async () => {
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, "start", "--port", "0", "--webhook-url", world.endpoint.url], {
    env: { PATH: process.env["PATH"] },
  });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  await expect.poll(() => printed, { timeout: 50_000 }).toContain("Connect:");
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0] ?? "";
  const key = /sk_test_\w+/.exec(printed)?.[0] ?? "";
  const secret = /whsec_\w+/.exec(printed)?.[0] ?? "";
  const { id } = await sdkFor(url, key).paymentIntents.create(CARD_PAYMENT);
  await expect.poll(() => world.endpoint.received.length, { timeout: 50_000 }).toBe(1);
  const [received] = world.endpoint.received;
  const event = world.stripe.webhooks.constructEvent(received?.body ?? "", received?.signature ?? "", secret);
  expect(event.data.object).toMatchObject({ id });
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number | null];
  expect(code).toBe(0);
});

test("every command line of the README is one that the program takes", async () => {
  const readme = await readFile(new URL("README.md", import.meta.url), "utf8");
  const lines = [...readme.matchAll(/^npm run simulator -- ([^#\n]+)/gm)].map(([, line = ""]) => line.trim());
  expect(lines.length).toBeGreaterThan(25);
  for (const line of lines) {
    const [name = "", ...rest] = line.split(/\s+/);
    out = "";
    expect(await runCommandLine([name, "--help"])).toBe(0);
    expect(out).toContain(`Usage: simulator ${name}`);
    for (const flag of rest.filter((word) => word.startsWith("--"))) expect(out).toContain(`  ${flag}`);
  }
});

test("start refuses production", async () => {
  vi.stubEnv("DAYBOOK_ENV", "production");
  expect(await runCommandLine(["start", "--port", "0"])).toBe(1);
  vi.unstubAllEnvs();
  expect(err).toContain("production");
});
