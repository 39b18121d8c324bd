/** The benchmark's functions by name, for clients, and what they are called with. */
import { makeFunctionReference, type FunctionReference } from "convex/server";

type Query<Args extends Record<string, unknown>, Value> = FunctionReference<"query", "public", Args, Value>;
type Mutation<Args extends Record<string, unknown>, Value> = FunctionReference<
  "mutation",
  "public",
  Args,
  Value
>;

type Position = { group: number; at: number };

export const insert: Mutation<Position & { body: string }, string> = makeFunctionReference("rows:insert");
export const fill: Mutation<Position & { count: number; body: string }, null> =
  makeFunctionReference("rows:fill");
export const read: Query<Position, string | null> = makeFunctionReference("rows:read");
export const newest: Query<{ group: number }, number[]> = makeFunctionReference("rows:newest");
export const page: Query<Position, number[]> = makeFunctionReference("rows:page");

/** A row of about 150 bytes as JSON. */
export const BODY = "x".repeat(100);
