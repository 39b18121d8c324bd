/** An engine on a folder of fixtures and a fresh data folder, with calls that read like a client's. */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { convexToJson, jsonToConvex, type JSONValue, type Value } from "convex/values";
import type {
  Call,
  Engine,
  EngineOptions,
  Identity,
  Outcome,
  SessionRequest,
  Subscription,
} from "../contract.ts";
import { CACHE_FOLDER } from "../../compileCache.ts";
import { openEngine } from "../openEngine.ts";

export const ANYONE: Identity = { kind: "anonymous" };
export const ADMIN: Identity = { kind: "admin", actingAs: null };

/** A signed-in user. */
export function user(subject: string, claims: Record<string, unknown> = {}): Identity {
  const issuer = "https://issuer.example";
  const attributes = { tokenIdentifier: `${issuer}|${subject}`, issuer, subject, ...claims };
  return { kind: "user", attributes, token: `token of ${subject}`, expiresAtMs: Date.now() + 3_600_000 };
}

export type LogRecord = Parameters<EngineOptions["log"]>[0];

type CallOptions = { identity?: Identity; componentPath?: string };

/** Writes a call as the server hands it to the engine. */
export function callOf(functionPath: string, args: Value = {}, options: CallOptions = {}): Call {
  return {
    path: functionPath,
    componentPath: options.componentPath ?? "",
    args: JSON.stringify(convexToJson(args)),
    identity: options.identity ?? ANYONE,
    requestId: "test-request",
  };
}

/** The value of a successful outcome. Throws the message of a failed one. */
export function valueOf(outcome: Outcome): Value {
  if (!outcome.ok) throw new Error(outcome.message);
  return jsonToConvex(JSON.parse(outcome.value) as JSONValue);
}

/** The message of a failed outcome. Throws when it is none. */
export function messageOf(outcome: Outcome): string {
  if (outcome.ok) throw new Error(`expected a failure, got ${outcome.value}`);
  return outcome.message;
}

/** The engine with its calls decoded: a failed one throws its message. */
export class TestEngine {
  readonly engine: Engine;
  readonly dataDir: string;
  readonly logged: LogRecord[];

  constructor(engine: Engine, dataDir: string, logged: LogRecord[]) {
    this.engine = engine;
    this.dataDir = dataDir;
    this.logged = logged;
  }

  async query(functionPath: string, args?: Value, options?: CallOptions): Promise<Value> {
    return valueOf(await this.engine.query(callOf(functionPath, args, options)));
  }

  async mutation(
    functionPath: string,
    args?: Value,
    options?: CallOptions & { session?: SessionRequest },
  ): Promise<Value> {
    return valueOf(await this.engine.mutation(callOf(functionPath, args, options), options?.session));
  }

  async action(functionPath: string, args?: Value, options?: CallOptions): Promise<Value> {
    return valueOf(await this.engine.action(callOf(functionPath, args, options)));
  }

  /** A subscription to one query, which counts how often it went stale. */
  async watch(functionPath: string, args?: Value, identity: Identity = ANYONE): Promise<Watched> {
    const watched = new Watched(this.engine, callOf(functionPath, args, { identity }));
    await watched.refresh();
    return watched;
  }
}

/** One live query. */
export class Watched {
  private readonly subscription: Subscription;
  private waiting: (() => void) | null = null;
  private newest: Outcome | undefined;
  staleCount = 0;

  constructor(engine: Engine, call: Call) {
    this.subscription = engine.subscribe(() => {
      this.staleCount += 1;
      this.waiting?.();
    });
    this.subscription.add(1, { call, journal: null });
  }

  async refresh(): Promise<Value> {
    this.newest = (await this.subscription.refresh()).results.get(1)?.outcome ?? this.newest;
    if (this.newest === undefined) throw new Error("no result");
    return valueOf(this.newest);
  }

  /** Refreshes after every commit that touches the query, until its value satisfies `wanted`. */
  async until(wanted: (value: Value) => boolean): Promise<Value> {
    for (;;) {
      const stale = new Promise<void>((resolve) => {
        this.waiting = resolve;
      });
      const value = await this.refresh();
      if (wanted(value)) return value;
      await stale;
    }
  }

  close(): void {
    this.subscription.close();
  }
}

export type TestOptions = Partial<
  Pick<
    EngineOptions,
    "dataDir" | "environment" | "redactErrors" | "freshContexts" | "memoryMib" | "fileBytesMax"
  >
> & { open?: (options: EngineOptions) => Promise<Engine> };

/** Origin of the URLs of files. */
export const PUBLIC_URL = "https://api.example";

const FIXTURES = path.join(import.meta.dirname, "../../fixtures");
const cleanUps: (() => void)[] = [];

/** A data folder that `removeDataDirs` removes. */
export function newDataDir(): string {
  const dataDir = mkdtempSync(path.join(os.tmpdir(), "daybook-engine-"));
  cleanUps.push(() => {
    rmSync(dataDir, { recursive: true, force: true });
  });
  return dataDir;
}

/** Call after all tests of a file. */
export function removeDataDirs(): void {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
}

/** Opens the engine on `fixtures/<fixture>/convex`. */
export async function openFixture(fixture = "app", options: TestOptions = {}): Promise<TestEngine> {
  const logged: LogRecord[] = [];
  const { open = openEngine, dataDir = newDataDir(), ...rest } = options;
  const engine = await open({
    functionsDir: path.join(FIXTURES, fixture, "convex"),
    dataDir,
    publicUrl: PUBLIC_URL,
    fileBytesMax: 1 << 20,
    environment: { GREETING: "hello" },
    redactErrors: false,
    log: (record) => logged.push(record),
    cacheDir: CACHE_FOLDER,
    ...rest,
  });
  return new TestEngine(engine, dataDir, logged);
}
