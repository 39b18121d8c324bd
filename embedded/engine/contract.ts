/**
 * What the network side of the host (`embedded/server`) may ask of the engine (`embedded/engine`).
 * Values cross this line as Convex-encoded JSON text, so that the engine can move to a worker thread.
 */

import type { Files } from "./files/contract.ts";

/** Attributes of a signed-in caller, in the shape of Convex's `UserIdentity`. */
export type IdentityAttributes = {
  tokenIdentifier: string;
  issuer: string;
  subject: string;
} & Record<string, unknown>;

/** Who calls. The server has verified it; the engine trusts it. */
export type Identity =
  | { kind: "anonymous" }
  | { kind: "user"; attributes: IdentityAttributes; token: string; expiresAtMs: number }
  | { kind: "admin"; actingAs: IdentityAttributes | null };

/** One call of a function. `args` is the Convex-encoded JSON text of the single argument object. */
export type Call = {
  /** `dir/module:function`; a missing function name means `default`. */
  path: string;
  /** "" is the app; only an admin may name another component. */
  componentPath: string;
  args: string;
  identity: Identity;
  requestId: string;
};

export type Outcome =
  | { ok: true; value: string; logLines: string[] }
  | { ok: false; message: string; errorData?: unknown; logLines: string[] };

/** A commit timestamp in nanoseconds: strictly increasing, persisted. */
export type Timestamp = bigint;

/** Identifies a client's mutation across reconnects: the same pair takes effect at most once. */
export type SessionRequest = { sessionId: string; requestId: number };

/** A live query. `token` changes exactly when the outcome's value, error or log lines change. */
export type QueryResult = { outcome: Outcome; journal: string | null; token: string };

export type LiveQuery = { call: Call; journal: string | null };

/** A set of live queries that is always evaluated at one snapshot. */
export interface Subscription {
  add(queryId: number, query: LiveQuery): void;
  remove(queryId: number): void;
  /**
   * Brings every query up to date and returns the snapshot's timestamp with those that were evaluated anew since the
   * last refresh; the results of the others still stand.
   */
  refresh(): Promise<{ ts: Timestamp; results: ReadonlyMap<number, QueryResult> }>;
  close(): void;
}

/** One function as an operator sees it. The validators are Convex's JSON. */
export type FunctionDescription = {
  /** `dir/module:function`. */
  path: string;
  kind: "query" | "mutation" | "action";
  internal: boolean;
  args: unknown;
  returns: unknown;
};

/** What the engine runs as the app ("") or as one instance of a component. */
export type ComponentDescription = {
  path: string;
  /** Absolute path of its convex/ folder. */
  folder: string;
  /** Changes when the folder's code or what it imports does. */
  fingerprint: string;
  functions: readonly FunctionDescription[];
  /** `[path, method]`, sorted. */
  httpRoutes: readonly (readonly [string, string])[];
  /** Convex's JSON of the schema; null without one. */
  schema: unknown;
  /** Convex's JSON of the crons, by name. */
  crons: Readonly<Record<string, unknown>>;
};

export type TablePage = {
  /** Convex-encoded JSON text of each document. */
  rows: readonly string[];
  /** Where the next page starts. */
  cursor: string;
  isDone: boolean;
};

/** What an operator may look at, whatever the functions allow. Callers have checked the admin key. */
export interface Inspection {
  components(): readonly ComponentDescription[];
  /** Names of a component's own tables, sorted; null when there is no such component. */
  tables(componentPath: string): readonly string[] | null;
  /** Documents in order of creation, between two commits. An unknown table has none. */
  readTable(
    table: { componentPath: string; name: string },
    page: { order: "asc" | "desc"; cursor: string | null; limit: number },
  ): Promise<TablePage>;
}

export interface Engine {
  /**
   * With `atTs` the query sees what was committed up to then; `ts` is another one when that can't be read any
   * more, and the outcome says so.
   */
  query(call: Call, atTs?: Timestamp): Promise<Outcome & { ts: Timestamp }>;
  mutation(call: Call, session?: SessionRequest): Promise<Outcome & { ts: Timestamp }>;
  action(call: Call): Promise<Outcome>;
  /** Runs whatever kind of function `path` names (HTTP `/api/function`, `/api/run`). */
  run(call: Call): Promise<Outcome>;
  /** Routes one request to the app's `http.ts`; null when no route matches. */
  httpAction(request: Request, identity: Identity, requestId: string): Promise<Response | null>;
  /** `onStale` is called once after a commit that touched what the last refresh read, until the next refresh. */
  subscribe(onStale: () => void): Subscription;
  latestTs(): Timestamp;
  /** The app's own identity providers, from `auth.config.ts` with the given environment. */
  authProviders(): readonly AuthProvider[];
  readonly inspection: Inspection;
  readonly files: Files;
  /** Resolves when running functions have ended and everything acknowledged is on disk. */
  close(): Promise<void>;
}

/** One entry of `auth.config.ts`: Convex's `AuthConfig["providers"][number]`. */
export type AuthProvider =
  | { domain: string; applicationID: string }
  | { type: "customJwt"; issuer: string; jwks: string; algorithm: "RS256" | "ES256"; applicationID?: string };

export type EngineOptions = {
  /** Absolute path of the convex/ folder. */
  functionsDir: string;
  /** Absolute path of the data folder; the database is `daybook.sqlite` in it. */
  dataDir: string;
  /** Folder where bundles are kept for the next start; absent keeps none. */
  cacheDir?: string;
  /** Whether each call runs in a context of its own: nothing that a module remembers outlives the call. */
  freshContexts?: boolean;
  /** How much of the heap may be in use while a function runs, in MiB; absent leaves it to Node's own limit. */
  memoryMib?: number;
  /** Origin of the API as clients reach it, for the URLs of files. */
  publicUrl: string;
  /** What one stored file may have at most. */
  fileBytesMax: number;
  /** What the functions see as `process.env`. */
  environment: Readonly<Record<string, string>>;
  /** "production" redacts plain errors in outcomes to "Server Error"; ConvexError data always passes. */
  redactErrors: boolean;
  /**
   * Told when the engine can't go on; the process had better end. When it is a StorageFailure, every call is
   * rejected with it from then on; the process must end without waiting for the engine, and the next start recovers.
   */
  onFatal?: (failure: Error) => void;
  /** Where the engine shows what runs, for whoever watches it from another thread. */
  watch?: SharedArrayBuffer;
  /** Scheduled mutations that were stopped for good since the engine was last open, by job id. */
  stoppedJobs?: readonly string[];
  /** Whether this process had the engine open before: uploads that it admitted then may still arrive. */
  isReopened?: boolean;
  /** Receives function logs, job failures and engine notices, one structured record each. */
  log: (
    record: { level: "debug" | "info" | "warn" | "error"; message: string } & Record<string, unknown>,
  ) => void;
};
