/**
 * The corridor of a member's request about evidence, which decides nothing and appends no event: principal and limits →
 * lifecycle, policy → arguments → the request. It takes no idempotency key, because a repeat finds what the first
 * one made.
 */
import type { RegisteredMutation } from "convex/server";
import { v, type PropertyValidators } from "convex/values";
import { z } from "zod";
import { parseArguments } from "../access/arguments.ts";
import { Refusal, rejectedValidator, toRejected } from "../access/errors.ts";
import { limitCaller, limitOrganization } from "../access/limits.ts";
import type { FunctionName } from "../access/policy.ts";
import {
  getAuthUser,
  limitKeyOf,
  requireRole,
  requireSameOrg,
  type Member,
  type SignedIn,
} from "../access/principal.ts";
import { recordRefusal } from "../access/securityLog.ts";
import { mutation, type MutationCtx } from "../_generated/server.js";

type EvidenceResponse<Result> = { status: "committed"; result: Result } | ReturnType<typeof toRejected>;

type Spec<Shape extends z.ZodRawShape, Result> = {
  function: Extract<FunctionName, `commands/${string}`>;
  args: Shape;
  result: PropertyValidators;
  /** Throws a Refusal to reject; what it wrote before then stays. */
  run: (ctx: MutationCtx, member: Member, args: z.output<z.ZodObject<Shape>>) => Promise<Result>;
};

/** Registers a request. */
export function evidenceMutation<Shape extends z.ZodRawShape, Result>(
  spec: Spec<Shape, Result>,
): RegisteredMutation<"public", z.input<z.ZodObject<Shape>>, Promise<EvidenceResponse<Result>>> {
  const schema = z.strictObject(spec.args);
  const handler = async (ctx: MutationCtx, rawArgs: unknown): Promise<EvidenceResponse<Result>> => {
    const known: { caller?: SignedIn; member?: Member } = {};
    try {
      const caller = await getAuthUser(ctx);
      known.caller = caller;
      const key = limitKeyOf(caller);
      const callerLimit = await limitCaller(ctx, spec.function, key);
      const member = await requireSameOrg(ctx, caller).catch((error: unknown) => {
        // Whoever is over the limit hears nothing else.
        throw error instanceof Refusal ? (callerLimit ?? error) : error;
      });
      known.member = member;
      const limit = callerLimit ?? (await limitOrganization(ctx, spec.function, key, member.orgId));
      if (limit !== null) throw limit;
      requireRole(spec.function, member);
      const args = parseArguments(schema, rawArgs) as z.output<z.ZodObject<Shape>>;
      return { status: "committed", result: await spec.run(ctx, member, args) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { caller, member } = known;
      if (caller !== undefined) {
        const { orgId, role } = member ?? {};
        const { rejection } = error;
        await recordRefusal(ctx, {
          orgId,
          role,
          userId: limitKeyOf(caller),
          function: spec.function,
          rejection,
        });
      }
      return toRejected(error);
    }
  };
  const returns = v.union(
    v.object({ status: v.literal("committed"), result: v.object(spec.result) }),
    rejectedValidator,
  );
  return mutation({ args: v.any(), returns, handler: handler as never });
}
