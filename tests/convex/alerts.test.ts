/** Delivery of alerts on the test library, whose clock can be set; the receiver stands in for the network. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { internal } from "../../convex/_generated/api.js";
import type { MutationCtx } from "../../convex/_generated/server.js";
import { raiseAlert } from "../../convex/access/alerts.ts";
import { ATTEMPTS_MAX, LEASE_MS, PENDING_MAX, retryDelayMs } from "../../convex/access/outbox.ts";
import { alertsContract, type AlertScene } from "../contract/alerts.ts";
import { AlertReceiver, REDIRECTED_TO, verified, WEBHOOK_SECRET } from "../support/alertReceiver.ts";
import { committed, eventually, foundOrganization } from "../support/scene.ts";
import { openTestBackend, type TestBackend } from "../support/testBackend.ts";

const URL_OF_RECEIVER = "https://alerts.example/daybook";
const RECEIVER = {
  DAYBOOK_ALERT_WEBHOOK_URL: URL_OF_RECEIVER,
  DAYBOOK_ALERT_WEBHOOK_SECRET: WEBHOOK_SECRET,
};

type Scene = AlertScene & { backend: TestBackend; sent: RequestInit[] };

function open(): Scene {
  const receiver = new AlertReceiver();
  const sent: RequestInit[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit): Promise<Response> => {
    sent.push(init);
    const { body } = init;
    if (typeof body !== "string") throw new Error("a message is text");
    const headers = Object.fromEntries(new Headers(init.headers));
    receiver.deliveries.push({ path: new URL(url).pathname, headers, body });
    expect(url).toBe(URL_OF_RECEIVER);
    expect(init.redirect).toBe("manual");
    const { behaviour } = receiver;
    if (behaviour === "redirect") {
      return new Response(null, { status: 302, headers: { location: REDIRECTED_TO } });
    }
    if (behaviour !== "hang") return new Response(null, { status: behaviour });
    return await new Promise<never>((_resolve, reject) => {
      init.signal?.addEventListener("abort", () => {
        reject(new DOMException("took too long", "TimeoutError"));
      });
    });
  });
  return { backend: openTestBackend(RECEIVER), receiver, sent };
}

describe("alerts on convex-test", () => {
  alertsContract(() => Promise.resolve(open()));
});

/** Runs in one transaction, as a function of the backend does. */
async function transact<T>({ backend }: Scene, run: (ctx: MutationCtx) => Promise<T>): Promise<T> {
  // The test library takes a function where clients take a reference.
  const t = backend.t as unknown as { mutation(run: (ctx: MutationCtx) => Promise<T>): Promise<T> };
  return await t.mutation(run);
}

async function effects({ backend }: Scene, orgId: string, status: "pending" | "running" | "done" | "failed") {
  return await backend.operator.query(internal.effects.outbox.list, { orgId, status });
}

/** An effect and its alert as they stand when the scheduled action was lost. */
async function plant(scene: Scene, orgId: string, attempt?: { leaseEnds: number }): Promise<void> {
  const now = Date.now();
  await transact(scene, async ({ db }) => {
    await db.insert("alerts", {
      ...{ orgId, alertId: "alr_1", at: now, kind: "LIMIT_REACHED", dedupeKey: "d", deliveredAt: null },
      outboxId: "out_1",
    });
    await db.insert("outbox", {
      ...{ orgId, outboxId: "out_1", kind: "alert.deliver", subject: "alr_1", idempotencyKey: "msg_alr_1" },
      ...{ neverRests: false, createdAt: now, updatedAt: now, lastError: null },
      status: attempt === undefined ? "pending" : "running",
      attempts: attempt === undefined ? 0 : 1,
      notBefore: attempt?.leaseEnds ?? now,
    });
  });
}

describe("an effect whose action was lost", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("is taken up by the sweep, in whichever organisation", async () => {
    const scene = open();
    const first = await foundOrganization(scene.backend);
    const second = await foundOrganization(scene.backend);
    for (const { orgId } of [first, second]) await plant(scene, orgId);
    await scene.backend.operator.mutation(internal.workers.outbox.next, {});
    for (const { orgId } of [first, second]) {
      await eventually(async () => (await effects(scene, orgId, "done")).length === 1);
    }
    expect(scene.receiver.deliveries).toHaveLength(2);
  });

  test("between its sending and its settling is sent again under the same id, once its lease has ended", async () => {
    const scene = open();
    const { orgId } = await foundOrganization(scene.backend);
    const leaseEnds = Date.now() + LEASE_MS;
    await plant(scene, orgId, { leaseEnds });
    const claim = async () =>
      await scene.backend.operator.mutation(internal.effects.outbox.claim, { orgId, outboxId: "out_1" });
    vi.setSystemTime(leaseEnds - 1);
    expect(await claim()).toBeNull();
    vi.setSystemTime(leaseEnds);
    await scene.backend.operator.mutation(internal.workers.outbox.next, {});
    await eventually(async () => (await effects(scene, orgId, "done")).length === 1);
    expect(scene.receiver.deliveries.map(({ headers }) => headers["webhook-id"])).toEqual(["msg_alr_1"]);
    const late = await scene.backend.operator.mutation(internal.effects.alerts.settle, {
      ...{ orgId, outboxId: "out_1", attempt: 1 },
      outcome: { status: "retry", error: "RECEIVER_FAILED" },
    });
    expect(late).toBe(false);
    expect(await effects(scene, orgId, "done")).toHaveLength(1);
  });

  test("is tried again after half a minute, then twice as long each time, six hours at most", async () => {
    const scene = open();
    scene.receiver.behaviour = 500;
    const { orgId } = await foundOrganization(scene.backend);
    await plant(scene, orgId);
    for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt += 1) {
      await scene.backend.operator.mutation(internal.workers.outbox.next, {});
      await eventually(async () => (await effects(scene, orgId, "pending"))[0]?.attempts === attempt);
      const [row] = await effects(scene, orgId, "pending");
      expect((row?.notBefore ?? 0) - Date.now()).toBe(retryDelayMs(attempt));
      vi.setSystemTime(Date.now() + retryDelayMs(attempt));
    }
    const delays = Array.from({ length: ATTEMPTS_MAX }, (_, index) => retryDelayMs(index + 1));
    expect(delays.slice(0, 3)).toEqual([30_000, 60_000, 120_000]);
    expect(Math.max(...delays)).toBe(6 * 3_600_000);
  });
});

test("C03 an effect is claimed and settled under its own organisation only", async () => {
  const scene = open();
  const { orgId } = await foundOrganization(scene.backend);
  const other = await foundOrganization(scene.backend);
  await plant(scene, orgId);
  const of = { orgId: other.orgId, outboxId: "out_1" };
  expect(await scene.backend.operator.mutation(internal.effects.outbox.claim, of)).toBeNull();
  expect(await scene.backend.operator.query(internal.effects.alerts.message, of)).toBeNull();
  const outcome = { status: "done" } as const;
  const settled = scene.backend.operator.mutation(internal.effects.alerts.settle, {
    ...of,
    attempt: 1,
    outcome,
  });
  expect(await settled).toBe(false);
  expect(await effects(scene, orgId, "pending")).toHaveLength(1);
});

test("R52 a receiver that takes the connection and says nothing is given up", async () => {
  const scene = open();
  const deadline = new AbortController();
  const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValue(deadline.signal);
  scene.receiver.behaviour = "hang";
  const { orgId } = await foundOrganization(scene.backend);
  await plant(scene, orgId);
  await scene.backend.operator.mutation(internal.workers.outbox.next, {});
  await eventually(() => Promise.resolve(scene.sent.length === 1));
  expect(timeout).toHaveBeenCalledWith(10_000);
  expect(scene.sent[0]?.signal).toBe(deadline.signal);
  deadline.abort();
  await eventually(
    async () => (await effects(scene, orgId, "pending"))[0]?.lastError === "RECEIVER_TIMED_OUT",
  );
  timeout.mockRestore();
});

test("L09 what waits in an organisation is bounded: alerts beyond share one message", async () => {
  const scene = open();
  const { orgId } = await foundOrganization(scene.backend);
  const { organizations: operator } = internal.operator;
  committed(await scene.backend.operator.mutation(operator.freeze, { orgId, reason: "other" }));
  const beyond = 3;
  for (let raised = 0; raised < PENDING_MAX + beyond; raised += 1) {
    await transact(scene, async (ctx) => {
      await raiseAlert(ctx, orgId, { kind: "LIMIT_REACHED", dedupeKey: String(raised) });
    });
  }
  const waiting = async () =>
    await scene.backend.t.run(async ({ db }) => (await db.query("outbox").collect()).length);
  expect(await waiting()).toBe(PENDING_MAX);
  committed(await scene.backend.operator.mutation(operator.unfreeze, { orgId }));
  await eventually(
    async () =>
      await scene.backend.t.run(async ({ db }) =>
        (await db.query("alerts").collect()).every(({ deliveredAt }) => deliveredAt !== null),
      ),
  );
  expect(await waiting()).toBe(PENDING_MAX + 1);
  const counts = scene.receiver.deliveries.map(
    (delivery) => (verified(delivery) as { data: { count: number } }).data.count,
  );
  expect(counts.sort((a, b) => a - b)).toEqual([...Array.from({ length: PENDING_MAX }, () => 1), beyond]);
});
