/** What no official client sends, and what the database must not hold. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { ConvexClient } from "convex/browser";
import { afterAll, beforeAll, expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { committed, foundOrganization, key } from "../support/scene.ts";

const { commands, projections } = api;

let backend: HostBackend;

beforeAll(async () => {
  backend = await openHostBackend();
});
afterAll(async () => {
  await backend.close();
});

type Answer = { status: number; body: { status?: string; value?: unknown; errorData?: unknown } };

async function post(endpoint: string, token: string, body: string): Promise<Answer> {
  const response = await fetch(`${backend.host.url}/api/${endpoint}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body,
  });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

const define = (extra: string): string =>
  `{"path":"commands/services:define","format":"json","args":{"name":"A","durationMinutes":30,` +
  `"priceMinor":1,"idempotencyKey":"${key()}"${extra}}}`;

test("a key that would set a prototype is refused and leaves nothing behind, at any depth", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const token = await backend.host.token(owner.subject, orgId);
  const before = await owner.client.query(projections.ledger.head, {});
  for (const extra of [
    '"__proto__":{"x":1}',
    '"__proto__":"x"',
    '"deep":{"__proto__":{}}',
    '"constructor":1',
  ]) {
    const { body } = await post("mutation", token, define(`,${extra}`));
    expect([extra, JSON.stringify(body)]).toEqual([extra, expect.stringContaining('"code":"INVALID"')]);
  }
  expect(await owner.client.query(projections.ledger.head, {})).toEqual(before);
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test("a lone surrogate is INVALID and named, in a name and in a key", async () => {
  const { owner } = await foundOrganization(backend);
  const args = { name: "A", durationMinutes: 30, priceMinor: 1, idempotencyKey: key() };
  for (const field of ["name", "idempotencyKey"]) {
    const response = await owner.client.mutation(commands.services.define, { ...args, [field]: "a\ud800" });
    expect(response).toMatchObject({ status: "rejected", code: "INVALID", field });
  }
});

test("arguments that are nested beyond reason are a bad request", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const token = await backend.host.token(owner.subject, orgId);
  for (const depth of [200, 20_000]) {
    const nested = `,"deep":${"[".repeat(depth)}${"]".repeat(depth)}`;
    expect((await post("mutation", token, define(nested))).status).toBe(400);
  }
  const deeperThanConvex = `,"deep":${"[".repeat(70)}${"]".repeat(70)}`;
  const { body } = await post("mutation", token, define(deeperThanConvex));
  expect(body).toMatchObject({ status: "error", errorData: { code: "INVALID", field: "arguments" } });
});

test("L11 no page is longer than 200 rows, whatever end the client asks for", async () => {
  const { owner } = await foundOrganization(backend);
  for (let index = 0; index < 210; index += 1) {
    committed(
      await owner.client.mutation(commands.services.define, {
        name: `Service ${index}`,
        durationMinutes: 30,
        priceMinor: 1,
        idempotencyKey: key(),
      }),
    );
  }
  const { list } = projections.services;
  const first = await owner.client.query(list, { paginationOpts: { numItems: 1_000, cursor: null } });
  expect(first.page).toHaveLength(200);
  const second = await owner.client.query(list, {
    paginationOpts: { numItems: 200, cursor: first.continueCursor },
  });
  const wide = { numItems: 1, cursor: null, endCursor: second.continueCursor };
  const whole = await owner.client.query(list, { paginationOpts: wide });
  expect(whole.page.length).toBeLessThanOrEqual(200);
  expect(whole.pageStatus).toBe("SplitRequired");
  const halves = await Promise.all(
    [
      { cursor: null, endCursor: whole.splitCursor ?? null },
      { cursor: whole.splitCursor ?? null, endCursor: second.continueCursor },
    ].map(({ cursor, endCursor }) =>
      owner.client.query(list, { paginationOpts: { numItems: 1, cursor, endCursor } }),
    ),
  );
  expect(halves.flatMap(({ page }) => page)).toHaveLength(210);
});

test("an invitation token is nowhere in the data folder, though the host remembers its answers", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const client = new ConvexClient(backend.host.url, { logger: false });
  const ownerToken = await backend.host.token(owner.subject, orgId);
  client.setAuth(() => Promise.resolve(ownerToken));
  const invited = committed(
    await client.mutation(commands.members.invite, { role: "owner", idempotencyKey: key() }),
  );
  await client.close();
  const { invitationId, invitationToken = "" } = invited.result;
  const files = readdirSync(backend.host.dataDir).filter((name) => name.startsWith("daybook.sqlite"));
  const bytes = files.map((name) => readFileSync(path.join(backend.host.dataDir, name), "latin1")).join("");
  expect(bytes).toContain(invitationId);
  expect(invitationToken).toHaveLength(43);
  expect(bytes).not.toContain(invitationToken);
});
