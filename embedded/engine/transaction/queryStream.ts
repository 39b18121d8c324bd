/** Rows of one query in order, fetched in chunks, with filters and limits applied in the order they were written. */
import { convexSize } from "../values/convexSize.ts";
import type { Json, JsonObject } from "../values/json.ts";
import { successor } from "../values/sortKey.ts";
import { evaluate, toBoolean } from "./filterExpression.ts";
import type { PlannedQuery, QueryOperator, Span } from "./indexRange.ts";
import type { ReadRange, Row, Transaction } from "./transaction.ts";

const CHUNK_MIN = 16;
const CHUNK_MAX = 256;

type Step = { kind: "filter"; expression: Json } | { kind: "limit"; left: number };

/** A stream in progress. */
export class QueryStream {
  private readonly transaction: Transaction;
  private readonly plan: PlannedQuery;
  private readonly steps: Step[];
  /** What is not yet read from the database. Null: nothing. */
  private rest: Span | null;
  private buffer: Row[] = [];
  private bufferAt = 0;
  private bufferVersion = 0;
  private chunk: number;
  private readonly read: ReadRange;
  /** Rows looked at, those that a filter dropped included. */
  rowsRead = 0;
  /** Of those rows; counted only where `measuresBytes` is set, because it takes parsing. */
  bytesRead = 0;
  measuresBytes = false;
  lastKey: Uint8Array | null = null;

  constructor(transaction: Transaction, plan: PlannedQuery, operators: readonly QueryOperator[]) {
    this.transaction = transaction;
    this.plan = plan;
    this.rest = plan.span;
    this.steps = operators.map((operator) =>
      "limit" in operator
        ? { kind: "limit", left: operator.limit }
        : { kind: "filter", expression: operator.filter },
    );
    const [first] = this.steps;
    this.chunk = first?.kind === "limit" ? Math.max(1, Math.min(CHUNK_MAX, first.left)) : CHUNK_MIN;
    const start = plan.order === "asc" ? plan.span.low : plan.span.high;
    this.read = { indexId: plan.index.id, low: start, high: start };
    transaction.reads.push(this.read);
    transaction.counters.countRange();
  }

  /** The next row that passes every step, or null at the end. */
  next(): Row | null {
    for (;;) {
      const row = this.advance();
      if (row !== "dropped") return row;
    }
  }

  /** Looks at one row: it, null at the end, or that a filter dropped it. */
  advance(): Row | null | "dropped" {
    if (this.steps.some((step) => step.kind === "limit" && step.left <= 0)) return null;
    const row = this.nextRow();
    return row === null || this.passes(row) ? row : "dropped";
  }

  private passes(row: Row): boolean {
    let document: JsonObject | null = null;
    for (const step of this.steps) {
      if (step.kind === "limit") {
        step.left -= 1;
        continue;
      }
      document ??= JSON.parse(row.text) as JsonObject;
      if (!toBoolean(evaluate(step.expression, document))) return false;
    }
    return true;
  }

  private nextRow(): Row | null {
    const { overlay, counters } = this.transaction;
    // A write since the last chunk may have changed rows that wait in the buffer.
    if (this.bufferVersion !== overlay.version(this.plan.table)) this.dropBuffer();
    while (this.bufferAt >= this.buffer.length) {
      if (this.rest === null) {
        this.readToEnd();
        return null;
      }
      this.fetch(this.rest);
    }
    const row = this.buffer[this.bufferAt];
    if (row === undefined) return null;
    // First: a row that may not be read any more is not passed by, so that a page can go on with it.
    counters.countRead(row.text);
    this.bufferAt += 1;
    this.rowsRead += 1;
    this.lastKey = row.key;
    if (this.measuresBytes) this.bytesRead += convexSize(JSON.parse(row.text) as Json);
    if (this.plan.order === "asc") this.read.high = successor(row.key);
    else this.read.low = row.key;
    return row;
  }

  private fetch(rest: Span): void {
    const { table, index, order } = this.plan;
    this.bufferVersion = this.transaction.overlay.version(table);
    const fetched = this.transaction.scan(table, index, rest, order, this.chunk);
    this.buffer = fetched.rows;
    this.bufferAt = 0;
    this.rest = fetched.rest;
    this.chunk = Math.min(CHUNK_MAX, this.chunk * 2);
  }

  private dropBuffer(): void {
    this.bufferVersion = this.transaction.overlay.version(this.plan.table);
    const { span, order } = this.plan;
    this.rest =
      order === "asc" ? { low: this.read.high, high: span.high } : { low: span.low, high: this.read.low };
    this.buffer = [];
    this.bufferAt = 0;
    this.chunk = CHUNK_MIN;
  }

  private readToEnd(): void {
    if (this.plan.order === "asc") this.read.high = this.plan.span.high;
    else this.read.low = this.plan.span.low;
  }
}
