/** Asks a public query, all pages of it, and holds the answer against the model. */
import { isDeepStrictEqual } from "node:util";
import { badFields } from "./argumentModel.ts";
import { PAGED } from "./policyModel.ts";
import type { Answer } from "./answer.ts";
import { answerOf } from "./queryModel.ts";
import { isHeldBy, memberOf } from "./predict.ts";
import {
  ask,
  asSent,
  count,
  idsIn,
  requireEqual,
  require,
  requireRefusal,
  show,
  type Session,
} from "./session.ts";
import type { Call, World } from "./world.ts";

type Page = { page: Record<string, unknown>[]; isDone: boolean; continueCursor: string };

const PAGE_MAX = 200;
const PAGE_DEFAULT = 50;
const PAGES_MAX = 2_000;

async function readPages(session: Session, call: Call): Promise<Record<string, unknown>[]> {
  const options = (call.args["paginationOpts"] ?? { cursor: null }) as { numItems?: number };
  const size = Math.min(options.numItems ?? PAGE_DEFAULT, PAGE_MAX);
  const rows: Record<string, unknown>[] = [];
  let { args } = call;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    session.tally.queries += 1;
    const result = (await ask(session, { ...call, args })) as Page;
    require("INV-06", result.page.length <= size, `a page of more than ${size} rows`);
    rows.push(...result.page);
    session.cursors.push({ cursor: result.continueCursor, function: call.function });
    if (result.isDone) return rows;
    args = { ...args, paginationOpts: { numItems: size, cursor: result.continueCursor } };
  }
  throw new Error(`INV-06 ${call.function} never comes to its last page`);
}

/** The data of the ConvexError that a query threw. Anything else thrown breaks INV-10. */
function refusalIn(error: unknown): unknown {
  if (typeof error !== "object" || error === null || !("data" in error)) {
    throw new Error(`INV-10 a query threw something without a code: ${show(error)}`, { cause: error });
  }
  const { data } = error;
  return typeof data === "string" ? JSON.parse(data) : data;
}

type Reply = { kind: "answered"; value: unknown } | { kind: "refused"; data: unknown };

async function reply(session: Session, call: Call, isPaged: boolean): Promise<Reply> {
  try {
    if (isPaged) return { kind: "answered", value: await readPages(session, call) };
    session.tally.queries += 1;
    return { kind: "answered", value: await ask(session, call) };
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("INV-")) throw error;
    return { kind: "refused", data: refusalIn(error) };
  }
}

/** Fields that only the server's clock knows, and the wording that is its own. */
const ITS_OWN = ["summary", "receivedAt", "digest"];
const UNCERTAIN = ["createdAt", "joinedAt", "at", "linkedAt", ...ITS_OWN];

function comparable(row: object, isExact: boolean): Record<string, unknown> {
  const dropped = isExact ? ITS_OWN : UNCERTAIN;
  return Object.fromEntries(Object.entries(row).filter(([name]) => !dropped.includes(name)));
}

function rowOf(value: unknown, isExact: boolean): unknown {
  return typeof value === "object" && value !== null ? comparable(value, isExact) : value;
}

/** Several bodies may have come under one id of the provider's. */
function deliveryKey({ deliveryId, ...row }: Record<string, unknown>): string | undefined {
  return deliveryId === undefined
    ? undefined
    : JSON.stringify([deliveryId, row["signedAt"], row["status"], row["reason"]]);
}

function sorted(rows: readonly object[], isExact: boolean): Record<string, unknown>[] {
  const keyOf = (row: Record<string, unknown>): string =>
    String(
      row["paymentId"] ??
        row["key"] ??
        deliveryKey(row) ??
        row["bookingId"] ??
        row["serviceId"] ??
        row["eventId"] ??
        row["orgId"] ??
        row["userId"],
    );
  return rows.map((row) => comparable(row, isExact)).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function requireOrder(rows: readonly object[], { by, direction }: { by: string; direction: 1 | -1 }): void {
  const values = rows.map((row) => (row as Record<string, string | number>)[by] ?? "");
  for (const [index, value] of values.entries()) {
    const before = values[index - 1];
    if (before === undefined || before === value) continue;
    require("INV-06", before < value === (direction === 1), `rows are not ordered by ${by}`, values);
  }
}

function requireSummaries(rows: readonly object[]): void {
  for (const row of rows) {
    if (!("summary" in row)) continue;
    const { summary } = row;
    require("INV-06", typeof summary === "string" && summary.trim() !== "", "an empty summary", row);
  }
}

function requireValue(call: Call, expected: Answer, value: unknown, isExact: boolean): void {
  const what = `${call.function} ${show(call.args)} by ${call.subject ?? "nobody"}`;
  switch (expected.kind) {
    case "refused":
      throw new Error(`INV-08 ${what} answered instead of ${expected.code}: ${show(value)}`);
    case "rows": {
      const rows = value as object[];
      requireSummaries(rows);
      requireEqual("INV-06", what, sorted(rows, isExact), sorted(expected.rows, isExact));
      if (expected.order !== undefined) requireOrder(rows, expected.order);
      return;
    }
    case "list":
      requireOrder(value as object[], expected.order);
      return;
    case "fits":
      require("INV-06", expected.fits(value), what, value);
      return;
    case "row":
      requireEqual("INV-06", what, rowOf(value, isExact), rowOf(expected.row, isExact));
      return;

    case "head":
      requireEqual("INV-02", what, (value as { seq: number }).seq, expected.seq);
      return;
    case "events":
      requireEqual("INV-06", what, (value as { entries: unknown[] }).entries.length, expected.count);
  }
}

/** The organisations whose ids an answer may hold. */
function organizationsFor(world: World, call: Call): string[] {
  if (call.function !== "projections/organizations:mine") {
    const member = memberOf(world, call);
    return typeof member === "string" ? [] : [member.orgId];
  }
  const { userId = "" } = world.users.get(call.subject ?? "") ?? {};
  return [...world.organizations.values()]
    .filter((organization) => isHeldBy(organization, userId, call))
    .map(({ orgId }) => orgId);
}

/**
 * Asks and checks. `isExact` compares times too: the expectation then comes from the ledger itself.
 * Returns the answer, or the refusal's data, as JSON text; undefined when no client would send the arguments.
 */
export async function checkQuery(
  session: Session,
  raw: Call,
  { world, isExact }: { world: World; isExact: boolean },
): Promise<string | undefined> {
  const args = asSent(raw.args);
  if (args === undefined) return undefined;
  const expected = answerOf(world, { ...raw, args });
  const isPaged = PAGED.includes(raw.function) && badFields(raw.function, args).length === 0;
  const answer = await reply(session, raw, isPaged);
  if (answer.kind === "answered") {
    requireValue(raw, expected, answer.value, isExact);
    const text = JSON.stringify(answer.value);
    session.seenIds.push({ ids: idsIn(text), orgIds: organizationsFor(world, raw), call: show(raw) });
    return text;
  }
  const refusal = requireRefusal(answer.data, ["field"]);
  const what = `${raw.function} ${show(raw.args)} by ${raw.subject ?? "nobody"} was refused: ${show(refusal)}`;
  if (expected.kind === "fits" && expected.orElse === refusal.code) return JSON.stringify(refusal);
  if (expected.kind !== "refused") throw new Error(`INV-08 ${what}`);
  requireEqual("INV-08", what, refusal.code, expected.code);
  const isNamed = expected.fields.some((field) => refusal.field?.startsWith(field) ?? false);
  require("INV-10", refusal.code !== "INVALID" || isNamed || refusal.field === "arguments", what);
  const text = JSON.stringify(refusal);
  session.seenIds.push({ ids: idsIn(text), orgIds: [], call: show(raw) });
  return text;
}

/**
 * J01 A cursor that was given for something, by whoever it was, in a list that a caller asks for: an error, or rows
 * that are the caller's to see in that list, each once. The platform refuses a cursor in words of its own.
 */
export async function checkCursor(session: Session, call: Call, cursor: string): Promise<void> {
  const expected = answerOf(session.world, call);
  const options = { numItems: 50, ...(call.args["paginationOpts"] as object | undefined), cursor };
  let result: Page;
  session.tally.queries += 1;
  try {
    result = (await ask(session, { ...call, args: { ...call.args, paginationOpts: options } })) as Page;
  } catch (error) {
    count(session.tally, "cursor refused");
    if (typeof error !== "object" || error === null || !("data" in error)) return;
    const data = refusalIn(error);
    // Convex's own words for a cursor of something else; whoever may not ask at all hears of that first.
    if (isDeepStrictEqual(data, { isConvexSystemError: true, paginationError: "InvalidCursor" })) {
      const isList = expected.kind === "rows" || expected.kind === "list";
      require("INV-08", isList, "a cursor is looked at before its caller", show(call));
      return;
    }
    const { code } = requireRefusal(data, ["field"]);
    if (expected.kind === "refused") requireEqual("INV-08", show(call), code, expected.code);
    return;
  }
  count(session.tally, "cursor answered");
  const what = `${call.function} from a used cursor by ${call.subject ?? "nobody"}`;
  if (expected.kind === "rows") {
    const allowed = sorted(expected.rows, false);
    const found = sorted(result.page, false);
    const surplus = found.filter((row) => !allowed.some((known) => isDeepStrictEqual(known, row)));
    requireEqual("INV-07", `rows that are not theirs, ${what}`, surplus, []);
    const texts = new Set(found.map((row) => JSON.stringify(row)));
    requireEqual("INV-06", `a row twice, ${what}`, texts.size, found.length);
  } else if (expected.kind !== "list") throw new Error(`INV-08 ${what} answered: ${show(result)}`);
  session.seenIds.push({
    ids: idsIn(result.page),
    orgIds: organizationsFor(session.world, call),
    call: show(call),
  });
}
