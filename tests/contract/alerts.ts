/** What the operator's receiver of alerts gets, and what becomes of an alert that it does not get. */
import { expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { ATTEMPTS_MAX } from "../../convex/access/outbox.ts";
import { REDIRECTED_TO, verified, type AlertReceiver } from "../support/alertReceiver.ts";
import type { Backend } from "../support/backend.ts";
import {
  codeOf,
  committed,
  eventually,
  FIRST_PAGE,
  foundOrganization,
  key,
  type Actor,
} from "../support/scene.ts";

export type AlertScene = { backend: Backend; receiver: AlertReceiver };

const DAMAGE = { seq: 1, kind: "altered" };

/** Raises the alert that an auditor's report raises. */
async function report({ backend }: AlertScene, orgId: string): Promise<void> {
  await backend.operator.mutation(internal.workers.integrity.report, { orgId, ...DAMAGE });
}

/** Is refused as often as it takes to raise an alert. */
async function beRefused({ client }: Actor): Promise<void> {
  for (let call = 0; call <= 30; call += 1) {
    const refused = await client.mutation(api.commands.bookings.confirm, {
      bookingId: "bkg_01ARZ3NDEKTSV4RRFFQ69G5FAV",
      idempotencyKey: key(),
    });
    expect(["NOT_FOUND", "ORG_FROZEN"]).toContain(codeOf(refused));
  }
}

type Listed = { kind: string; deliveredAt: number | null };

async function listed({ client }: Actor): Promise<Listed[]> {
  const { page } = await client.query(api.projections.alerts.list, { paginationOpts: FIRST_PAGE });
  return page.map(({ kind, deliveredAt }) => ({ kind, deliveredAt }));
}

type Status = "pending" | "running" | "done" | "failed";

async function effects(
  { backend }: AlertScene,
  orgId: string,
  status: Status,
): Promise<{ attempts: number; lastError: string | null }[]> {
  return await backend.operator.query(internal.effects.outbox.list, { orgId, status });
}

/** Waits until the organisation's one effect has failed this many attempts, and tells why it did. */
async function afterAttempt(scene: AlertScene, orgId: string, attempts: number): Promise<string | null> {
  let error: string | null = null;
  await eventually(async () => {
    const rows = [...(await effects(scene, orgId, "pending")), ...(await effects(scene, orgId, "failed"))];
    error = rows[0]?.lastError ?? null;
    return rows[0]?.attempts === attempts;
  });
  return error;
}

async function retry({ backend }: AlertScene, orgId: string): Promise<void> {
  await backend.operator.mutation(internal.effects.outbox.retry, { orgId });
}

export function alertsContract(open: () => Promise<AlertScene>): void {
  test("S17 an alert is delivered once, signed, with ids, kinds and counts only, and then marked", async () => {
    const scene = await open();
    const { orgId, owner } = await foundOrganization(scene.backend);
    await report(scene, orgId);
    await eventually(async () => (await effects(scene, orgId, "done")).length === 1);
    await report(scene, orgId);
    await scene.backend.operator.mutation(internal.workers.outbox.next, {});
    const [delivery, ...others] = scene.receiver.for(orgId);
    if (delivery === undefined) throw new Error("nothing was delivered");
    expect(others).toEqual([]);
    const id = delivery.headers["webhook-id"] ?? "";
    expect(id).toMatch(/^msg_alr_[0-9A-Z]{26}$/);
    expect(verified(delivery)).toEqual({
      type: "alert.raised",
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      data: {
        orgId,
        alertId: id.slice("msg_".length),
        kind: "LEDGER_DAMAGED",
        count: 1,
        kinds: ["LEDGER_DAMAGED"],
      },
    });
    expect(() => verified({ ...delivery, body: delivery.body.replace("altered", "sound") + " " })).toThrow(
      "No matching signature",
    );
    expect(await listed(owner)).toEqual([
      { kind: "LEDGER_DAMAGED", deliveredAt: expect.any(Number) as number },
    ]);
  });

  test("a receiver that is down and comes back gets the message under the same id", async () => {
    const scene = await open();
    scene.receiver.behaviour = 503;
    const { orgId, owner } = await foundOrganization(scene.backend);
    await report(scene, orgId);
    expect(await afterAttempt(scene, orgId, 1)).toBe("RECEIVER_FAILED");
    expect(await listed(owner)).toEqual([{ kind: "LEDGER_DAMAGED", deliveredAt: null }]);
    scene.receiver.behaviour = 200;
    await retry(scene, orgId);
    await eventually(async () => (await effects(scene, orgId, "done")).length === 1);
    const ids = scene.receiver.for(orgId).map(({ headers }) => headers["webhook-id"]);
    expect(ids).toEqual([ids[0], ids[0]]);
    expect(await listed(owner)).not.toMatchObject([{ deliveredAt: null }]);
  });

  test("a receiver that always fails is asked a bounded number of times", async () => {
    const scene = await open();
    scene.receiver.behaviour = 500;
    const { orgId, owner } = await foundOrganization(scene.backend);
    await report(scene, orgId);
    for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt += 1) {
      await afterAttempt(scene, orgId, attempt);
      await retry(scene, orgId);
    }
    await eventually(async () => (await effects(scene, orgId, "failed")).length === 1);
    await scene.backend.operator.mutation(internal.workers.outbox.next, {});
    expect(scene.receiver.for(orgId)).toHaveLength(ATTEMPTS_MAX);
    expect(await effects(scene, orgId, "failed")).toMatchObject([
      { attempts: ATTEMPTS_MAX, lastError: "RECEIVER_FAILED" },
    ]);
    expect(await listed(owner)).toEqual([{ kind: "LEDGER_DAMAGED", deliveredAt: null }]);
  });

  test.each([
    ["redirect", "RECEIVER_REDIRECTED"],
    [404, "RECEIVER_REFUSED"],
  ] as const)("Q05 R52 an answer of %s is a failure, and leads nowhere", async (behaviour, error) => {
    const scene = await open();
    scene.receiver.behaviour = behaviour;
    const { orgId } = await foundOrganization(scene.backend);
    await report(scene, orgId);
    expect(await afterAttempt(scene, orgId, 1)).toBe(error);
    expect(scene.receiver.deliveries.filter(({ path }) => path === REDIRECTED_TO)).toEqual([]);
    expect(scene.receiver.for(orgId)).toHaveLength(1);
  });

  test("effects of a frozen organisation rest, and go on when the freeze is lifted", async () => {
    const scene = await open();
    const { orgId, owner } = await foundOrganization(scene.backend);
    const { organizations: operator } = internal.operator;
    committed(await scene.backend.operator.mutation(operator.freeze, { orgId, reason: "other" }));
    await beRefused(owner);
    await eventually(
      async () => (await effects(scene, orgId, "pending"))[0]?.lastError === "ORGANIZATION_RESTS",
    );
    await retry(scene, orgId);
    await eventually(
      async () => (await effects(scene, orgId, "pending"))[0]?.lastError === "ORGANIZATION_RESTS",
    );
    expect(scene.receiver.for(orgId)).toEqual([]);
    committed(await scene.backend.operator.mutation(operator.unfreeze, { orgId }));
    await eventually(async () => (await effects(scene, orgId, "done")).length === 1);
    expect(scene.receiver.for(orgId).map(verified)).toMatchObject([
      { data: { kind: "REFUSALS_UNUSUAL", userId: owner.userId } },
    ]);
  });

  test("what the integrity check holds goes on when that is lifted, and the damage itself is told at once", async () => {
    const scene = await open();
    const { orgId, owner } = await foundOrganization(scene.backend);
    await report(scene, orgId);
    await eventually(async () => (await effects(scene, orgId, "done")).length === 1);
    await beRefused(owner);
    await eventually(
      async () => (await effects(scene, orgId, "pending"))[0]?.lastError === "ORGANIZATION_RESTS",
    );
    expect(scene.receiver.for(orgId)).toHaveLength(1);
    committed(await scene.backend.operator.mutation(internal.operator.organizations.unfreeze, { orgId }));
    await eventually(async () => (await effects(scene, orgId, "done")).length === 3);
    const kinds = scene.receiver
      .for(orgId)
      .map((delivery) => verified(delivery) as { data: { kind: string } });
    expect(kinds.map(({ data }) => data.kind).sort()).toEqual([
      "INTEGRITY_FREEZE_LIFTED",
      "LEDGER_DAMAGED",
      "REFUSALS_UNUSUAL",
    ]);
  });
}
