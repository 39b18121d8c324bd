/** Reads and writes of `ctx.db`. */
import stringify from "fast-json-stable-stringify";
import { PlatformError } from "../../errors.ts";
import { personKey } from "../../execution/identityKey.ts";
import { planQuery, type QueryJson } from "../../transaction/indexRange.ts";
import { readPage, type PageRequest } from "../../transaction/pagination.ts";
import { QueryStream } from "../../transaction/queryStream.ts";
import { SYSTEM_TABLES } from "../../storage/catalog.ts";
import type { Located, Transaction } from "../../transaction/transaction.ts";
import { isPlainObject, type Json, type JsonObject } from "../../values/json.ts";
import type { FunctionCall } from "../functionCall.ts";
import type { Runtime } from "../runtime.ts";

function text(args: JsonObject, name: string): string {
  const value = args[name];
  if (typeof value !== "string") throw new PlatformError(`Invalid argument \`${name}\`: expected a string`);
  return value;
}

function optionalText(args: JsonObject, name: string): string | null {
  const value = args[name];
  return typeof value === "string" ? value : null;
}

function fieldsOf(value: Json | undefined): JsonObject {
  if (isPlainObject(value)) return value;
  throw new PlatformError("A document must be an object");
}

function streamOf(call: FunctionCall, args: JsonObject): QueryStream {
  const stream = call.streams.get(Number(args["queryId"]));
  if (stream === undefined) throw new PlatformError("This query is closed and can't emit any more values.");
  return stream;
}

/** Opens a stream of a query; nothing is read yet. */
export function queryStream(_runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  const query = args["query"] as unknown as QueryJson;
  const plan = planQuery(call.transaction, call.component, query.source);
  const queryId = call.nextStreamId;
  call.nextStreamId += 1;
  call.streams.set(queryId, new QueryStream(call.transaction, plan, query.operators));
  return `{"queryId":${queryId}}`;
}

/** Closes a stream. */
export function queryCleanup(_runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  call.streams.delete(Number(args["queryId"]));
  return "{}";
}

/** The next document of a stream. */
export function queryStreamNext(_runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  const row = streamOf(call, args).next();
  return row === null ? '{"value":null,"done":true}' : `{"value":${row.text},"done":false}`;
}

/** `.paginate()`: in the app only, once per function, as on the platform. */
export function queryPage(runtime: Runtime, call: FunctionCall, page: JsonObject): string {
  if (call.component !== "")
    throw new PlatformError("paginate() is only supported in the app, not in components.");
  if (call.hasPaginated) {
    throw new PlatformError(
      "This query or mutation function ran multiple paginated queries. Convex only supports a single paginated query in each function.",
    );
  }
  call.hasPaginated = true;
  const { execution } = call;
  const request = page as unknown as PageRequest;
  // Only the outermost function's page is the client's page.
  const journal = call.depth === 1 ? execution.journal : null;
  const cursors = runtime.cursors.boundTo(bindingOf(call));
  const read = readPage(call.transaction, call.component, request, cursors, journal);
  if (call.depth === 1) execution.nextJournal = read.endCursor;
  return read.json;
}

/**
 * What a cursor is good for, besides its index range and filters: this function, this person, and the arguments where
 * the page is asked for by the usual one. Under another name the cursor itself would be among them.
 */
function bindingOf(call: FunctionCall): string {
  const { paginationOpts, ...others } = call.args;
  return stringify([call.path, personKey(call.identity), paginationOpts === undefined ? {} : others]);
}

/** `db.get` and `db.system.get`. */
export function get(_runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  const { transaction } = call;
  const located = transaction.locate(call.component, text(args, "id"), optionalText(args, "table"));
  if (located === null) return "null";
  const isSystem = args["isSystem"] === true;
  const { name } = located.table;
  if (isSystem !== name.startsWith("_") || (isSystem && !SYSTEM_TABLES.has(name))) {
    throw new PlatformError(
      isSystem
        ? "User tables can't be read with db.system.get; use db.get"
        : "System tables can't be read with db.get; use db.system.get",
    );
  }
  return transaction.readText(located) ?? "null";
}

type Target = { transaction: Transaction; located: Located; before: JsonObject };

function existing(call: FunctionCall, args: JsonObject, what: string): Target {
  const transaction = call.requireMutation();
  const id = text(args, "id");
  const located = transaction.locate(call.component, id, optionalText(args, "table"));
  if (located?.table.name.startsWith("_")) {
    throw new PlatformError("System tables (prefixed with `_`) are read-only.");
  }
  const before = located === null ? null : transaction.read(located);
  if (located === null || before === null)
    throw new PlatformError(`${what} on nonexistent document ID ${id}`);
  return { transaction, located, before };
}

/** `db.insert`. */
export function insert(_runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  const transaction = call.requireMutation();
  const table = transaction.writableTable(call.component, text(args, "table"));
  return JSON.stringify({ _id: transaction.insert(table, fieldsOf(args["value"])) });
}

/** `db.patch`. */
export function shallowMerge(_runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  const { transaction, located, before } = existing(call, args, "Update");
  return JSON.stringify(transaction.patch(located, before, args["value"] as JsonObject));
}

/** `db.replace`. */
export function replace(_runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  const { transaction, located, before } = existing(call, args, "Replace");
  return JSON.stringify(transaction.replace(located, before, fieldsOf(args["value"])));
}

/** `db.delete`. */
export function remove(_runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  const { transaction, located, before } = existing(call, args, "Delete");
  transaction.remove(located, before);
  return JSON.stringify(before);
}

/** Not in Convex's documented API; counts by reading, as a scan would, so that subscriptions follow it. */
export function count(_runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  const { transaction } = call;
  const source = { type: "FullTableScan", tableName: text(args, "table"), order: null } as const;
  const stream = new QueryStream(transaction, planQuery(transaction, call.component, source), []);
  let rows = 0;
  while (stream.next() !== null) rows += 1;
  return String(rows);
}

/** `db.normalizeId`. */
export function normalizeId(runtime: Runtime, call: FunctionCall, args: JsonObject): string {
  const id = text(args, "idString");
  const table = runtime.store.catalog.tableNameOf(call.component, id);
  return JSON.stringify({ id: table === text(args, "table") ? id : null });
}
