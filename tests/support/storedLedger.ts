/** One organisation's ledger as its rows lie in a stopped database, and what somebody can do to it there. */
import type { JsonObject } from "../../embedded/engine/values/json.ts";
import { canonicalize } from "../../ledger/canonicalJson.ts";
import { appendLeaf, EMPTY_FRONTIER, formatFrontier } from "../../ledger/frontier.ts";
import { genesisHash, hashCanonicalEvent, sha256Noble, toHex } from "../../ledger/hash.ts";
import { eventLeafHash } from "../../ledger/merkle.ts";
import { TILE_WIDTH, tileGains } from "../../ledger/tiles.ts";
import type { StoppedDatabase, StoredDocument } from "./stoppedDatabase.ts";

export type StoredEvent = StoredDocument & { seq: number; text: string; hash: string; stream: string };

/** An event as its text says. */
export type EventText = JsonObject & { data: JsonObject };

export function eventOf({ text }: StoredEvent): EventText {
  return JSON.parse(text) as EventText;
}

export class StoredLedger {
  readonly database: StoppedDatabase;
  readonly orgId: string;

  constructor(database: StoppedDatabase, orgId: string) {
    this.database = database;
    this.orgId = orgId;
  }

  /** In the order of sequences. */
  events(): StoredEvent[] {
    const rows = this.database.rows("events") as StoredEvent[];
    return rows.filter(({ orgId }) => orgId === this.orgId).sort((left, right) => left.seq - right.seq);
  }

  event(seq: number): StoredEvent {
    return this.#one(this.events().filter((row) => row.seq === seq));
  }

  head(): StoredDocument {
    return this.#one(this.database.rows("heads").filter(({ orgId }) => orgId === this.orgId));
  }

  /** The rows of a table of trees. */
  ofTree(table: "treeHashes" | "checkpoints"): StoredDocument[] {
    return this.database.rows(table).filter(({ tree }) => tree === this.orgId);
  }

  checkpoint(): StoredDocument {
    return this.#one(this.ofTree("checkpoints"));
  }

  setEvent(seq: number, fields: JsonObject): void {
    const row = this.event(seq);
    this.database.replace("events", row, { ...row, ...fields });
  }

  setHead(fields: JsonObject): void {
    const row = this.head();
    this.database.replace("heads", row, { ...row, ...fields });
  }

  setCheckpoint(fields: JsonObject): void {
    const row = this.checkpoint();
    this.database.replace("checkpoints", row, { ...row, ...fields });
  }

  removeEvents(isGone: (seq: number) => boolean): void {
    for (const row of this.events()) if (isGone(row.seq)) this.database.remove("events", row);
  }

  removeTree(table: "treeHashes" | "checkpoints"): void {
    for (const row of this.ofTree(table)) this.database.remove(table, row);
  }

  /**
   * Writes another event over the one of a sequence and hashes the chain anew from there, columns and head with it:
   * what is left is sound by itself.
   */
  rewrite(seq: number, edit: (event: EventText) => JsonObject): void {
    let prevHash = seq === 1 ? genesisHash(this.orgId, sha256Noble) : this.event(seq - 1).hash;
    for (const row of this.events().filter((each) => each.seq >= seq)) {
      const event = eventOf(row);
      const fields = sealed({ ...(row.seq === seq ? edit(event) : event), prevHash });
      this.database.replace("events", row, { ...row, ...fields, orgId: this.orgId });
      prevHash = fields.hash;
    }
    this.setHead({ hash: prevHash });
  }

  /** Adds an event behind the newest one, linked to it, and moves the head on. */
  extend(event: JsonObject): void {
    const { seq, hash, recordedAt = 0 } = this.head() as StoredEvent;
    const fields = sealed({ ...event, seq: seq + 1, prevHash: hash, recordedAt });
    this.database.insert("events", { ...fields, orgId: this.orgId });
    this.setHead({ seq: seq + 1, hash: fields.hash });
  }

  /** Sets the head back to what it was after a sequence; its tree is the caller's business. */
  setHeadBack(seq: number): void {
    const row = this.event(seq);
    this.setHead({ seq, hash: row.hash, recordedAt: eventOf(row)["recordedAt"] ?? 0 });
  }

  /** Works the tree out anew from the events that are there: tiles and frontier. */
  regrow(): void {
    this.removeTree("treeHashes");
    let frontier = EMPTY_FRONTIER;
    for (const { hash } of this.events()) {
      const grown = appendLeaf(frontier, eventLeafHash(hash, sha256Noble), sha256Noble);
      frontier = grown.frontier;
      for (const gain of tileGains(grown.completed)) {
        const row = { tree: this.orgId, level: gain.level, index: gain.index * TILE_WIDTH + gain.offset };
        this.database.insert("treeHashes", { ...row, hash: toHex(gain.hash) });
      }
    }
    const { size, frontier: roots } = formatFrontier(frontier);
    this.setHead({ treeSize: size, frontier: [...roots] });
  }

  #one<Row>(rows: readonly Row[]): Row {
    const [row] = rows;
    if (row === undefined || rows.length > 1) throw new Error(`${rows.length} rows of ${this.orgId}`);
    return row;
  }
}

/** The columns of a row of events: text and hash of an event, and what its text says. */
export function sealed(event: JsonObject): JsonObject & { text: string; hash: string } {
  const text = canonicalize(event);
  const { orgId, seq, stream, streamVersion, type, eventId } = event as Record<string, string | number>;
  const columns = { orgId, seq, stream, streamVersion, type, eventId } as JsonObject;
  return { ...columns, text, hash: hashCanonicalEvent(text, sha256Noble) };
}

/** A hash in which one bit is another. */
export function flipped(hash: string): string {
  return (Number.parseInt(hash.charAt(0), 16) ^ 1).toString(16) + hash.slice(1);
}
