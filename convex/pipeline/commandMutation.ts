/**
 * The corridor of a member's command, in one transaction:
 * 1. principal and limits → 2. lifecycle, policy → arguments → the object's own relation → recent
 * authentication → 4. idempotency → 5. decide → 6. append → 7. project → 8. effects → 9. receipt.
 *
 * Until the append, a refusal is returned and its record and the limiter's count stay. From the append on,
 * whatever fails is thrown and takes everything back. The caller is counted as soon as it is known who calls, and the
 * organisation as soon as it is known that they belong to it: before role, arguments and object are looked at, so that
 * every call that is refused for them has been counted, and a limit tells nothing about them.
 */
import type { RegisteredMutation } from "convex/server";
import { v, type PropertyValidators } from "convex/values";
import { ulid } from "ulid";
import { z } from "zod";
import { parseArguments } from "../access/arguments.ts";
import { Refusal, toRejected } from "../access/errors.ts";
import { limitCaller, limitOrganization } from "../access/limits.ts";
import {
  POLICY_FINGERPRINT,
  requireRelation,
  stepUpFor,
  type Condition,
  type FunctionName,
  type Relation,
} from "../access/policy.ts";
import {
  getAuthUser,
  limitKeyOf,
  requireRole,
  requireSameOrg,
  type Member,
  type Place,
  type SignedIn,
} from "../access/principal.ts";
import { recordRefusal } from "../access/securityLog.ts";
import { requireStepUp } from "../access/sessions.ts";
import { tenantReader, tenantWriter, type TenantReader, type TenantWriter } from "../access/tenantDb.ts";
import { mutation, type MutationCtx } from "../_generated/server.js";
import type { Accepted, Aggregate, Decision, DecisionContext, ResultIds } from "../domain/decision.ts";
import { idempotencyKey } from "../access/fields.ts";
import { scheduleEffects } from "./effects.ts";
import { payloadFingerprint } from "./fingerprint.ts";
import {
  appendDecision,
  findReceipt,
  loadAggregate,
  readHead,
  type LedgerHead,
  type Loaded,
  type ReceiptKey,
} from "./ledger.ts";
import { project } from "./project.ts";
import { committed, responseValidator, type CommandResponse } from "./response.ts";

type Parsed<Shape extends z.ZodRawShape> = z.output<z.ZodObject<Shape>>;
type Input<Shape extends z.ZodRawShape> = z.input<
  z.ZodObject<Shape & { idempotencyKey: typeof idempotencyKey }>
>;

type MemberFunction = Extract<FunctionName, `commands/${string}`>;

/** What a command file declares. */
export type CommandSpec<Shape extends z.ZodRawShape, Result extends PropertyValidators, State, Facts> = {
  /** Its row in the policy table. */
  function: MemberFunction;
  /** Its arguments besides the idempotency key. */
  args: Shape;
  result: Result;
  /** The aggregate that it concerns, and which one; without `stream` it founds a new one. */
  aggregate: Aggregate<State>;
  stream?: (args: Parsed<Shape>, caller: { orgId: string; userId: string }) => string;
  /** Which organisation it takes place in, where that is not the claim's. */
  place?: Place;
  /** The object's own relation to the caller, for the policy's conditions. */
  relation?: (state: State, args: Parsed<Shape>) => Relation;
  /** Tenant-scoped reads that the decider needs besides the state. */
  facts: (input: {
    tenant: TenantReader;
    args: Parsed<Shape>;
    state: State;
    member: Member;
    /** The organisation's head before the command. */
    head: () => Promise<LedgerHead>;
  }) => Promise<Facts>;
  decide: (input: { state: State; args: Parsed<Shape>; facts: Facts; context: DecisionContext }) => Decision;
  /** Keeps what the command brings and the ledger must not hold. Runs once, after the events are projected. */
  keep?: (input: {
    tenant: TenantWriter;
    args: Parsed<Shape>;
    /** The state before the command. */
    state: State;
  }) => Promise<void>;
  /** Completes the stored ids to the answer, at first and at each replay; here secrets are derived. */
  reveal?: (input: {
    tenant: TenantReader;
    ids: ResultIds;
    now: number;
    userId: string;
  }) => Promise<ResultIds>;
};

/** For a command whose decider needs nothing but the state. */
export function noFacts(): Promise<null> {
  return Promise.resolve(null);
}

/** `bookings.request` of `commands/bookings:request`: the command's name in the ledger. */
export function commandName(functionName: FunctionName): string {
  return functionName.slice("commands/".length).replace(":", ".");
}

/** A decision as accepted. Throws a rejection as a Refusal, for the corridor to return. */
export function requireAccepted(decision: Decision): Accepted {
  if (decision.kind === "accepted") return decision;
  const { code, field } = decision;
  throw new Refusal(code, field === undefined ? {} : { field });
}

/** Throws IDEMPOTENCY_KEY_REUSED when a key comes back with another payload. */
export function requireSamePayload(stored: { fingerprint: string }, fingerprint: string): void {
  if (stored.fingerprint !== fingerprint) throw new Refusal("IDEMPOTENCY_KEY_REUSED");
}

/** The context of a decision, from the transaction's frozen time and seeded randomness. */
export function decisionContext(orgId: string, userId: string): DecisionContext {
  const now = Date.now();
  return { now, orgId, userId, newId: (prefix) => `${prefix}_${ulid(now, Math.random)}` };
}

type Corridor = {
  member: Member;
  condition: Condition;
  context: DecisionContext;
};

/** What is known of a call when it is refused. */
type Known = { caller?: SignedIn; member?: Member };

/** Step 1: the caller, counted, as a member, counted. Notes in `known` how far it came. */
async function enter(
  ctx: MutationCtx,
  { function: name, place }: { function: MemberFunction; place?: Place },
  known: Known,
): Promise<Member> {
  const caller = await getAuthUser(ctx);
  known.caller = caller;
  const callerLimit = await limitCaller(ctx, name, limitKeyOf(caller));
  try {
    known.member = await requireSameOrg(ctx, caller, place);
  } catch (error) {
    // Whoever is over the limit hears nothing else.
    throw error instanceof Refusal ? (callerLimit ?? error) : error;
  }
  const { member } = known;
  const limit = callerLimit ?? (await limitOrganization(ctx, name, limitKeyOf(caller), member.orgId));
  if (limit !== null) throw limit;
  return member;
}

/** Keeps what was refused to a caller who is known. */
async function record(
  ctx: MutationCtx,
  functionName: MemberFunction,
  { caller, member }: Known,
  { rejection }: Refusal,
): Promise<void> {
  if (caller === undefined) return;
  const { orgId, role } = member ?? {};
  await recordRefusal(ctx, { orgId, role, userId: limitKeyOf(caller), function: functionName, rejection });
}

type Outcome =
  | { kind: "replay"; ids: ResultIds; receipt: Parameters<typeof committed>[3] }
  | {
      kind: "decided";
      decision: Accepted;
      versions: ReadonlyMap<string, number>;
      key: ReceiptKey;
      fingerprint: string;
      /** What the command declares to keep besides its events. */
      keep: (tenant: TenantWriter) => Promise<void>;
    };

function requireVersion(args: Readonly<Record<string, unknown>>, loaded: Loaded<unknown>): void {
  const expected = args["expectedVersion"];
  // A stream that does not exist is the decider's NOT_FOUND, whatever version the caller expects.
  if (expected === undefined || loaded.version === 0) return;
  if (expected !== loaded.version) throw new Refusal("VERSION_CONFLICT", { field: "expectedVersion" });
}

/** Arguments, relation, recent authentication, and steps 4 and 5. */
async function decide<Shape extends z.ZodRawShape, Result extends PropertyValidators, State, Facts>(
  ctx: MutationCtx,
  spec: CommandSpec<Shape, Result, State, Facts>,
  { member, condition, context }: Corridor,
  rawArgs: unknown,
): Promise<Outcome> {
  const schema = z.strictObject({ ...spec.args, idempotencyKey });
  const { idempotencyKey: key, ...payload } = parseArguments(schema, rawArgs) as Parsed<Shape> & {
    idempotencyKey: string;
  };
  const args = payload as unknown as Parsed<Shape>;
  const { orgId, userId } = member;
  const stream = spec.stream?.(args, { orgId, userId });
  const loaded =
    stream === undefined
      ? { state: spec.aggregate.initial, version: 0 }
      : await loadAggregate(ctx, orgId, stream, spec.aggregate);
  const relation = spec.relation?.(loaded.state, args) ?? {};
  requireRelation(condition, member, relation);
  requireStepUp(stepUpFor(spec.function, relation, member.role), member.session, context.now);

  const command = commandName(spec.function);
  const receiptKey: ReceiptKey = { orgId, actorId: userId, command, key };
  const fingerprint = payloadFingerprint(command, payload);
  const stored = await findReceipt(ctx, receiptKey);
  if (stored !== null) {
    requireSamePayload(stored, fingerprint);
    return { kind: "replay", ids: stored.result, receipt: stored.receipt };
  }
  requireVersion(payload, loaded);
  const tenant = tenantReader(ctx, orgId);
  const head = async (): Promise<LedgerHead> => await readHead(ctx, orgId);
  const facts = await spec.facts({ tenant, args, state: loaded.state, member, head });
  const decision = requireAccepted(spec.decide({ state: loaded.state, args, facts, context }));
  const versions = new Map(stream === undefined ? [] : [[stream, loaded.version]]);
  const keep = async (writer: TenantWriter): Promise<void> =>
    await spec.keep?.({ tenant: writer, args, state: loaded.state });
  return { kind: "decided", decision, versions, key: receiptKey, fingerprint, keep };
}

/** Steps 6 to 9, or the stored receipt. */
async function commit<Shape extends z.ZodRawShape, Result extends PropertyValidators, State, Facts>(
  ctx: MutationCtx,
  spec: CommandSpec<Shape, Result, State, Facts>,
  { member, context }: Corridor,
  outcome: Outcome,
): Promise<ReturnType<typeof committed>> {
  const { orgId, userId, role } = member;
  const tenant = tenantReader(ctx, orgId);
  const reveal = async (ids: ResultIds): Promise<ResultIds> =>
    spec.reveal === undefined ? ids : await spec.reveal({ tenant, ids, now: context.now, userId });
  if (outcome.kind === "replay") return committed(orgId, true, await reveal(outcome.ids), outcome.receipt);
  const { decision, versions, key, fingerprint, keep } = outcome;
  const { receipt, events } = await appendDecision(ctx, {
    orgId,
    receipt: { key, fingerprint },
    decision,
    versions,
    actor: { kind: "user", id: userId, role: decision.actorRole ?? role },
    source: { kind: "command", name: key.command, key: key.key, policy: POLICY_FINGERPRINT },
    correlationId: context.newId("cor"),
  });
  await project(ctx, orgId, events);
  await keep(tenantWriter(ctx, orgId));
  await scheduleEffects(ctx, orgId, events);
  return committed(orgId, false, await reveal(decision.result), receipt);
}

/**
 * Registers a command of a member in their active organisation. Returns `committed` with a receipt or
 * `rejected` with a code; throws only on a broken invariant.
 */
export function commandMutation<Shape extends z.ZodRawShape, Result extends PropertyValidators, State, Facts>(
  spec: CommandSpec<Shape, Result, State, Facts>,
): RegisteredMutation<"public", Input<Shape>, Promise<CommandResponse<Result>>> {
  const handler = async (ctx: MutationCtx, rawArgs: unknown): Promise<unknown> => {
    const known: Known = {};
    let corridor: Corridor;
    let outcome: Outcome;
    try {
      const member = await enter(ctx, spec, known);
      const condition = requireRole(spec.function, member);
      corridor = { member, condition, context: decisionContext(member.orgId, member.userId) };
      outcome = await decide(ctx, spec, corridor, rawArgs);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      await record(ctx, spec.function, known, error);
      return toRejected(error);
    }
    return await commit(ctx, spec, corridor, outcome);
  };
  return mutation({ args: v.any(), returns: responseValidator(spec.result), handler: handler as never });
}
