/**
 * What one append costs on a long ledger: `npm run bench -- append` puts a ledger of a thousand events and one of a
 * million into two data folders, rows, tree and all, and then appends to both in turn on the embedded host's engine.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Table from "cli-table3";
import { ulid } from "ulid";
import { nodeSha256 } from "../audit/nodeSha256.ts";
import type { Engine } from "../embedded/engine/contract.ts";
import { openEngine } from "../embedded/engine/openEngine.ts";
import { DATABASE_FILE, openDatabase } from "../embedded/engine/storage/dataFolder.ts";
import { Store } from "../embedded/engine/storage/store.ts";
import { ADMIN, callOf, valueOf } from "../embedded/engine/testing/testEngine.ts";
import { encodeDocumentId, newRawId } from "../embedded/engine/values/documentId.ts";
import { DEVELOPMENT_DEPLOYMENT, makeCheckpointKey } from "../embedded/server/developmentSecrets.ts";
import { appendLeaf, EMPTY_FRONTIER, formatFrontier } from "../ledger/frontier.ts";
import { eventLeafHash } from "../ledger/merkle.ts";
import { toHex } from "../ledger/hash.ts";
import { chainEvents, endlessDrafts, SAMPLE_ORG_ID } from "../ledger/testing/sampleLedger.ts";
import { TILE_WIDTH, tileGains } from "../ledger/tiles.ts";

const COMPONENT = "events";
const ROWS_PER_COMMIT = 20_000;
const WARM_UP = 100;

const environment = {
  DAYBOOK_DEPLOYMENT: DEVELOPMENT_DEPLOYMENT,
  DAYBOOK_CHECKPOINT_KEYS: makeCheckpointKey(DEVELOPMENT_DEPLOYMENT),
  DAYBOOK_INVITATION_KEYS: `k1:${"a".repeat(64)}`,
  DAYBOOK_FINGERPRINT_KEY: "b".repeat(64),
  DAYBOOK_SEALING_KEYS: `s1:${"c".repeat(64)}`,
  DAYBOOK_AUTH_ISSUER: "https://issuer.example",
  DAYBOOK_AUTH_AUDIENCE: "daybook",
};

async function open(dataDir: string): Promise<Engine> {
  return await openEngine({
    functionsDir: path.join(import.meta.dirname, "../convex"),
    dataDir,
    publicUrl: "http://host.invalid",
    fileBytesMax: 0,
    environment,
    redactErrors: false,
    log: () => undefined,
  });
}

type Row = readonly [table: string, fields: Record<string, string | number | string[]>];

/** The rows of a made-up ledger: its events, the nodes of its tree, its head. */
function* rowsOf(count: number): Generator<Row, void> {
  let frontier = EMPTY_FRONTIER;
  let head = { seq: 0, hash: "", recordedAt: 0 };
  for (const { event, entry } of chainEvents(endlessDrafts().take(count), nodeSha256)) {
    const { orgId, seq, stream, streamVersion, type, eventId, recordedAt } = event;
    yield ["events", { orgId, seq, stream, streamVersion, type, eventId, ...entry }];
    const appended = appendLeaf(frontier, eventLeafHash(entry.hash, nodeSha256), nodeSha256);
    frontier = appended.frontier;
    for (const { level, index, offset, hash } of tileGains(appended.completed)) {
      yield ["treeHashes", { tree: orgId, level, index: index * TILE_WIDTH + offset, hash: toHex(hash) }];
    }
    head = { seq, hash: entry.hash, recordedAt };
  }
  const { size, frontier: roots } = formatFrontier(frontier);
  yield ["heads", { orgId: SAMPLE_ORG_ID, ...head, treeSize: size, frontier: [...roots] }];
}

/** Writes rows as the engine stores them, without a function's call for each. */
function seed(dataDir: string, count: number): void {
  const store = new Store(openDatabase(path.join(dataDir, DATABASE_FILE)));
  let written = 0;
  store.begin();
  for (const [name, fields] of rowsOf(count)) {
    const table = store.catalog.ensure(COMPONENT, name);
    const raw = newRawId();
    const document = {
      ...fields,
      _creationTime: store.issueCreationTime(Date.now()),
      _id: encodeDocumentId(table.number, raw),
    };
    store.apply({ table, raw, before: null, after: document }, JSON.stringify(document), new Map());
    written += 1;
    if (written % ROWS_PER_COMMIT !== 0) continue;
    store.issueTs();
    store.commit();
    store.checkpointIfDue();
    store.begin();
  }
  store.issueTs();
  store.commit();
  store.close();
}

async function append(engine: Engine): Promise<void> {
  const serviceId = `svc_${ulid()}`;
  const args = {
    orgId: SAMPLE_ORG_ID,
    actor: { kind: "user", id: `usr_${ulid()}`, role: "owner" },
    source: { kind: "command", name: "services.define", key: ulid(), policy: "0".repeat(16) },
    correlationId: "cor_bench",
    events: [
      {
        stream: `service/${serviceId}`,
        expectedStreamVersion: 0,
        type: "service.defined",
        typeVersion: 1,
        data: { name: "Massage", durationMinutes: 60, priceMinor: 5000, currency: "EUR" },
      },
    ],
  };
  const call = callOf("append:append", args, { identity: ADMIN, componentPath: COMPONENT });
  valueOf(await engine.mutation(call));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function timed(engine: Engine): Promise<number> {
  const startedAt = performance.now();
  await append(engine);
  return performance.now() - startedAt;
}

async function ledgerOf(folder: string, count: number): Promise<Engine> {
  const dataDir = path.join(folder, String(count));
  // The engine makes the tables and their indexes; the rows come while it is closed.
  await (await open(dataDir)).close();
  seed(dataDir, count);
  return await open(dataDir);
}

/** Appends `appends` times to a ledger of `few` and to one of `many` events, in turn, and prints the ratio. */
export async function benchAppend({
  few,
  many,
  appends,
}: {
  few: number;
  many: number;
  appends: number;
}): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), "daybook-append-"));
  try {
    const short = await ledgerOf(folder, few);
    const long = await ledgerOf(folder, many);
    const times: { short: number[]; long: number[] } = { short: [], long: [] };
    for (let round = -WARM_UP; round < appends; round += 1) {
      const ofShort = await timed(short);
      const ofLong = await timed(long);
      if (round < 0) continue;
      times.short.push(ofShort);
      times.long.push(ofLong);
    }
    await short.close();
    await long.close();
    const table = new Table({ head: ["events in the ledger", "append, median ms", "ratio"] });
    table.push([few, median(times.short).toFixed(3), "1.00"]);
    table.push([many, median(times.long).toFixed(3), (median(times.long) / median(times.short)).toFixed(2)]);
    process.stdout.write(`${table.toString()}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
