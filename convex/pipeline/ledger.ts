/** The corridor's way to the ledger component: load an aggregate, look a receipt up, append. */
import { parseEvent, type Actor, type EventEnvelope, type Source } from "../../ledger/event.ts";
import type { FunctionReturnType } from "convex/server";
import { components } from "../_generated/api.js";
import type { MutationCtx } from "../_generated/server.js";
import type { Accepted, Aggregate, ResultIds } from "../domain/decision.ts";
import { toDomainEvent, CATALOGUE, type DomainEvent } from "../events/catalogue/catalogue.ts";
import { latestVersion } from "../events/catalogue/definition.ts";

const STREAM_PAGE = 200;

export type Loaded<State> = { state: State; version: number };

function parseText(text: string): EventEnvelope {
  const parsed = parseEvent(JSON.parse(text));
  if (!parsed.ok) throw new Error(`INV-02 the ledger returned a bad event: ${parsed.reason}`);
  return parsed.event;
}

/** Folds one stream. An organisation's missing stream and a foreign one both give the initial state. */
export async function loadAggregate<State>(
  ctx: MutationCtx,
  orgId: string,
  stream: string,
  aggregate: Aggregate<State>,
): Promise<Loaded<State>> {
  let { initial: state } = aggregate;
  let version = 0;
  for (;;) {
    const page = await ctx.runQuery(components.events.read.stream, {
      orgId,
      stream,
      afterVersion: version,
      limit: STREAM_PAGE,
    });
    for (const { text } of page.entries) state = aggregate.evolve(state, toDomainEvent(parseText(text)));
    version = page.nextAfterVersion;
    if (page.isDone) return { state, version };
  }
}

export type LedgerHead = { seq: number; hash: string };

/** The newest event's sequence and hash. Throws for an organisation without a ledger, which has no members. */
export async function readHead(ctx: MutationCtx, orgId: string): Promise<LedgerHead> {
  const head = await ctx.runQuery(components.events.read.head, { orgId });
  if (head === null) throw new Error(`INV-02 ${orgId} has no ledger`);
  return { seq: head.seq, hash: head.hash };
}

/** The organisation that an account at the provider is linked to; null when to none. */
export async function accountHolder(ctx: MutationCtx, account: string): Promise<string | null> {
  return await ctx.runQuery(components.events.deliveries.accountHolder, { account });
}

/** Whether an organisation's calls may go through an account: it is linked to it now, or it is the deployment's (null). */
export async function holdsAccount(
  ctx: MutationCtx,
  orgId: string,
  account: string | null,
): Promise<boolean> {
  return account === null || (await accountHolder(ctx, account)) === orgId;
}

export type Receipt = { firstSeq: number; lastSeq: number; headHash: string; eventIds: string[] };

export type ReceiptKey = { orgId: string; actorId: string; command: string; key: string };

export type StoredReceipt = { fingerprint: string; result: ResultIds; receipt: Receipt };

/** What this key did, or null. */
export async function findReceipt(ctx: MutationCtx, of: ReceiptKey): Promise<StoredReceipt | null> {
  return await ctx.runQuery(components.events.read.receipt, of);
}

export type Appending = {
  orgId: string;
  decision: Accepted;
  /** Versions of the streams that existed when the decision was made; the others are new. */
  versions: ReadonlyMap<string, number>;
  /** An id is checked by the ledger, which takes nothing but an envelope in due form. */
  actor: { kind: Actor["kind"]; id: string; role?: string };
  source: Source;
  correlationId: string;
  /** Under which key a repeat finds what was done; absent when no client's command did it. */
  receipt?: { key: ReceiptKey; fingerprint: string };
};

/** Makes the checkpoint of the organisation's present head, or finds it made. It takes no event. */
export async function makeCheckpoint(
  ctx: MutationCtx,
  orgId: string,
): Promise<FunctionReturnType<typeof components.events.checkpoints.make>> {
  return await ctx.runMutation(components.events.checkpoints.make, { orgId });
}

/** Appends a decision's events, with the receipt if there is one, and returns the events as folds see them. */
export async function appendDecision(
  ctx: MutationCtx,
  { orgId, decision, versions, actor, source, correlationId, receipt }: Appending,
): Promise<{ receipt: Receipt; events: DomainEvent[] }> {
  const next = new Map(versions);
  const events = decision.events.map(({ stream, type, data }) => {
    const expectedStreamVersion = next.get(stream) ?? 0;
    next.set(stream, expectedStreamVersion + 1);
    return { stream, expectedStreamVersion, type, typeVersion: latestVersion(CATALOGUE[type]), data };
  });
  const stored = receipt && {
    actorId: receipt.key.actorId,
    command: receipt.key.command,
    key: receipt.key.key,
    fingerprint: receipt.fingerprint,
    result: { ...decision.result },
  };
  const appended = await ctx.runMutation(components.events.append.append, {
    orgId,
    actor,
    source,
    correlationId,
    events,
    ...(stored === undefined ? {} : { receipt: stored }),
  });
  return {
    receipt: appended.receipt,
    events: appended.entries.map(({ text }) => toDomainEvent(parseText(text))),
  };
}
