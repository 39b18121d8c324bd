/** A running stream: the backend, the model beside it, and what was seen so far. */
import { inspect, isDeepStrictEqual } from "node:util";
import { makeFunctionReference } from "convex/server";
import { convexToJson, jsonToConvex } from "convex/values";
import type { Backend, Client } from "../tests/support/backend.ts";
import type { Args } from "./argumentModel.ts";
import { CODES } from "./policyModel.ts";
import { newWorld, type Call, type Times, type World } from "./world.ts";

/** A backend and its clock. */
export type Bench = {
  backend: Backend;
  /** Milliseconds; the backend's own clock reads the same. */
  now: () => number;
  /** Turns the clock on; absent where it is the machine's. */
  advance?: (byMs: number) => void;
  /** Knocks at the provider's door with a body and its signature; answers the status. */
  post: (body: string, header: string | null) => Promise<number>;
  /** What effects and jobs do, where the test takes their steps itself; absent where the backend runs them. */
  jobs?: Jobs;
};

export type Scheduled = { id: string; name: string; args: Readonly<Record<string, unknown>> };
export type OutboxRow = { orgId: string; outboxId: string; kind: string; subject: string };

export type Jobs = {
  /** Functions that wait to run, oldest first. */
  scheduled: () => Promise<Scheduled[]>;
  /** Every effect that was ever put into the outbox. */
  outbox: () => Promise<OutboxRow[]>;
};

export type Tally = { commands: number; queries: number; deliveries: number; outcomes: Map<string, number> };

/** The ids in an answer and the organisations that they may belong to. */
export type SeenIds = { ids: readonly string[]; orgIds: readonly string[]; call: string };

export type Entry = { text: string; hash: string };

export type Session = {
  readonly bench: Bench;
  readonly world: World;
  readonly clients: Map<string, Client>;
  readonly tally: Tally;
  readonly journal: string[];
  /** The scheduled functions that were run. */
  readonly taken: Set<string>;
  readonly seenIds: SeenIds[];
  /** Every cursor that anybody was ever given, the newest last, and by which function. */
  readonly cursors: { cursor: string; function: string }[];
  /** Earlier exports by organisation, for INV-01. */
  readonly snapshots: { orgId: string; entries: readonly Entry[] }[];
  /** Texts of refused commands and of committed ones. */
  readonly refusedTexts: Set<string>;
  readonly committedTexts: Set<string>;
};

export function newSession(bench: Bench): Session {
  return {
    bench,
    world: newWorld(bench.backend.issuer, bench.jobs === undefined),
    taken: new Set(),
    clients: new Map(),
    tally: { commands: 0, queries: 0, deliveries: 0, outcomes: new Map() },
    journal: [],
    seenIds: [],
    cursors: [],
    snapshots: [],
    refusedTexts: new Set(),
    committedTexts: new Set(),
  };
}

export function count(tally: Tally, outcome: string): void {
  tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1);
}

export function show(value: unknown): string {
  return inspect(value, { depth: 8, breakLength: 110, maxStringLength: 300 });
}

/** Fails with the invariant's number unless both are the same. */
export function requireEqual(invariant: string, what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${invariant} ${what}\n  found:    ${show(actual)}\n  expected: ${show(expected)}`);
}

/** Fails with the invariant's number unless the condition holds. */
export function require(invariant: string, condition: boolean, what: string, evidence?: unknown): void {
  if (!condition)
    throw new Error(`${invariant} ${what}${evidence === undefined ? "" : `\n  ${show(evidence)}`}`);
}

/** Arguments as the server gets them through Convex's encoding; undefined when a client refuses to send them. */
export function asSent(args: Args): Args | undefined {
  try {
    return jsonToConvex(JSON.parse(JSON.stringify(convexToJson(args as never))) as never) as Args;
  } catch {
    return undefined;
  }
}

export async function clientOf(
  session: Session,
  { subject, claim, issuedAtS, authenticatedAtS }: Pick<Call, "subject" | "claim" | keyof Times>,
): Promise<Client> {
  const { backend } = session.bench;
  if (subject === null) return backend.anonymous();
  // A claim that is null is another token than one without the claim.
  const name = JSON.stringify([
    subject,
    claim === undefined ? "none" : { claim },
    issuedAtS,
    authenticatedAtS,
  ]);
  const known = session.clients.get(name);
  if (known !== undefined) return known;
  const client = await backend.withClaims(subject, {
    ...(claim === undefined ? {} : { daybook_org: claim }),
    ...(issuedAtS === undefined ? {} : { daybook_iat: issuedAtS }),
    ...(authenticatedAtS === undefined ? {} : { daybook_auth_time: authenticatedAtS }),
  });
  session.clients.set(name, client);
  return client;
}

export async function mutate(session: Session, call: Call): Promise<unknown> {
  const client = await clientOf(session, call);
  return await client.mutation(makeFunctionReference<"mutation", Args>(call.function), call.args);
}

export async function ask(session: Session, call: Call): Promise<unknown> {
  const client = await clientOf(session, call);
  return await client.query(makeFunctionReference<"query", Args>(call.function), call.args);
}

const ID = /\b(?:org|usr|svc|bkg|inv|evt|exp|rdg|pay|rfd|lnk)_[0-7][0-9A-HJKMNP-TV-Z]{25}\b/gu;

/** Every id in a value or a text. */
export function idsIn(value: unknown): string[] {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return [...new Set(text.match(ID) ?? [])];
}

/** Every text inside a value. */
export function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null || value instanceof ArrayBuffer) return [];
  return Object.values(value).flatMap(textsIn);
}

const INTERNAL =
  /node_modules|file:\/\/|\bat \S+ \(|:\d+:\d+\b|sqlite|\bselect\b.*\bfrom\b|\.[jt]s\b|zod|prototype/iu;

/** INV-10: a code of the closed set, a message, at most a field, and nothing of the inside. */
export function requireRefusal(value: unknown, allowed: readonly string[]): { code: string; field?: string } {
  require("INV-10", typeof value === "object" && value !== null, "a refusal without its fields", value);
  const refusal = value as { code: string; message: string; field?: string };
  require("INV-10", CODES.has(refusal.code), "a code outside of the closed set", refusal);
  require("INV-10", refusal.message !== "", "a refusal without a message", refusal);
  const extra = Object.keys(refusal).filter((name) => !["code", "message", ...allowed].includes(name));
  requireEqual("INV-10", "a refusal says more than code, message and field", extra, []);
  require("INV-10", !INTERNAL.test(JSON.stringify(refusal)), "a refusal tells something internal", refusal);
  return refusal;
}
