/** The corridor's shortest form: a choice of the signed-in user about their own session. No event, no key. */
import type { RegisteredMutation } from "convex/server";
import { v } from "convex/values";
import { z } from "zod";
import { parseArguments } from "../access/arguments.ts";
import { Refusal, rejectedValidator, toRejected, type Rejected } from "../access/errors.ts";
import { limitCaller } from "../access/limits.ts";
import { policyRow, type FunctionName } from "../access/policy.ts";
import { getAuthUser, limitKeyOf, type SignedIn } from "../access/principal.ts";
import { logRefusal } from "../access/securityLog.ts";
import { mutation, type MutationCtx } from "../_generated/server.js";

export type SessionResponse = { status: "committed"; result: Record<string, never> } | Rejected;

const returns = v.union(
  v.object({ status: v.literal("committed"), result: v.object({}) }),
  rejectedValidator,
);

/** Registers a session function. `run` throws a Refusal to reject. */
export function sessionMutation<Shape extends z.ZodRawShape>(spec: {
  function: Extract<FunctionName, `commands/${string}`>;
  args: Shape;
  run: (ctx: MutationCtx, caller: SignedIn, args: z.output<z.ZodObject<Shape>>) => Promise<void>;
}): RegisteredMutation<"public", z.input<z.ZodObject<Shape>>, Promise<SessionResponse>> {
  const schema = z.strictObject(spec.args);
  const handler = async (ctx: MutationCtx, rawArgs: unknown): Promise<SessionResponse> => {
    let caller: SignedIn | undefined;
    try {
      caller = await getAuthUser(ctx);
      policyRow(spec.function);
      const limit = await limitCaller(ctx, spec.function, limitKeyOf(caller));
      if (limit !== null) throw limit;
      const args = parseArguments(schema, rawArgs) as z.output<z.ZodObject<Shape>>;
      await spec.run(ctx, caller, args);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { rejection } = error;
      if (caller !== undefined)
        logRefusal({ userId: limitKeyOf(caller), function: spec.function, rejection });
      return toRejected(error);
    }
    return { status: "committed", result: {} };
  };
  return mutation({ args: v.any(), returns, handler: handler as never });
}
