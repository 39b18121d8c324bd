/** `.paginate()`: one page of a query from a cursor, to a fixed end where one is given. */
import { PlatformError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { successor } from "../values/sortKey.ts";
import { TransactionLimitError } from "./counters.ts";
import type { CursorCodec, CursorPosition } from "./cursor.ts";
import { planQuery, type PlannedQuery, type QueryJson } from "./indexRange.ts";
import { QueryStream } from "./queryStream.ts";
import type { Row, Transaction } from "./transaction.ts";

export type PageRequest = {
  query: QueryJson;
  cursor: string | null;
  endCursor: string | null;
  pageSize: number;
  maximumRowsRead: number | null;
  maximumBytesRead?: number | null;
};

export type Page = { json: string; endCursor: string };

function startAfter(plan: PlannedQuery, position: CursorPosition | null): void {
  if (position?.kind !== "after") return;
  if (plan.order === "asc") plan.span = { low: successor(position.key), high: plan.span.high };
  else plan.span = { low: plan.span.low, high: position.key };
}

function endAt(plan: PlannedQuery, position: CursorPosition | null): void {
  if (position?.kind !== "after") return;
  if (plan.order === "asc") plan.span = { low: plan.span.low, high: successor(position.key) };
  else plan.span = { low: position.key, high: plan.span.high };
}

type PageLimits = { rows: number; scanned: number; bytes: number };

function pageLimits(request: PageRequest, toFixedEnd: boolean): PageLimits {
  return {
    rows: toFixedEnd ? Infinity : request.pageSize,
    scanned: request.maximumRowsRead ?? Infinity,
    bytes: request.maximumBytesRead ?? Infinity,
  };
}

type RowsRead = { rows: Row[]; exhausted: boolean; overLimit: boolean };

/** Looks at one row; `"limit"` where the transaction may read no more. A page that got nowhere fails instead. */
function advanceWithin(stream: QueryStream): Row | null | "dropped" | "limit" {
  try {
    return stream.advance();
  } catch (error) {
    if (error instanceof TransactionLimitError && stream.lastKey !== null) return "limit";
    throw error;
  }
}

function readRows(stream: QueryStream, limits: PageLimits): RowsRead {
  const rows: Row[] = [];
  while (rows.length < limits.rows && stream.rowsRead < limits.scanned && stream.bytesRead < limits.bytes) {
    const row = advanceWithin(stream);
    if (row === null) return { rows, exhausted: true, overLimit: false };
    if (row === "limit") return { rows, exhausted: false, overLimit: true };
    if (row !== "dropped") rows.push(row);
  }
  return { rows, exhausted: false, overLimit: false };
}

/** Convex's answers to requests that can't be for a page. */
function checkRequest({ pageSize, maximumRowsRead, maximumBytesRead }: PageRequest): void {
  if (pageSize === 0) throw new PlatformError("Must request at least 1 document while paginating");
  if (pageSize < 0 || !Number.isInteger(pageSize)) {
    throw new PlatformError(`\`options.numItems\` must be a positive number. Received \`${pageSize}\`.`);
  }
  if (pageSize > LIMITS.pageSizeMax) throw new PlatformError(`Requested too many items: ${pageSize}`);
  if (maximumRowsRead === 0 || maximumBytesRead === 0) {
    throw new PlatformError("maximumRowsRead and maximumBytesRead must be greater than 0");
  }
}

type Bounds = { start: CursorPosition | null; end: CursorPosition | null; fixedEnd: string | null };

function boundsOf(
  request: PageRequest,
  codec: CursorCodec,
  fingerprint: string,
  journal: string | null,
): Bounds {
  const start = request.cursor === null ? null : codec.decode(request.cursor, fingerprint);
  if (request.endCursor !== null) {
    return { start, end: codec.decode(request.endCursor, fingerprint), fixedEnd: request.endCursor };
  }
  // A journal of another version of the query is no reason to fail: the page just gets new bounds.
  const end = journal === null ? null : codec.tryDecode(journal, fingerprint);
  return { start, end, fixedEnd: end === null ? null : journal };
}

/**
 * Reads one page. With an end cursor (the client's, or the journal of an earlier run) the page holds everything up
 * to it, so that the pages of a live list neither overlap nor leave gaps when rows come and go.
 */
export function readPage(
  transaction: Transaction,
  component: string,
  request: PageRequest,
  codec: CursorCodec,
  journal: string | null,
): Page {
  checkRequest(request);
  const fingerprint = JSON.stringify([component, request.query]);
  const write = (position: CursorPosition): string => codec.encode(position, fingerprint);
  const { start, end, fixedEnd } = boundsOf(request, codec, fingerprint, journal);
  const plan = planQuery(transaction, component, request.query.source);
  startAfter(plan, start);
  endAt(plan, end);
  const stream = new QueryStream(transaction, plan, request.query.operators);
  const limits = pageLimits(request, end !== null);
  stream.measuresBytes = limits.bytes < Infinity;
  const { rows, exhausted, overLimit }: RowsRead =
    start?.kind === "end" ? { rows: [], exhausted: true, overLimit: false } : readRows(stream, limits);
  const endCursor = fixedEnd ?? endOf(request, exhausted, stream.lastKey, write);
  const fields = JSON.stringify({
    isDone: end === null ? exhausted : end.kind === "end",
    continueCursor: endCursor,
    splitCursor: end === null ? null : splitCursor(rows, write),
    pageStatus: statusOf(end !== null, exhausted, overLimit),
  });
  return { json: `{"page":[${rows.map((row) => row.text).join(",")}],${fields.slice(1)}`, endCursor };
}

function statusOf(toFixedEnd: boolean, exhausted: boolean, overLimit: boolean): string | null {
  // Rows before the fixed end are missing: the client reads the page again, in two.
  if (toFixedEnd) return exhausted ? null : "SplitRequired";
  return overLimit ? "SplitRecommended" : null;
}

/** Where a page without a fixed end came to its end. */
function endOf(
  request: PageRequest,
  exhausted: boolean,
  lastKey: Uint8Array | null,
  write: (position: CursorPosition) => string,
): string {
  if (exhausted) return write({ kind: "end" });
  return lastKey === null ? (request.cursor ?? "") : write({ kind: "after", key: lastKey });
}

/** Where a page that has grown between its bounds can be cut in two. */
function splitCursor(rows: readonly Row[], write: (position: CursorPosition) => string): string | null {
  const middle = rows[Math.floor((rows.length - 1) / 2)];
  return middle === undefined || rows.length < 2 ? null : write({ kind: "after", key: middle.key });
}
