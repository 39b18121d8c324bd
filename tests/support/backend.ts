/**
 * One view of the two hosts that run `convex/`: the in-memory test library and the embedded host. Scenarios are
 * written against it once.
 */
import type { FunctionArgs, FunctionReference, FunctionReturnType } from "convex/server";

type Query = FunctionReference<"query">;
type Mutation = FunctionReference<"mutation">;

/** A client that speaks for one identity. */
export interface Client {
  query<Ref extends Query>(ref: Ref, args: FunctionArgs<Ref>): Promise<FunctionReturnType<Ref>>;
  mutation<Ref extends Mutation>(ref: Ref, args: FunctionArgs<Ref>): Promise<FunctionReturnType<Ref>>;
}

/**
 * A person: the subject of their token, and the organisation that the token names, if any. `authenticatedAgoS` says
 * how long ago they proved who they are, in seconds; without it the token says nothing of that where the host's
 * provider can leave it out.
 */
export type Person = { subject: string; orgId?: string; authenticatedAgoS?: number };

export interface Backend {
  /** A client with a verified token of this person. */
  as(person: Person): Promise<Client>;
  /** A client with a verified token of `issuer` with exactly these claims: another person than `as` gives. */
  withClaims(subject: string, claims: Readonly<Record<string, unknown>>): Promise<Client>;
  readonly issuer: string;
  anonymous(): Client;
  /** Calls internal functions, as an operator with the deployment's key does. */
  operator: {
    query<Ref extends FunctionReference<"query", "internal">>(
      ref: Ref,
      args: FunctionArgs<Ref>,
    ): Promise<FunctionReturnType<Ref>>;
    mutation<Ref extends FunctionReference<"mutation", "internal">>(
      ref: Ref,
      args: FunctionArgs<Ref>,
    ): Promise<FunctionReturnType<Ref>>;
  };
  close(): Promise<void>;
}
