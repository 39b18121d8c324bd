/** The matrix's calls through the official clients of a running host. Nothing is taken back there. */
import { ConvexHttpClient } from "convex/browser";
import { makeFunctionReference, type FunctionReference } from "convex/server";
import type { HostBackend } from "../support/hostBackend.ts";
import { argumentsOf, fixtureOf, type Args } from "./fixtures.ts";
import { roleOf } from "./cells.ts";
import type { Column } from "./table.ts";
import type { World } from "./world.ts";

/** Either of the official clients. */
export type Caller = {
  query(reference: FunctionReference<"query">, args: Args): Promise<unknown>;
  mutation(reference: FunctionReference<"mutation">, args: Args): Promise<unknown>;
};

/** `ok`, or the code of the refusal. */
export async function codeOfCall(caller: Caller, name: string, args: Args): Promise<string> {
  if (name.startsWith("commands/")) {
    const response = (await caller.mutation(makeFunctionReference<"mutation">(name), args)) as {
      status: string;
      code?: string;
    };
    return response.status === "committed" ? "ok" : (response.code ?? "");
  }
  return await caller.query(makeFunctionReference<"query">(name), args).then(
    () => "ok",
    (error: unknown) => {
      if (!(error instanceof Error && "data" in error)) throw error;
      return (error.data as { code: string }).code;
    },
  );
}

/** A token for a column's caller of a function; undefined for the one without. */
export async function tokenFor(
  { host }: HostBackend,
  world: World,
  name: string,
  column: Column,
): Promise<string | undefined> {
  if (column === "anon") return undefined;
  const { subject } = world.people[roleOf(column) ?? "removed"];
  return await host.token(subject, fixtureOf(name).claim?.(world) ?? world.orgId, 0);
}

/** Calls a cell over HTTP. */
export async function callOverHttp(
  backend: HostBackend,
  world: World,
  name: string,
  column: Column,
): Promise<string> {
  const client = new ConvexHttpClient(backend.host.url, { logger: false });
  const token = await tokenFor(backend, world, name, column);
  if (token !== undefined) client.setAuth(token);
  return await codeOfCall(client, name, argumentsOf(name, fixtureOf(name), world, column));
}
