/** What one organisation's damage, or a key that is missing, does to the checks of all others: nothing. */
import { afterEach, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { hashFromHex } from "../../ledger/bytes.ts";
import { signCheckpoint } from "../../ledger/checkpoint.ts";
import { signNoble } from "../../ledger/ed25519.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { parseId } from "../../ledger/ids.ts";
import { signerKey } from "../../ledger/noteKeys.ts";
import { checkpointKey, TEST_DEPLOYMENT } from "../support/checkpointKeys.ts";
import { checkpoint, first, log, statusOf, tamper, work, type Row } from "../support/evidenceScene.ts";
import { eventually, FIRST_PAGE, type Actor } from "../support/scene.ts";
import { openTestBackend, type TestBackend } from "../support/testBackend.ts";

const HOUR_MS = 3_600_000;

type Organization = { orgId: string; owner: Actor };

afterEach(() => {
  vi.unstubAllEnvs();
});

async function alertsOf({ owner }: Organization): Promise<(string | undefined)[][]> {
  const alerts = await owner.client.query(api.projections.alerts.list, { paginationOpts: FIRST_PAGE });
  return alerts.page.map(({ kind, detail }) => [kind, detail]);
}

/** Organisations with a ledger of three events, in the order in which a round visits them. */
async function three(backend: TestBackend): Promise<[Organization, Organization, Organization]> {
  const made = [await work(backend, 0), await work(backend, 0), await work(backend, 0)];
  const [a, b, c] = made.sort((x, y) => (x.orgId < y.orgId ? -1 : 1));
  if (a === undefined || b === undefined || c === undefined) throw new Error("three are three");
  return [a, b, c];
}

/** A whole round of the integrity check, to its end. */
async function round(backend: TestBackend): Promise<void> {
  await backend.operator.mutation(internal.workers.integrity.next, {});
  await eventually(async () => {
    let ended = false;
    await tamper(backend, "checkRounds", (_db, rows) => {
      ended = rows[0]?.["endedAt"] !== null;
      return Promise.resolve();
    });
    return ended;
  });
}

async function verified({ operator }: TestBackend, { orgId }: Organization): Promise<boolean> {
  const { verifiedHead } = await operator.query(internal.operator.organizations.status, { orgId });
  return verifiedHead !== null;
}

async function incidents({ operator }: TestBackend): Promise<string[][]> {
  const found = await operator.query(internal.operator.evidence.status, {});
  return found.incidents.map(({ kind, detail }) => [kind, detail]);
}

/** The columns of a row without what the database gives it. */
function columnsOf({ _id, _creationTime, ...columns }: Row): Record<string, unknown> {
  return columns;
}

const NOBODYS = 7;
const OTHER_ROOT = new Uint8Array(32).fill(1);

/** Signs an organisation's checkpoint anew, with the key of a byte; of another root where one is given. */
function signedAnew(row: Row, byte: number, otherRoot?: Uint8Array): Record<string, unknown> {
  const orgId = parseId("org", String(row["tree"]));
  if (orgId === undefined) throw new Error("not an organisation's checkpoint");
  const root = otherRoot ?? hashFromHex(String(row["root"])) ?? new Uint8Array();
  const name = `${TEST_DEPLOYMENT}/org/${orgId}`;
  const key = signerKey(name, "note", new Uint8Array(32).fill(byte), sha256Noble);
  const origin = { kind: "organisation", deployment: TEST_DEPLOYMENT, orgId } as const;
  const note = signCheckpoint({ origin, size: Number(row["size"]), root }, [key], signNoble);
  return { root: toHex(root), note, keyName: key.name, keyId: key.keyId };
}

test("an organisation whose check throws is told of, and the round goes on to the others", async () => {
  const backend = openTestBackend();
  const [broken, ...others] = await three(backend);
  await tamper(backend, "heads", async (db, rows) => {
    await db.insert("heads", columnsOf(first(rows, ({ orgId }) => orgId === broken.orgId)));
  });
  await backend.operator.mutation(internal.workers.integrity.step, { orgId: broken.orgId, inRound: true });
  for (const other of others) await eventually(() => verified(backend, other));
  expect(await verified(backend, broken)).toBe(false);
  expect(await alertsOf(broken)).toEqual([["CHECK_FAILED", "after sequence 0"]]);
});

test.each([
  ["the old key is forgotten", TEST_DEPLOYMENT],
  ["the deployment is named otherwise", "other.test"],
])(
  "when %s every ledger is checked nevertheless, and each organisation is told once",
  async (_what, name) => {
    const backend = openTestBackend();
    const organizations = await three(backend);
    for (const { owner } of organizations) await checkpoint(owner.client);
    await eventually(
      async () => (await backend.operator.query(internal.operator.evidence.status, {})).log?.size === 3,
    );
    vi.stubEnv("DAYBOOK_DEPLOYMENT", name);
    vi.stubEnv("DAYBOOK_CHECKPOINT_KEYS", checkpointKey(2, name));
    await round(backend);
    await round(backend);
    for (const organization of organizations) {
      expect(await verified(backend, organization)).toBe(true);
      expect(await statusOf(backend, organization.orgId)).toMatchObject({ status: "active" });
      const alerts = await alertsOf(organization);
      expect(alerts.map(([kind]) => kind)).toEqual(["CHECKPOINT_KEY_MISSING"]);
    }
    expect((await incidents(backend)).map(([kind]) => kind)).toEqual(["key missing"]);
  },
);

test("a checkpoint that names a key which nobody has is held against the chain all the same", async () => {
  const backend = openTestBackend();
  const [sound, forged] = await three(backend);
  for (const { owner } of [sound, forged]) await checkpoint(owner.client);
  await tamper(backend, "checkpoints", async (db, rows) => {
    const of = (orgId: string): Row => first(rows, ({ tree }) => tree === orgId);
    await db.patch(of(sound.orgId)._id, signedAnew(of(sound.orgId), NOBODYS));
    await db.patch(of(forged.orgId)._id, signedAnew(of(forged.orgId), NOBODYS, OTHER_ROOT));
  });
  const check = (orgId: string): Promise<string> =>
    backend.operator.mutation(internal.workers.integrity.step, { orgId, inRound: false });
  expect(await check(sound.orgId)).toBe("done");
  expect((await alertsOf(sound)).map(([kind]) => kind)).toEqual(["CHECKPOINT_KEY_MISSING"]);
  expect(await check(forged.orgId)).toBe("damaged");
  expect(await statusOf(backend, forged.orgId)).toMatchObject({
    status: "frozen",
    damage: { seq: 3, kind: "the chain is not the one that was signed" },
  });
});

test("what was signed of a ledger is checked although its tree is behind", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await work(backend, 0);
  await checkpoint(owner.client);
  await tamper(backend, "heads", (db, rows) =>
    db.patch(first(rows, () => true)._id, { treeSize: undefined, frontier: undefined }),
  );
  const check = (): Promise<string> =>
    backend.operator.mutation(internal.workers.integrity.step, { orgId, inRound: false });
  expect(await check()).toBe("done");
  await tamper(backend, "checkpoints", async (db, rows) => {
    const row = first(rows, ({ tree }) => tree === orgId);
    await db.patch(row._id, signedAnew(row, 1, OTHER_ROOT));
  });
  expect(await check()).toBe("damaged");
  expect(await statusOf(backend, orgId)).toMatchObject({
    damage: { seq: 3, kind: "the chain is not the one that was signed" },
  });
});

test("the log of logs takes in what is behind checkpoints of a missing key, and those when the key is back", async () => {
  const backend = openTestBackend();
  const [waiting, second] = await three(backend);
  const sign = (orgId: string): Promise<string> =>
    backend.operator.mutation(internal.workers.checkpoints.sign, { orgId });
  expect(await sign(waiting.orgId)).toBe("made");
  // More of them than one step takes.
  await tamper(backend, "unloggedCheckpoints", async (db, [row]) => {
    if (row === undefined) throw new Error("nothing is queued");
    for (let n = 1; n < 60; n += 1) await db.insert("unloggedCheckpoints", columnsOf(row));
  });
  vi.stubEnv("DAYBOOK_CHECKPOINT_KEYS", checkpointKey(2));
  expect(await sign(second.orgId)).toBe("made");
  const size = async (): Promise<number | undefined> =>
    (await backend.operator.query(internal.operator.evidence.status, {})).log?.size;
  expect(await log(backend)).toBe("extended");
  await eventually(async () => (await size()) === 1);
  expect((await incidents(backend)).map(([kind]) => kind)).toEqual(["key missing"]);
  vi.stubEnv("DAYBOOK_CHECKPOINT_KEYS", `${checkpointKey(2)},${checkpointKey(1)}`);
  expect(await log(backend)).toBe("extended");
  await eventually(async () => (await size()) === 61);
});

test("the check of the log of logs freezes every organisation whose checkpoint is not the one it took in", async () => {
  const backend = openTestBackend();
  const [edited, doubled, sound] = await three(backend);
  for (const { owner } of [edited, doubled, sound]) await checkpoint(owner.client);
  await eventually(
    async () => (await backend.operator.query(internal.operator.evidence.status, {})).log?.size === 3,
  );
  await tamper(backend, "checkpoints", async (db, rows) => {
    const of = (orgId: string): Row => first(rows, ({ tree }) => tree === orgId);
    await db.patch(of(edited.orgId)._id, { keyId: "00000000" });
    await db.insert("checkpoints", columnsOf(of(doubled.orgId)));
  });
  expect(await backend.operator.mutation(internal.workers.integrity.logStep, {})).toBe("damaged");
  for (const { orgId } of [edited, doubled]) {
    expect(await statusOf(backend, orgId)).toMatchObject({ status: "frozen", frozenBy: "integrity" });
  }
  expect(await statusOf(backend, sound.orgId)).toMatchObject({ status: "active" });
  expect(await incidents(backend)).toEqual([]);
});

test("a round that never came to its end is told by the next one, and one that did is not", async () => {
  const backend = openTestBackend();
  await work(backend, 0);
  await round(backend);
  const begunAt = Date.now() - 13 * HOUR_MS;
  const set = (change: object): Promise<void> =>
    tamper(backend, "checkRounds", (db, rows) => db.patch(first(rows, () => true)._id, change));
  await set({ begunAt });
  await round(backend);
  expect(await incidents(backend)).toEqual([]);
  await set({ begunAt, endedAt: null });
  await round(backend);
  expect(await incidents(backend)).toEqual([
    ["check unfinished", `begun at ${new Date(begunAt).toISOString()}`],
  ]);
});
