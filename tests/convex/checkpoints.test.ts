/** Checkpoints, proofs and what damage of them does, on the test library, where a test can reach the tables. */
import { expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { ALGORITHMS_NOBLE } from "../../ledger/algorithms.ts";
import { hashFromHex } from "../../ledger/bytes.ts";
import { openCheckpoint } from "../../ledger/checkpoint.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { policyOfKeys } from "../../ledger/logPolicy.ts";
import { eventLeafHash, verifyConsistency, verifyInclusion } from "../../ledger/merkle.ts";
import { verifyReceipt } from "../../ledger/receipt.ts";
import { readLedger } from "../contract/ledger.ts";
import { checkpointKey } from "../support/checkpointKeys.ts";
import {
  checkpoint,
  first,
  log,
  pinned,
  statusOf,
  tamper,
  work,
  type Row,
} from "../support/evidenceScene.ts";
import {
  codeOf,
  committed,
  defineService,
  eventually,
  foundOrganization,
  join,
  key,
  refusalOf,
  requestBooking,
} from "../support/scene.ts";
import { inComponent, openTestBackend, type ComponentDb } from "../support/testBackend.ts";

const { commands, projections } = api;

const bytes = (hashes: readonly string[]): Uint8Array[] =>
  hashes.map((hash) => hashFromHex(hash) ?? new Uint8Array());

test("R70 every event is proven against every checkpoint that covers it, and every two checkpoints are consistent", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await foundOrganization(backend);
  const serviceId = await defineService(owner.client);
  const sizes: { size: number; root: Uint8Array }[] = [];
  for (let hours = 1; hours <= 40; hours += 1) {
    if (hours % 8 === 0 || hours < 4) sizes.push(await checkpoint(owner.client));
    await requestBooking(owner.client, serviceId, hours);
  }
  const entries = await readLedger(owner.client);
  for (const { size, root } of sizes) {
    for (let seq = 1; seq <= size; seq += size > 20 ? 3 : 1) {
      const proof = await owner.client.query(projections.ledger.inclusionProof, { seq, size });
      expect([proof.hash, proof.orgId]).toEqual([entries[seq - 1]?.hash, orgId]);
      const { index, hashes } = proof.place;
      const leafHash = eventLeafHash(proof.hash, sha256Noble);
      expect(verifyInclusion({ index, size, root, leafHash, proof: bytes(hashes) }, sha256Noble)).toBe(true);
      expect(index).toBe(seq - 1);
    }
    for (const older of sizes.filter((each) => each.size <= size)) {
      const args = { fromSize: older.size, toSize: size };
      const { hashes } = await owner.client.query(projections.ledger.consistencyProof, args);
      const claim = { oldSize: older.size, newSize: size, oldRoot: older.root, newRoot: root };
      expect(verifyConsistency({ ...claim, proof: bytes(hashes) }, sha256Noble)).toBe(true);
    }
  }
  const listed = await owner.client.query(projections.ledger.checkpoints, { afterSize: 0, limit: 200 });
  expect(listed.checkpoints.map(({ size }) => size)).toEqual(sizes.map(({ size }) => size));
});

test("R71 the tree of three hundred events, grown in single appends, has proofs at all levels of its tiles", async () => {
  const backend = openTestBackend();
  const { owner } = await work(backend, 300);
  const { size, root } = await checkpoint(owner.client);
  expect(size).toBe(303);
  for (const seq of [1, 16, 17, 255, 256, 257, 302, 303]) {
    const { hash, place } = await owner.client.query(projections.ledger.inclusionProof, { seq });
    const leafHash = eventLeafHash(hash, sha256Noble);
    const claim = { index: seq - 1, size, root, leafHash, proof: bytes(place.hashes) };
    expect(verifyInclusion(claim, sha256Noble)).toBe(true);
  }
});

test("R73 a receipt verifies offline against the deployment's key, alone and through the log of logs", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await work(backend, 3);
  await work(backend, 1).then(({ owner: other }) => checkpoint(other.client));
  await checkpoint(owner.client);
  await log(backend);
  const proof = await owner.client.query(projections.ledger.inclusionProof, { seq: 4 });
  const policy = policyOfKeys([pinned(1)]);
  const direct = verifyReceipt(proof.receipt, policy, ALGORITHMS_NOBLE);
  expect(direct).toMatchObject({ ok: true, value: { event: { orgId, seq: 4 } } });
  const anchored = verifyReceipt(proof.anchoredReceipt ?? "", policy, ALGORITHMS_NOBLE);
  expect(anchored).toMatchObject({ ok: true, value: { log: { checkpoint: { size: 2 } } } });
  const { anchor } = await owner.client.query(projections.ledger.checkpoint, {});
  expect(anchor?.index).toBe(proof.anchor?.index);
});

test("a member proves what they did, by its id, and nobody else's event", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await foundOrganization(backend);
  const serviceId = await defineService(owner.client);
  const staff = await join(backend, orgId, owner.client, "staff");
  const requested = committed(
    await staff.client.mutation(commands.bookings.request, {
      serviceId,
      startsAt: Date.now() + 86_400_000,
      idempotencyKey: key(),
    }),
  );
  const eventId = requested.receipt.eventIds[0] ?? "";
  const prove = (args: { eventId?: string; seq?: number }): Promise<{ seq: number }> =>
    staff.client.query(projections.ledger.inclusionProof, args);
  expect((await refusalOf(prove({ eventId }))).code).toBe("CONFLICT");
  await checkpoint(owner.client);
  expect((await prove({ eventId })).seq).toBe(requested.receipt.firstSeq);
  const refused = await refusalOf(prove({ seq: 1 }));
  expect(refused.code).toBe("NOT_FOUND");
  expect(refused).toEqual(await refusalOf(prove({ seq: 999 })));
  expect((await refusalOf(prove({}))).code).toBe("INVALID");
});

test("a checkpoint of the same head is the same, and a ledger without new events gets none", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await work(backend, 1);
  const { result } = committed(await owner.client.mutation(commands.ledger.requestCheckpoint, {}));
  const again = committed(await owner.client.mutation(commands.ledger.requestCheckpoint, {}));
  expect(again.result).toEqual(result);
  expect(await backend.operator.mutation(internal.workers.checkpoints.sign, { orgId })).toBe("current");
  const { checkpoints } = await owner.client.query(projections.ledger.checkpoints, {});
  expect(checkpoints).toHaveLength(1);
});

test("a round signs every organisation that is due, and takes all of them into the log of logs", async () => {
  const backend = openTestBackend();
  const organizations = [await work(backend, 1), await work(backend, 2), await work(backend, 3)];
  await backend.operator.mutation(internal.workers.checkpoints.next, {});
  for (const { owner } of organizations) {
    await eventually(async () => {
      const found = owner.client.query(projections.ledger.checkpoint, {});
      return await found.then(
        () => true,
        () => false,
      );
    });
  }
  await log(backend);
  for (const { owner } of organizations) {
    const { checkpoint: found, anchor } = await owner.client.query(projections.ledger.checkpoint, {});
    expect(found.size).toBeGreaterThan(2);
    expect(anchor?.checkpoint.size).toBe(3);
  }
});

test("a rotated key signs from then on, and the old one's checkpoints stay what they are", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await work(backend, 1);
  await checkpoint(owner.client);
  try {
    vi.stubEnv("DAYBOOK_CHECKPOINT_KEYS", `${checkpointKey(2)},${checkpointKey(1)}`);
    await defineService(owner.client);
    const made = committed(await owner.client.mutation(commands.ledger.requestCheckpoint, {}));
    const open = (byte: number): boolean =>
      openCheckpoint(made.result.checkpoint, { logs: [pinned(byte)], witnesses: [] }, ALGORITHMS_NOBLE).ok;
    expect([open(1), open(2)]).toEqual([false, true]);
    expect(await backend.operator.mutation(internal.workers.integrity.step, { orgId, inRound: false })).toBe(
      "done",
    );
    // Whoever forgets the old key hears of it, and no organisation is frozen for it.
    vi.stubEnv("DAYBOOK_CHECKPOINT_KEYS", checkpointKey(3));
    await defineService(owner.client);
    expect(await backend.operator.mutation(internal.workers.checkpoints.sign, { orgId })).toBe("keyMissing");
    expect(codeOf(await owner.client.mutation(commands.ledger.requestCheckpoint, {}))).toBe("CONFLICT");
    expect(await statusOf(backend, orgId)).toMatchObject({ status: "active" });
  } finally {
    vi.unstubAllEnvs();
  }
});

test("a ledger without a tree gets one in bounded steps, while appends go on", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await work(backend, 20);
  await tamper(backend, "heads", async (db, rows) => {
    await db.patch(rows[0]?._id ?? "", { treeSize: undefined, frontier: undefined });
  });
  await tamper(backend, "treeHashes", async (db, rows) => {
    for (const { _id } of rows) await db.delete(_id);
  });
  await defineService(owner.client);
  expect(codeOf(await owner.client.mutation(commands.ledger.requestCheckpoint, {}))).toBe("CONFLICT");
  await eventually(async () => {
    const { checkpoints } = await owner.client.query(projections.ledger.checkpoints, {});
    return checkpoints.length === 1;
  });
  await defineService(owner.client);
  expect((await checkpoint(owner.client)).size).toBe(25);
  expect(await backend.operator.mutation(internal.workers.integrity.step, { orgId, inRound: false })).toBe(
    "done",
  );
});

test("streamAt folds one aggregate up to a sequence, and rowDigests names every live row", async () => {
  const backend = openTestBackend();
  const { owner } = await foundOrganization(backend);
  const serviceId = await defineService(owner.client);
  const bookingId = await requestBooking(owner.client, serviceId, 1);
  committed(await owner.client.mutation(commands.bookings.confirm, { bookingId, idempotencyKey: key() }));
  const at = async (seq: number): Promise<unknown> =>
    JSON.parse(
      (await owner.client.query(projections.ledger.streamAt, { stream: `booking/${bookingId}`, seq })).state,
    );
  expect(await at(4)).toMatchObject({ status: "requested" });
  expect(await at(5)).toMatchObject({ status: "confirmed" });
  expect(await at(99)).toEqual(await at(5));
  expect((await refusalOf(at(3))).code).toBe("NOT_FOUND");
  const rows = await owner.client.query(projections.ledger.rowDigests, { table: "auditLog" });
  expect([rows.seq, rows.page.map((row) => row.key)]).toEqual([5, ["1", "2", "3", "4", "5"]]);
  expect(new Set(rows.page.map(({ digest }) => digest)).size).toBe(5);
  const own = await owner.client.query(projections.ledger.rowDigests, { table: "organizations" });
  expect(own.page.map((row) => row.key)).toEqual(["organization"]);
});

type Damage = readonly [
  what: string,
  table: string,
  kind: RegExp,
  change: (db: ComponentDb, rows: Row[]) => Promise<void>,
];

const DAMAGES: readonly Damage[] = [
  [
    "a damaged tile",
    "treeHashes",
    /tile/,
    (db, rows) => db.patch(first(rows, ({ index }) => index === 0)._id, { hash: "0".repeat(64) }),
  ],
  [
    "a missing tile",
    "treeHashes",
    /tile/,
    (db, rows) => db.delete(first(rows, ({ index }) => index === 0)._id),
  ],
  [
    "a damaged frontier",
    "heads",
    /frontier|tile|begin/,
    async (db, rows) => {
      const head = first(rows, () => true);
      await db.patch(head._id, { frontier: (head["frontier"] as string[]).map(() => "1".repeat(64)) });
    },
  ],
  [
    "a checkpoint whose root was edited",
    "checkpoints",
    /edited checkpoint/,
    (db, rows) => db.patch(first(rows, ({ size }) => size === 20)._id, { root: "2".repeat(64) }),
  ],
  [
    "a checkpoint whose note was edited",
    "checkpoints",
    /edited checkpoint/,
    async (db, rows) => {
      const row = first(rows, ({ size }) => size === 20);
      await db.patch(row._id, { note: String(row["note"]).replace("\n20\n", "\n19\n") });
    },
  ],
  [
    "a checkpoint whose key's id was edited",
    "checkpoints",
    /edited checkpoint/,
    (db, rows) => db.patch(first(rows, ({ size }) => size === 20)._id, { keyId: "00000000" }),
  ],
  [
    "a checkpoint whose key's name was edited",
    "checkpoints",
    /edited checkpoint/,
    (db, rows) => db.patch(first(rows, ({ size }) => size === 20)._id, { keyName: "daybook.test/org/x" }),
  ],
  [
    "a doubled checkpoint",
    "checkpoints",
    /doubled/,
    async (db, rows) => {
      const { _id, _creationTime, ...columns } = first(rows, ({ size }) => size === 20);
      await db.insert("checkpoints", columns);
    },
  ],
];

test.each(DAMAGES)(
  "P %s freezes the organisation at the next check, and nothing is signed over it",
  async (_what, table, kind, change) => {
    const backend = openTestBackend();
    const { orgId, owner } = await work(backend, 17);
    expect((await checkpoint(owner.client)).size).toBe(20);
    await tamper(backend, table, change);
    expect(await backend.operator.mutation(internal.workers.integrity.step, { orgId, inRound: false })).toBe(
      "damaged",
    );
    expect(await statusOf(backend, orgId)).toMatchObject({
      status: "frozen",
      frozenBy: "integrity",
      damage: { kind: expect.stringMatching(kind) as string },
    });
    expect(codeOf(await owner.client.mutation(commands.ledger.requestCheckpoint, {}))).toBe("ORG_FROZEN");
    expect(await backend.operator.mutation(internal.workers.checkpoints.sign, { orgId })).toBe("frozen");
  },
);

test("P11 a ledger that is shorter than its newest checkpoint is found when the next is asked for", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await work(backend, 5);
  const kept = await inComponent(backend, "events", async (db) => await db.query("heads").collect());
  await defineService(owner.client);
  await checkpoint(owner.client);
  await tamper(backend, "events", async (db, rows) => db.delete(first(rows, ({ seq }) => seq === 9)._id));
  await tamper(backend, "heads", async (db, rows) => {
    const { seq, hash, treeSize, frontier } = (kept[0] ?? {}) as Row;
    await db.patch(rows[0]?._id ?? "", { seq, hash, treeSize, frontier });
  });
  expect(codeOf(await owner.client.mutation(commands.ledger.requestCheckpoint, {}))).toBe("ORG_FROZEN");
  expect(await statusOf(backend, orgId)).toMatchObject({
    damage: { seq: 9, kind: "a checkpoint of 9 events was signed" },
  });
});

test("P a checkpoint that the log of logs took in and that is gone is found, and freezes its organisation", async () => {
  const backend = openTestBackend();
  const { orgId, owner } = await work(backend, 2);
  await checkpoint(owner.client);
  await log(backend);
  await eventually(
    async () => (await backend.operator.mutation(internal.workers.integrity.logStep, {})) === "done",
  );
  await tamper(backend, "checkpoints", (db, rows) =>
    db.delete(first(rows, ({ tree }) => tree === orgId)._id),
  );
  expect(await backend.operator.mutation(internal.workers.integrity.logStep, {})).toBe("damaged");
  expect(await statusOf(backend, orgId)).toMatchObject({ frozenBy: "integrity" });
});

test("P a damaged log of logs signs nothing more, and the incident is kept", async () => {
  const backend = openTestBackend();
  const { owner } = await work(backend, 2);
  await checkpoint(owner.client);
  await log(backend);
  await tamper(backend, "logHead", (db, rows) =>
    db.patch(rows[0]?._id ?? "", { frontier: ["3".repeat(64)] }),
  );
  await defineService(owner.client);
  committed(await owner.client.mutation(commands.ledger.requestCheckpoint, {}));
  expect(await log(backend)).toBe("damaged");
  const incidents = await inComponent(
    backend,
    "events",
    async (db) => await db.query("treeIncidents").collect(),
  );
  expect(incidents).toMatchObject([{ tree: "log", kind: "damaged" }]);
  const signed = await inComponent(backend, "events", async (db) => await db.query("checkpoints").collect());
  expect(signed.filter(({ tree }) => tree === "log")).toHaveLength(1);
});
