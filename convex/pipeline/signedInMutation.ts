/**
 * The corridor of the commands that need no active organisation: `organizations:create` and
 * `members:acceptInvitation`. Same steps and order as commandMutation, except that the organisation is the one
 * the command founds or the one its invitation names, and the key is looked up by (user, command, key).
 */
import type { RegisteredMutation } from "convex/server";
import { v, type PropertyValidators } from "convex/values";
import { ulid } from "ulid";
import { z } from "zod";
import { parseArguments } from "../access/arguments.ts";
import {
  createUser,
  organizationOfCommandKey,
  recordCommandKey,
  selectOrganization,
} from "../access/directory.ts";
import { Refusal, toRejected } from "../access/errors.ts";
import { limitCaller, limitOrganization } from "../access/limits.ts";
import { policyRow, POLICY_FINGERPRINT, type FunctionName } from "../access/policy.ts";
import { organizationOf, requireLifecycle } from "../access/lifecycle.ts";
import { getAuthUser, isEffective, limitKeyOf, membershipOf, type SignedIn } from "../access/principal.ts";
import { recordRefusal } from "../access/securityLog.ts";
import { mutation, type MutationCtx } from "../_generated/server.js";
import type { Accepted, Decision, DecisionContext, ResultIds } from "../domain/decision.ts";
import { commandName, decisionContext, requireAccepted, requireSamePayload } from "./commandMutation.ts";
import { idempotencyKey } from "../access/fields.ts";
import { scheduleEffects } from "./effects.ts";
import { payloadFingerprint } from "./fingerprint.ts";
import { appendDecision, findReceipt } from "./ledger.ts";
import { project } from "./project.ts";
import { committed, responseValidator, type CommandResponse } from "./response.ts";

type Parsed<Shape extends z.ZodRawShape> = z.output<z.ZodObject<Shape>>;
type Input<Shape extends z.ZodRawShape> = z.input<z.ZodObject<Shape>> & { idempotencyKey: string };

export type SignedInSpec<Shape extends z.ZodRawShape, Result extends PropertyValidators, Facts> = {
  function: Extract<FunctionName, `commands/${string}`>;
  args: Shape;
  result: Result;
  /** The organisation that the command takes effect in: a new id, or the one that the arguments prove. */
  organization: (ctx: MutationCtx, args: Parsed<Shape>) => Promise<{ orgId: string; isNew: boolean }>;
  facts: (input: {
    ctx: MutationCtx;
    orgId: string;
    userId: string;
    args: Parsed<Shape>;
  }) => Promise<{ facts: Facts; versions: ReadonlyMap<string, number> }>;
  decide: (input: { args: Parsed<Shape>; facts: Facts; context: DecisionContext }) => Decision;
};

type Entered<Shape extends z.ZodRawShape> = {
  caller: SignedIn;
  userId: string;
  command: string;
  key: string;
  args: Parsed<Shape>;
  fingerprint: string;
};

/** Steps 1 to 3 and the arguments. */
async function enter<Shape extends z.ZodRawShape, Result extends PropertyValidators, Facts>(
  ctx: MutationCtx,
  spec: SignedInSpec<Shape, Result, Facts>,
  caller: SignedIn,
  rawArgs: unknown,
): Promise<Entered<Shape>> {
  policyRow(spec.function);
  const limit = await limitCaller(ctx, spec.function, limitKeyOf(caller));
  if (limit !== null) throw limit;
  const schema = z.strictObject({ ...spec.args, idempotencyKey });
  const { idempotencyKey: key, ...payload } = parseArguments(schema, rawArgs) as Parsed<Shape> & {
    idempotencyKey: string;
  };
  const command = commandName(spec.function);
  return {
    caller,
    userId: caller.user?.userId ?? `usr_${ulid(Date.now(), Math.random)}`,
    command,
    key,
    args: payload as unknown as Parsed<Shape>,
    fingerprint: payloadFingerprint(command, payload),
  };
}

type Replay = { orgId: string; ids: ResultIds; receipt: Parameters<typeof committed>[3] };

/** Step 4. A replay is authorised again: whoever left the organisation gets no receipt of it. */
async function findReplay(
  ctx: MutationCtx,
  functionName: FunctionName,
  { caller, userId, command, key, fingerprint }: Omit<Entered<z.ZodRawShape>, "args">,
): Promise<Replay | null> {
  const orgId = await organizationOfCommandKey(ctx, { userId, command, key });
  if (orgId === null) return null;
  const stored = await findReceipt(ctx, { orgId, actorId: userId, command, key });
  if (stored === null) throw new Error("INV-05 a command key without its receipt");
  const membership = await membershipOf(ctx, orgId, userId);
  const organization = await organizationOf(ctx, orgId);
  if (!isEffective(membership, caller.session) || organization === null) throw new Refusal("NOT_FOUND");
  requireLifecycle(functionName, organization.lifecycle, membership.role);
  requireSamePayload(stored, fingerprint);
  return { orgId, ids: stored.result, receipt: stored.receipt };
}

type Decided = {
  decision: Accepted;
  versions: ReadonlyMap<string, number>;
  context: DecisionContext;
};

/** Lifecycle of the organisation that is joined, its limit, and step 5. */
async function decide<Shape extends z.ZodRawShape, Result extends PropertyValidators, Facts>(
  ctx: MutationCtx,
  spec: SignedInSpec<Shape, Result, Facts>,
  entered: Entered<Shape>,
  { orgId, isNew }: { orgId: string; isNew: boolean },
): Promise<Decided> {
  const { userId, args } = entered;
  if (!isNew) {
    const organization = await organizationOf(ctx, orgId);
    if (organization === null) throw new Error("INV-06 an invitation to an organisation without a row");
    requireLifecycle(spec.function, organization.lifecycle, "guest");
    const limit = await limitOrganization(ctx, spec.function, limitKeyOf(entered.caller), orgId);
    if (limit !== null) throw limit;
  }
  const { facts, versions } = await spec.facts({ ctx, orgId, userId, args });
  const context = decisionContext(orgId, userId);
  return { decision: requireAccepted(spec.decide({ args, facts, context })), versions, context };
}

/** Sets the user's active organisation when they have none, or only one that they left. */
async function selectIfNone(
  ctx: MutationCtx,
  caller: SignedIn,
  userId: string,
  orgId: string,
): Promise<void> {
  const selected = caller.user?.selectedOrgId;
  const holds = selected !== undefined && (await membershipOf(ctx, selected, userId))?.status === "active";
  if (!holds) await selectOrganization(ctx, caller, orgId);
}

/** Steps 6, 7 and 9. */
async function commit<Shape extends z.ZodRawShape>(
  ctx: MutationCtx,
  { caller, userId, command, key, fingerprint }: Entered<Shape>,
  orgId: string,
  { decision, versions, context }: Decided,
): Promise<ReturnType<typeof committed>> {
  const { issuer, subject } = caller;
  if (caller.user === null) await createUser(ctx, { userId, issuer, subject });
  if (decision.actorRole === undefined) throw new Error("a command that joins an organisation gives a role");
  const { receipt, events } = await appendDecision(ctx, {
    orgId,
    receipt: { key: { orgId, actorId: userId, command, key }, fingerprint },
    decision,
    versions,
    actor: { kind: "user", id: userId, role: decision.actorRole },
    source: { kind: "command", name: command, key, policy: POLICY_FINGERPRINT },
    correlationId: context.newId("cor"),
  });
  await project(ctx, orgId, events);
  await scheduleEffects(ctx, orgId, events);
  await recordCommandKey(ctx, { userId, command, key }, orgId);
  await selectIfNone(ctx, caller, userId, orgId);
  return committed(orgId, false, decision.result, receipt);
}

/** Registers a command of a signed-in caller. Returns `committed` with a receipt or `rejected` with a code. */
export function signedInMutation<Shape extends z.ZodRawShape, Result extends PropertyValidators, Facts>(
  spec: SignedInSpec<Shape, Result, Facts>,
): RegisteredMutation<"public", Input<Shape>, Promise<CommandResponse<Result>>> {
  const handler = async (ctx: MutationCtx, rawArgs: unknown): Promise<unknown> => {
    let caller: SignedIn | undefined;
    let entered: Entered<Shape>;
    let orgId: string | undefined;
    let decided: Decided;
    try {
      caller = await getAuthUser(ctx);
      entered = await enter(ctx, spec, caller, rawArgs);
      const replay = await findReplay(ctx, spec.function, entered);
      if (replay !== null) return committed(replay.orgId, true, replay.ids, replay.receipt);
      const organization = await spec.organization(ctx, entered.args);
      if (!organization.isNew) ({ orgId } = organization);
      decided = await decide(ctx, spec, entered, organization);
      ({ orgId } = organization);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (caller !== undefined) {
        const { rejection } = error;
        await recordRefusal(ctx, { orgId, userId: limitKeyOf(caller), function: spec.function, rejection });
      }
      return toRejected(error);
    }
    return await commit(ctx, entered, orgId, decided);
  };
  return mutation({ args: v.any(), returns: responseValidator(spec.result), handler: handler as never });
}
