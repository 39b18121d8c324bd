/**
 * The live read models of a server against a replay of an exported ledger.
 *
 * The organisation may work meanwhile: each page of live rows tells the head that it was read at, and is held against
 * the replay folded up to that very head. The events behind the export are read from the server and join the chain
 * where the export ends, so they are as good as the server's word for its present head.
 */
import { parseCanonical } from "../ledger/canonicalJson.ts";
import { parseEvent } from "../ledger/event.ts";
import type { EventEnvelope } from "../ledger/event.ts";
import { hashCanonicalEvent } from "../ledger/hash.ts";
import { breaksTypeRule } from "../ledger/verify.ts";
import type { LedgerEntry, Verdict } from "../ledger/verify.ts";
import { AuditError } from "./auditError.ts";
import { auditRow } from "./fold/auditLog.ts";
import { foldEvent, rowDigest, STATE_TABLES } from "./fold/tables.ts";
import type { StateTable, TableName } from "./fold/tables.ts";
import { readHead, readPages, readRowDigests } from "./liveLedger.ts";
import type { LiveDigests } from "./liveLedger.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import type { ReplayedModels } from "./replay.ts";
import type { LiveLedger } from "./server.ts";
import { verifiedEvents } from "./verifiedEvents.ts";

/** `differs`: another content. `missing`: the ledger founds it, the server has it not. `too many`: the other way. */
export interface RowDifference {
  readonly table: TableName;
  readonly key: string;
  readonly kind: "differs" | "missing" | "too many";
}

/** The server's ledger does not go on from where the export ends, so there is nothing to compare. */
export class OtherLedgerError extends Error {
  override readonly name = "OtherLedgerError";
}

/** The events of the server behind the end of an export, each linked to the one before it. */
class LiveTail {
  readonly events: EventEnvelope[] = [];
  readonly #ledger: LiveLedger;
  readonly #orgId: string;
  #seq: number;
  #hash: string;

  constructor(ledger: LiveLedger, orgId: string, seq: number, hash: string) {
    this.#ledger = ledger;
    this.#orgId = orgId;
    this.#seq = seq;
    this.#hash = hash;
  }

  get seq(): number {
    return this.#seq;
  }

  /** Reads up to a sequence, and returns what was new. */
  async readTo(seq: number): Promise<readonly EventEnvelope[]> {
    const from = this.events.length;
    if (seq > this.#seq) {
      for await (const entries of readPages(this.#ledger, { seq }, this.#seq)) {
        for (const entry of entries) this.#take(entry);
      }
    }
    if (this.#seq >= seq) return this.events.slice(from);
    throw new OtherLedgerError(`The server's ledger ends at ${this.#seq}, and its rows are of ${seq}.`);
  }

  #take(entry: LedgerEntry): void {
    const due = this.#seq + 1;
    const canonical = parseCanonical(entry.text);
    const parsed = canonical.ok ? parseEvent(canonical.value) : canonical;
    if (!parsed.ok) throw new OtherLedgerError(`The server's event ${due} is not canonical.`);
    const { event } = parsed;
    const isLinked = event.prevHash === this.#hash && event.seq === due && event.orgId === this.#orgId;
    if (!isLinked || hashCanonicalEvent(entry.text, nodeSha256) !== entry.hash) {
      throw new OtherLedgerError(`The server's event ${due} does not go on from the export.`);
    }
    const broken = breaksTypeRule(event);
    if (broken !== undefined) throw new OtherLedgerError(`The server's event ${due}: ${broken.kind}.`);
    this.#seq = due;
    this.#hash = entry.hash;
    this.events.push(event);
  }
}

/** Where the export ends, from the verdict on it. */
type ExportEnd = Pick<Verdict, "orgId" | "count" | "headHash">;

async function tailOf(ledger: LiveLedger, { orgId, count, headHash }: ExportEnd): Promise<LiveTail> {
  const head = await readHead(ledger);
  if (orgId === undefined || headHash === undefined || head.orgId !== orgId) {
    throw new AuditError(
      `The token is for ${head.orgId}, the export of ${orgId ?? "nobody"}.`,
      "Use a token whose organisation is the exported one.",
    );
  }
  if (head.seq < count) {
    throw new OtherLedgerError(`The server's ledger ends at ${head.seq}, the export at ${count}.`);
  }
  if (head.seq === count && head.hash !== headHash) {
    throw new OtherLedgerError(`The server's event ${count} has another hash than the export's.`);
  }
  return new LiveTail(ledger, orgId, count, headHash);
}

/** Digests by key of the rows that the replay has in a stretch of keys. */
type Expected = ReadonlyMap<string, string>;

function* differencesOf(
  table: TableName,
  expected: Expected,
  { page }: LiveDigests,
): Generator<RowDifference, void> {
  const live = new Map(page.map(({ key, digest }) => [key, digest]));
  for (const [key, digest] of expected) {
    const found = live.get(key);
    if (found === undefined) yield { table, key, kind: "missing" };
    else if (found !== digest) yield { table, key, kind: "differs" };
  }
  for (const key of live.keys()) if (!expected.has(key)) yield { table, key, kind: "too many" };
}

async function* pagesOf(ledger: LiveLedger, table: TableName): AsyncGenerator<LiveDigests, void> {
  let cursor: string | null = null;
  for (;;) {
    const page: LiveDigests = await readRowDigests(ledger, table, cursor);
    yield page;
    if (page.isDone) return;
    if (page.continueCursor === cursor) {
      throw new AuditError(`The server's rows of ${table} never end.`, "Ask whoever runs the server.");
    }
    cursor = page.continueCursor;
  }
}

interface Comparison {
  readonly ledger: LiveLedger;
  readonly models: ReplayedModels;
  readonly tail: LiveTail;
}

/** How many of the sorted keys are not above `key`. */
function countUpTo(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((keys[middle] ?? "") <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

async function* compareState(
  { ledger, models, tail }: Comparison,
  table: StateTable,
): AsyncGenerator<RowDifference, void> {
  const rows: ReadonlyMap<string, object> = models.rows[table];
  let keys: readonly string[] = [];
  let after = "";
  for await (const page of pagesOf(ledger, table)) {
    for (const event of await tail.readTo(page.seq)) foldEvent(models.rows, event);
    if (keys.length !== rows.size) keys = [...rows.keys()].sort();
    // A page answers for the keys behind the page before it, up to its own last one.
    const lastKey = page.page.at(-1)?.key ?? after;
    const stretch = keys.slice(countUpTo(keys, after), page.isDone ? keys.length : countUpTo(keys, lastKey));
    const expected = new Map<string, string>();
    for (const key of stretch) expected.set(key, rowDigest(rows.get(key) ?? {}, nodeSha256));
    yield* differencesOf(table, expected, page);
    after = lastKey;
  }
}

async function* compareAuditLog(
  { ledger, models, tail }: Comparison,
  file: string,
): AsyncGenerator<RowDifference, void> {
  const exported = verifiedEvents(file, models.seq);
  let seq = 0;
  for await (const page of pagesOf(ledger, "auditLog")) {
    for (const event of await tail.readTo(page.seq)) foldEvent(models.rows, event);
    const lastKey = Number(page.page.at(-1)?.key ?? seq);
    const last = page.isDone ? page.seq : Math.min(lastKey, page.seq);
    const expected = new Map<string, string>();
    while (seq < last) {
      const next = await exported.next();
      const event = next.done === true ? tail.events[seq - models.seq] : next.value;
      if (event === undefined) throw new OtherLedgerError(`There is no event ${seq + 1} to compare with.`);
      expected.set(String(event.seq), rowDigest(auditRow(event), nodeSha256));
      seq = event.seq;
    }
    yield* differencesOf("auditLog", expected, page);
  }
}

/**
 * Every row in which the live read models differ from the replay of an export, which is folded further on the way.
 * Throws an OtherLedgerError, an AuditError, or a FoldError.
 */
export async function* compareModels(
  ledger: LiveLedger,
  file: string,
  models: ReplayedModels,
  end: ExportEnd,
): AsyncGenerator<RowDifference, void> {
  const comparison = { ledger, models, tail: await tailOf(ledger, end) };
  for (const table of STATE_TABLES) yield* compareState(comparison, table);
  yield* compareAuditLog(comparison, file);
}
