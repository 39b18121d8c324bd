/** What an evaluated bundle exports: functions, HTTP router, crons, schema and identity providers. */
import type { AuthProvider } from "../contract.ts";
import { HostError } from "../errors.ts";
import type { Json, JsonObject } from "../values/json.ts";
import type { ValidatorJson } from "../validation/validator.ts";

export type FunctionKind = "query" | "mutation" | "action";

/** A function object as `convex/server` registers it. */
type Registered = {
  isQuery?: boolean;
  isMutation?: boolean;
  isAction?: boolean;
  isInternal?: boolean;
  exportArgs: () => string;
  exportReturns: () => string;
  invokeQuery: (args: string) => Promise<string>;
  invokeMutation: (args: string) => Promise<string>;
  invokeAction: (requestId: string, args: string) => Promise<string>;
};

export type FunctionEntry = {
  /** `dir/module:function`. */
  path: string;
  kind: FunctionKind;
  internal: boolean;
  args: ValidatorJson;
  returns: ValidatorJson | null;
  /** The function ready to be called, in a context of its own where calls are kept apart. */
  open: () => (args: string) => Promise<string>;
};

export type HttpEndpoint = { invokeHttpAction: (request: Request) => Promise<unknown> };

export type HttpRouter = {
  lookup: (path: string, method: string) => readonly [HttpEndpoint, string, string] | null;
  getRoutes: () => readonly (readonly [path: string, method: string, endpoint: HttpEndpoint])[];
};

export type IndexJson = { indexDescriptor: string; fields: string[] };

export type TableJson = {
  tableName: string;
  indexes: IndexJson[];
  stagedDbIndexes?: IndexJson[];
  searchIndexes?: unknown[];
  vectorIndexes?: unknown[];
  documentType: ValidatorJson | null;
};

export type SchemaJson = { tables: TableJson[]; schemaValidation: boolean };

export type CronJson = {
  name: string;
  args: JsonObject[];
  schedule: { type: string } & Record<string, Json>;
};

export type Bundle = {
  modules: Record<string, () => Record<string, unknown>>;
  schema: (() => { default: { export: () => string } }) | null;
  authConfig: (() => { default?: unknown }) | null;
};

export type Exports = {
  functions: Map<string, FunctionEntry>;
  router: HttpRouter | null;
  crons: Map<string, CronJson>;
  schema: SchemaJson | null;
  authProviders: readonly AuthProvider[];
};

function kindOf(value: Registered): FunctionKind | null {
  if (value.isQuery) return "query";
  if (value.isMutation) return "mutation";
  return value.isAction ? "action" : null;
}

/** Evaluates a part of the bundle; a throw there is the author's to fix, so it names the part. */
function evaluating<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const detail = (error as { message?: unknown } | null)?.message;
    throw new HostError("FUNCTIONS_INVALID", `${what} failed to load: ${String(detail ?? error)}`, {
      cause: error,
    });
  }
}

function invokerOf(value: Registered, kind: FunctionKind): (args: string) => Promise<string> {
  switch (kind) {
    case "query":
      return (args) => value.invokeQuery(args);
    case "mutation":
      return (args) => value.invokeMutation(args);
    case "action":
      return (args) => value.invokeAction("", args);
  }
}

function entryOf(path: string, value: Registered, kind: FunctionKind, again: () => unknown): FunctionEntry {
  return {
    path,
    kind,
    internal: value.isInternal === true,
    args: JSON.parse(value.exportArgs()) as ValidatorJson,
    returns: JSON.parse(value.exportReturns()) as ValidatorJson | null,
    open: () => invokerOf(again() as Registered, kind),
  };
}

function isObjectLike(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function cronsOf(value: unknown): Map<string, CronJson> {
  const crons = value as { export?: () => string } | undefined;
  if (crons?.export === undefined) return new Map();
  return new Map(Object.entries(JSON.parse(crons.export()) as Record<string, CronJson>));
}

function isAuthProvider(value: unknown): value is AuthProvider {
  if (typeof value !== "object" || value === null) return false;
  const provider = value as Record<string, unknown>;
  const isText = (name: string): boolean => typeof provider[name] === "string";
  if (provider["type"] !== "customJwt") return isText("domain") && isText("applicationID");
  const algorithm = provider["algorithm"];
  const audience = provider["applicationID"] === undefined || isText("applicationID");
  return isText("issuer") && isText("jwks") && (algorithm === "RS256" || algorithm === "ES256") && audience;
}

function authProvidersOf(bundle: Bundle): AuthProvider[] {
  const { authConfig } = bundle;
  if (authConfig === null) return [];
  const exported = evaluating("auth.config", () => authConfig().default) as
    { providers?: unknown } | undefined;
  // Out of the functions' realm and into plain values.
  const providers: unknown = JSON.parse(JSON.stringify(exported?.providers ?? null));
  if (!Array.isArray(providers) || !providers.every(isAuthProvider)) {
    throw new HostError(
      "FUNCTIONS_INVALID",
      "auth.config must export { providers: [...] } as Convex describes it",
    );
  }
  return providers;
}

/** The app's routes, each request's looked up in the bundle that serves it. */
function routerOf(main: Partial<HttpRouter> | undefined, bundleOf: () => Bundle): HttpRouter | null {
  if (main?.getRoutes === undefined || main.lookup === undefined) return null;
  const again = (): HttpRouter => bundleOf().modules["http"]?.()["default"] as HttpRouter;
  return {
    getRoutes: () => again().getRoutes(),
    lookup: (path, method) => again().lookup(path, method),
  };
}

/**
 * Evaluates every module of a bundle and collects what it exports. `bundleOf` gives the bundle that a call runs
 * in: this one, or a new one each time.
 */
export function collectExports(folder: string, bundle: Bundle, bundleOf: () => Bundle): Exports {
  const exports: Exports = {
    functions: new Map(),
    router: null,
    crons: new Map(),
    schema: null,
    authProviders: authProvidersOf(bundle),
  };
  for (const [modulePath, load] of Object.entries(bundle.modules)) {
    const module = evaluating(`${folder}/${modulePath}`, load);
    for (const [name, value] of Object.entries(module)) {
      if (!isObjectLike(value)) continue;
      const kind = kindOf(value as Registered);
      if (kind === null) continue;
      const path = `${modulePath}:${name}`;
      const again = (): unknown => bundleOf().modules[modulePath]?.()[name];
      exports.functions.set(path, entryOf(path, value as Registered, kind, again));
    }
    const main = module["default"] as (Partial<HttpRouter> & { isRouter?: unknown }) | undefined;
    if (modulePath === "http" && main?.isRouter === true) exports.router = routerOf(main, bundleOf);
    if (modulePath === "crons") exports.crons = cronsOf(main);
  }
  const { schema } = bundle;
  if (schema !== null) {
    const text = evaluating(`${folder}/schema`, () => schema().default.export());
    exports.schema = JSON.parse(text) as SchemaJson;
  }
  return exports;
}
