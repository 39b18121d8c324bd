/**
 * The door of every public query: principal → lifecycle → policy → arguments → the handler, which sees only the
 * tenant-scoped reader. Each run reads the membership and organisation rows, so that an open subscription ends
 * with the membership (INV-12). Refusals are thrown as ConvexError with a code of the closed set.
 */
import type { RegisteredQuery } from "convex/server";
import { v, type Infer, type Validator } from "convex/values";
import { z } from "zod";
import { parseArguments } from "../access/arguments.ts";
import { Refusal, toConvexError } from "../access/errors.ts";
import { policyRow, type Condition, type FunctionName } from "../access/policy.ts";
import {
  getAuthUser,
  limitKeyOf,
  requireRole,
  requireSameOrg,
  type Member,
  type SignedIn,
} from "../access/principal.ts";
import { logRefusal } from "../access/securityLog.ts";
import { tenantReader, type TenantReader } from "../access/tenantDb.ts";
import { query, type QueryCtx } from "../_generated/server.js";

type AnyValidator = Validator<unknown, "required", string>;
type Parsed<Shape extends z.ZodRawShape> = z.output<z.ZodObject<Shape>>;
type Input<Shape extends z.ZodRawShape> = z.input<z.ZodObject<Shape>>;

export type MemberView<Shape extends z.ZodRawShape> = {
  ctx: QueryCtx;
  tenant: TenantReader;
  member: Member;
  /** The policy's condition for the member's role; the handler applies it to rows and fields. */
  condition: Condition;
  args: Parsed<Shape>;
};

type Spec<Shape extends z.ZodRawShape, Returns extends AnyValidator, View> = {
  function: Extract<FunctionName, `projections/${string}`>;
  args: Shape;
  returns: Returns;
  handler: (view: View) => Promise<Infer<Returns>>;
};

/** What is known of a call when it is refused. */
type Known = { caller?: SignedIn; member?: Member };

function register<Shape extends z.ZodRawShape, Returns extends AnyValidator>(
  returns: Returns,
  name: FunctionName,
  run: (ctx: QueryCtx, rawArgs: unknown, known: Known) => Promise<Infer<Returns>>,
): RegisteredQuery<"public", Input<Shape>, Promise<Infer<Returns>>> {
  const handler = async (ctx: QueryCtx, rawArgs: unknown): Promise<Infer<Returns>> => {
    const known: Known = {};
    try {
      return await run(ctx, rawArgs, known);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { caller, member } = known;
      const { rejection } = error;
      if (caller !== undefined) {
        const { orgId, role } = member ?? {};
        logRefusal({ orgId, role, userId: limitKeyOf(caller), function: name, rejection });
      }
      throw toConvexError(error);
    }
  };
  return query({ args: v.any(), returns, handler: handler as never });
}

/** Registers a query of a member in their active organisation. */
export function projectionQuery<Shape extends z.ZodRawShape, Returns extends AnyValidator>(
  spec: Spec<Shape, Returns, MemberView<Shape>>,
): RegisteredQuery<"public", Input<Shape>, Promise<Infer<Returns>>> {
  const schema = z.strictObject(spec.args);
  return register<Shape, Returns>(spec.returns, spec.function, async (ctx, rawArgs, known) => {
    known.caller = await getAuthUser(ctx);
    const member = await requireSameOrg(ctx, known.caller);
    known.member = member;
    const condition = requireRole(spec.function, member);
    const args = parseArguments(schema, rawArgs) as Parsed<Shape>;
    return await spec.handler({ ctx, tenant: tenantReader(ctx, member.orgId), member, condition, args });
  });
}

/** Registers a query of a signed-in caller about themselves. */
export function signedInQuery<Shape extends z.ZodRawShape, Returns extends AnyValidator>(
  spec: Spec<Shape, Returns, { ctx: QueryCtx; caller: SignedIn; args: Parsed<Shape> }>,
): RegisteredQuery<"public", Input<Shape>, Promise<Infer<Returns>>> {
  const schema = z.strictObject(spec.args);
  return register<Shape, Returns>(spec.returns, spec.function, async (ctx, rawArgs, known) => {
    const caller = await getAuthUser(ctx);
    known.caller = caller;
    policyRow(spec.function);
    return await spec.handler({ ctx, caller, args: parseArguments(schema, rawArgs) });
  });
}
