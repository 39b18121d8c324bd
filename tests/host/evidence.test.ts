/** Checkpoints over HTTP, proofs through the official client, and witnesses, on a host of its own. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { ALGORITHMS_NOBLE } from "../../ledger/algorithms.ts";
import { openCheckpoint, signCheckpoint, type OpenedCheckpoint } from "../../ledger/checkpoint.ts";
import { signNoble } from "../../ledger/ed25519.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { parsePolicy } from "../../ledger/logPolicy.ts";
import { formatVerifierKey, parseVerifierKey, signerKey, verifierKey } from "../../ledger/noteKeys.ts";
import { verifyReceipt } from "../../ledger/receipt.ts";
import { formatAddCheckpoint } from "../../ledger/witnessProtocol.ts";
import { CheckpointStore } from "../../simulators/witness/checkpointStore.ts";
import { answerAddCheckpoint, witnessServer } from "../../simulators/witness/witness.ts";
import { checkpointKey, pinnedKey } from "../support/checkpointKeys.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { committed, defineService, eventually, foundOrganization, requestBooking } from "../support/scene.ts";

const DEPLOYMENT = "daybook.test";
const WITNESS = signerKey("witness.test", "cosignature", new Uint8Array(32).fill(9), sha256Noble);
const WITNESS_KEY = formatVerifierKey(
  verifierKey(WITNESS.name, "cosignature", WITNESS.publicKey, sha256Noble),
);
const LOG_KEYS = [pinnedKey(1)].map((text) => {
  const parsed = parseVerifierKey(text, sha256Noble);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
});

let folder: string;
let store: CheckpointStore;
let witness: Server;
let backend: HostBackend;
/** What the witness answers instead of itself; none while it is honest. */
let lie: ((body: string) => { status: number; body: string }) | undefined;

const stateFile = (): string => path.join(folder, "state.json");

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "daybook-witness-"));
  store = new CheckpointStore(stateFile());
  const honest = witnessServer({
    key: WITNESS,
    logs: LOG_KEYS,
    get store() {
      return store;
    },
    now: () => Math.floor(Date.now() / 1000),
  });
  witness = createServer((request, response) => {
    if (lie === undefined) {
      honest.emit("request", request, response);
      return;
    }
    const { status, body } = lie("");
    response.writeHead(status, { "content-type": "text/plain", location: "/elsewhere" }).end(body);
  });
  await new Promise<void>((resolve) => witness.listen(0, "127.0.0.1", resolve));
  const { port } = witness.address() as AddressInfo;
  backend = await openHostBackend({
    DAYBOOK_DEPLOYMENT: DEPLOYMENT,
    DAYBOOK_CHECKPOINT_KEYS: checkpointKey(1),
    DAYBOOK_WITNESSES: `${WITNESS_KEY} http://127.0.0.1:${port}`,
  });
});
afterAll(async () => {
  await backend.close();
  witness.closeAllConnections();
  await new Promise((resolve) => witness.close(resolve));
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  lie = undefined;
});

async function get(
  pathname: string,
  method = "GET",
): Promise<{ status: number; body: string; headers: Headers }> {
  const response = await fetch(backend.host.siteUrl + pathname, { method });
  return { status: response.status, body: await response.text(), headers: response.headers };
}

function open(note: string): OpenedCheckpoint {
  const witnesses = [WITNESS];
  const opened = openCheckpoint(note, { logs: LOG_KEYS, witnesses }, ALGORITHMS_NOBLE);
  if (!opened.ok) throw new Error(opened.reason);
  return opened.value;
}

async function offer(trees: string[] = []): Promise<string[]> {
  const operator = backend.operator as unknown as {
    action(ref: unknown, args: unknown): Promise<{ tree: string; outcome: string }[]>;
  };
  const outcomes = await operator.action(internal.effects.witnesses.offer, { trees });
  return outcomes.map(({ outcome }) => outcome);
}

/** A new organisation's checkpoint in the log of logs. */
async function grow(): Promise<{
  orgId: string;
  client: Awaited<ReturnType<typeof foundOrganization>>["owner"]["client"];
}> {
  const { orgId, owner } = await foundOrganization(backend);
  committed(await owner.client.mutation(api.commands.ledger.requestCheckpoint, {}));
  await eventually(async () => {
    const { anchor } = await owner.client.query(api.projections.ledger.checkpoint, {});
    return anchor !== null;
  });
  return { orgId, client: owner.client };
}

test("R72 checkpoints, keys and nothing else are published, to readers only", async () => {
  const { orgId } = await grow();
  const keys = await get("/log/keys");
  expect(keys).toMatchObject({ status: 200, body: `${pinnedKey(1)}\n` });
  expect(keys.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(keys.headers.get("cache-control")).toBe("no-store");
  const own = open((await get(`/log/org/${orgId}/checkpoint`)).body);
  expect(own.checkpoint).toMatchObject({ origin: { kind: "organisation", orgId }, size: 2 });
  expect(open((await get("/log/checkpoint")).body).checkpoint.origin.kind).toBe("log of logs");
  const head = await get("/log/checkpoint", "HEAD");
  expect([head.status, head.body]).toEqual([200, ""]);
  const missing = await get("/log/org/org_01ARZ3NDEKTSV4RRFFQ69G5FAV/checkpoint");
  expect([missing.status, missing.body]).toEqual([404, "Not found.\n"]);
  for (const pathname of ["/log/", "/log/org/x/checkpoint", `/log/org/${orgId}`, "/log/org//checkpoint"]) {
    expect(await get(pathname)).toMatchObject({ status: 404, body: missing.body });
  }
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    const refused = await get("/log/checkpoint", method);
    expect([method, refused.status, refused.headers.get("allow")]).toEqual([method, 405, "GET, HEAD"]);
  }
});

test("R74 a witness cosigns what it is offered, and a receipt then meets a policy that asks for it", async () => {
  const { client } = await grow();
  await eventually(async () => open((await get("/log/checkpoint")).body).cosignatures.length === 1);
  const { anchoredReceipt } = await client.query(api.projections.ledger.inclusionProof, { seq: 1 });
  const policy = parsePolicy(`log ${pinnedKey(1)}\nwitness w ${WITNESS_KEY}\nquorum w\n`, sha256Noble);
  if (!policy.ok) throw new Error(policy.reason);
  const verified = verifyReceipt(anchoredReceipt ?? "", policy.value, ALGORITHMS_NOBLE);
  expect(verified).toMatchObject({ ok: true, value: { event: { seq: 1 }, quorum: { witnessedBy: ["w"] } } });
  expect(await offer()).toEqual(["known"]);
});

test("on request the organisation's own checkpoint is offered too", async () => {
  const { orgId } = await grow();
  await eventually(
    async () => open((await get(`/log/org/${orgId}/checkpoint`)).body).cosignatures.length === 1,
  );
});

test("a witness that is behind names its size, and is proven to from there", async () => {
  await grow();
  await eventually(async () => (await offer())[0] === "known");
  const kept = readFileSync(stateFile(), "utf8");
  const behind = store.lastOf(`${DEPLOYMENT}/log`)?.size ?? 0;
  await grow();
  await eventually(async () => (await offer())[0] === "known");
  // It loses what came last, as one that was restored from a backup.
  writeFileSync(stateFile(), kept);
  store = new CheckpointStore(stateFile());
  const before = await incidents();
  await grow();
  await eventually(async () => ["known", "cosigned"].includes((await offer())[0] ?? ""));
  expect(store.lastOf(`${DEPLOYMENT}/log`)?.size).toBeGreaterThan(behind + 1);
  expect(await incidents()).toBe(before);
});

async function incidents(): Promise<number> {
  return (await backend.operator.query(internal.operator.evidence.status, {})).incidents.length;
}

test.each([
  ["an answer of another status", { status: 500, body: "" }, "unreachable"],
  ["a redirect", { status: 307, body: "" }, "unreachable"],
  ["a body of a megabyte", { status: 200, body: "x".repeat(1_048_576) }, "unreachable"],
  ["a signature of nobody", { status: 200, body: "\u2014 witness.test AAAAAAAA\n" }, "unreachable"],
  ["a refusal of the key", { status: 403, body: "" }, "refused"],
])("a witness that is down or lies costs nothing but its cosignature: %s", async (_what, answer, outcome) => {
  lie = () => answer;
  const { client } = await grow();
  await eventually(async () => (await offer())[0] === outcome);
  expect(open((await get("/log/checkpoint")).body).cosignatures).toEqual([]);
  await requestBooking(client, await defineService(client), 1);
});

test("P11 a witness that knows a larger log than ours is kept as an incident", async () => {
  const before = await incidents();
  // From before the log grows: the job offers it too, and what was cosigned is not offered again.
  lie = () => ({ status: 409, body: "999999\n" });
  await grow();
  await eventually(async () => (await offer())[0] === "disagrees");
  expect(await incidents()).toBeGreaterThan(before);
});

test("P a split view is refused: whoever has the key cannot have another tree of the same size cosigned", async () => {
  await grow();
  await eventually(async () => (await offer())[0] === "known");
  const last = store.lastOf(`${DEPLOYMENT}/log`);
  if (last === undefined) throw new Error("the witness cosigned nothing");
  const parsed = signerKey(`${DEPLOYMENT}/log`, "note", new Uint8Array(32).fill(1), sha256Noble);
  const forged = signCheckpoint({ ...last, root: new Uint8Array(32) }, [parsed], signNoble);
  const body = formatAddCheckpoint({ oldSize: last.size, proof: [], checkpoint: forged });
  const answer = answerAddCheckpoint(body, { key: WITNESS, logs: LOG_KEYS, store, now: () => 1 });
  expect(answer).toMatchObject({ status: 409, body: `${last.size}\n` });
});

test("a host that dies after signing publishes the same checkpoints when it is back", async () => {
  const { orgId } = await grow();
  const before = [await get(`/log/org/${orgId}/checkpoint`), await get("/log/checkpoint")];
  await backend.host.kill("SIGKILL");
  await backend.host.start();
  const sizeOf = (body: string): number => open(body).checkpoint.size;
  const after = [await get(`/log/org/${orgId}/checkpoint`), await get("/log/checkpoint")];
  for (const [index, { body }] of after.entries()) {
    expect(sizeOf(body)).toBeGreaterThanOrEqual(sizeOf(before[index]?.body ?? ""));
  }
  expect(open(after[0]?.body ?? "").note.text).toBe(open(before[0]?.body ?? "").note.text);
  expect(await backend.operator.mutation(internal.workers.integrity.logStep, {})).toBe("done");
});
