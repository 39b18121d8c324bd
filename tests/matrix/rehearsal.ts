/**
 * A call on the test library inside a transaction that is taken back whatever comes of it: thousands of cells share
 * one world, and what a call did is looked at before it is undone. Also what the call read, which Convex counts.
 */
import { makeFunctionReference } from "convex/server";
import { ulid } from "ulid";
import { expect } from "vitest";
import { components, internal } from "../../convex/_generated/api.js";
import type { Doc } from "../../convex/_generated/dataModel.js";
import type { MutationCtx } from "../../convex/_generated/server.js";
import { CODES, type Code } from "../../convex/access/errors.ts";
import schema from "../../convex/schema.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import { createVerifier } from "../../ledger/verify.ts";
import type { Client } from "../support/backend.ts";
import type { Args, Situation } from "./fixtures.ts";
import { CANARY, type World } from "./world.ts";

export type Answer = { ok: true; value: unknown } | { ok: false; code: Code; refusal: object };

/** Runs in one transaction as this client, and takes it back. */
export async function rehearse<T>(client: Client, run: (ctx: MutationCtx) => Promise<T>): Promise<T> {
  // The test library takes a function where clients take a reference.
  const accessor = client as unknown as {
    mutation(run: (ctx: MutationCtx) => Promise<never>): Promise<never>;
  };
  const undo = new Error("taken back");
  let done: { value: T } | undefined;
  try {
    await accessor.mutation(async (ctx) => {
      done = { value: await run(ctx) };
      throw undo;
    });
  } catch (error) {
    if (error !== undo) throw error;
  }
  if (done === undefined) throw new Error("nothing was rehearsed");
  return done.value;
}

function answerOf(refusal: object): Answer {
  const code = CODES.find((known) => "code" in refusal && refusal.code === known);
  if (code === undefined) throw new Error(`an answer without a code of the set: ${JSON.stringify(refusal)}`);
  return { ok: false, code, refusal };
}

/** Calls a function of the corridor or a view. Whatever else it throws than a refusal is thrown. */
export async function ask(ctx: MutationCtx, name: string, args: Args): Promise<Answer> {
  if (name.startsWith("commands/")) {
    const reference = makeFunctionReference<"mutation", Args, { status: string }>(name);
    const response = await ctx.runMutation(reference, args);
    return response.status === "rejected" ? answerOf(response) : { ok: true, value: response };
  }
  const reference = makeFunctionReference<"query", Args, unknown>(name);
  try {
    return { ok: true, value: await ctx.runQuery(reference, args) };
  } catch (error) {
    if (!(error instanceof Error && "data" in error)) throw error;
    const { data } = error;
    return answerOf((typeof data === "string" ? JSON.parse(data) : data) as object);
  }
}

async function organizationRow(ctx: MutationCtx, orgId: string): Promise<Doc<"organizations">> {
  const row = await ctx.db
    .query("organizations")
    .withIndex("by_orgId", (q) => q.eq("orgId", orgId))
    .unique();
  if (row === null) throw new Error("the world has no organisation");
  return row;
}

/** What an owner's command does, whoever calls in this transaction. */
async function freezeAsOwner(ctx: MutationCtx, { orgId, people }: World): Promise<void> {
  const { _id, version } = await organizationRow(ctx, orgId);
  await ctx.runMutation(components.events.append.append, {
    orgId,
    actor: { kind: "user", id: people.secondOwner.userId, role: "owner" },
    source: { kind: "command", name: "organizations.freeze", key: ulid(), policy: "0".repeat(16) },
    correlationId: "cor_1",
    events: [
      {
        stream: `organization/${orgId}`,
        expectedStreamVersion: version,
        type: "organization.frozen",
        typeVersion: 1,
        data: { reason: "other" },
      },
    ],
  });
  await ctx.db.patch("organizations", _id, { status: "frozen", frozenBy: "owner", version: version + 1 });
}

/** Brings the world's organisation into a situation. */
export async function bringInto(ctx: MutationCtx, world: World, situation: Situation): Promise<void> {
  const { orgId } = world;
  switch (situation) {
    case "active":
      return;
    case "frozenByOwner":
      await freezeAsOwner(ctx, world);
      return;
    case "frozenByOperator":
      await ctx.runMutation(internal.operator.organizations.freeze, { orgId, reason: "other" });
      return;
    case "frozenByIntegrity":
      await ctx.db.insert("integrityFreezes", { orgId, at: Date.now(), seq: 1, kind: "altered" });
      return;
    case "closed": {
      const { _id } = await organizationRow(ctx, orgId);
      await ctx.db.patch("organizations", _id, { status: "closed" });
      return;
    }
  }
}

/** Everything that a refused call must leave as it was. */
export type Observation = {
  /** Each organisation's events, as types in their order, and the newest hash. */
  chains: Readonly<Record<string, Chain>>;
  /** SHA-256 over every row of every table but the security log, which refusals do write. */
  rows: string;
  jobs: number;
};

const PAGE = 200;

type Entry = { text: string; hash: string };
type Chain = { types: readonly string[]; head: string };

async function entriesOf(ctx: MutationCtx, orgId: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  let afterSeq = 0;
  for (;;) {
    const page = await ctx.runQuery(components.events.read.range, { orgId, afterSeq, limit: PAGE });
    entries.push(...page.entries);
    afterSeq = page.nextAfterSeq;
    if (page.isDone) return entries;
  }
}

const REMEMBERED_MAX = 16;

/** What was worked out of a text, for as long as the same text comes again: most calls change nothing. */
function remembering<T>(workOut: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    if (known.size >= REMEMBERED_MAX) known.clear();
    const result = workOut(text);
    known.set(text, result);
    return result;
  };
}

const verifiedChain = remembering((text): Chain => {
  const { orgId, entries } = JSON.parse(text) as { orgId: string; entries: Entry[] };
  const verifier = createVerifier({ orgId, sha256: sha256Noble });
  for (const entry of entries) verifier.push(entry);
  expect([orgId, verifier.finish().damage]).toEqual([orgId, undefined]);
  const types = entries.map((entry) => (JSON.parse(entry.text) as { type: string }).type);
  return { types, head: entries.at(-1)?.hash ?? "" };
});

const digestOf = remembering((text) => toHex(sha256Noble(new TextEncoder().encode(text))));

async function chainOf(ctx: MutationCtx, orgId: string): Promise<Chain> {
  return verifiedChain(JSON.stringify({ orgId, entries: await entriesOf(ctx, orgId) }));
}

const OBSERVED = (Object.keys(schema.tables) as (keyof typeof schema.tables)[]).filter(
  (table) => table !== "securityLog" && table !== "alerts",
);

/** Looks at all organisations. Fails the test where a chain does not verify. */
export async function observe(ctx: MutationCtx): Promise<Observation> {
  const chains: [string, Chain][] = [];
  let orgId: string | null = null;
  for (;;) {
    orgId = await ctx.runQuery(components.events.check.nextOrganization, { after: orgId });
    if (orgId === null) break;
    chains.push([orgId, await chainOf(ctx, orgId)]);
  }
  const tables: unknown[] = [];
  for (const table of OBSERVED) tables.push(await ctx.db.query(table).collect());
  const rows = digestOf(JSON.stringify(tables));
  const jobs = (await ctx.db.system.query("_scheduled_functions").collect()).length;
  return { chains: Object.fromEntries(chains), rows, jobs };
}

/** What refusals do write: that there was one, and that it counts. */
const WRITTEN_BY_REFUSALS: readonly unknown[] = ["securityLog", "alerts", "rateLimits"];

/** The calls of functions to their host that change nothing by themselves. */
const READS = [
  ...["get", "queryPage", "queryStreamNext", "count", "runUdf"],
  ...["getRequestMetadata", "getTransactionMetrics"],
].map((name) => `1.0/${name}`);

type FunctionsHost = { asyncSyscall: (call: string, args: string) => Promise<string> };

let writes = 0;
let isWatching = false;

/**
 * How often functions have written or planned anything so far, in any component, but for what refusals write. The
 * same number before and after a call says that an observation would find nothing.
 */
export function writesSoFar(): number {
  if (!isWatching) watchWrites();
  return writes;
}

/** Functions reach their host, here the test library, through one object. */
function watchWrites(): void {
  const holder = globalThis as unknown as { Convex: FunctionsHost };
  const host = holder.Convex;
  const asyncSyscall: FunctionsHost["asyncSyscall"] = async (call, args) => {
    if (!READS.includes(call)) {
      const { table } = JSON.parse(args) as { table?: unknown };
      if (!WRITTEN_BY_REFUSALS.includes(table)) writes += 1;
    }
    return await host.asyncSyscall(call, args);
  };
  holder.Convex = Object.create(host, { asyncSyscall: { value: asyncSyscall } }) as FunctionsHost;
  isWatching = true;
}

/** The types of the events that came between two observations, over all organisations. */
export function appended(before: Observation, after: Observation): string[] {
  return Object.entries(after.chains).flatMap(([orgId, { types }]) =>
    types.slice(before.chains[orgId]?.types.length ?? 0),
  );
}

/** The post-conditions of every refused call: nothing happened, and its answer tells nothing. */
export function expectNothingHappened(before: Observation, after: Observation, refusal: object): void {
  expect(after).toEqual(before);
  expect(JSON.stringify(refusal)).not.toContain(CANARY);
}
