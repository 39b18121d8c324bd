/**
 * A real host on a disk that fails and with a clock that jumps. After each fault the same data folder, started
 * without any, passes the checks of operator and auditor and holds every acknowledged command exactly once.
 *
 * FAULT_ROUNDS repeats each disk scenario with its faults at other moments.
 */
import { statSync } from "node:fs";
import path from "node:path";
import Table from "cli-table3";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { afterAll, describe, expect, test, type TestContext } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { readLedger } from "../contract/ledger.ts";
import type { Client } from "../support/backend.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { exitOf, HostProcess, run } from "../support/hostProcess.ts";
import { defineService, foundOrganization, HOUR_MS } from "../support/scene.ts";
import { until, verifyLedger, Writers } from "../support/writers.ts";
import { Injector, removeShim, type Fault } from "./injector.ts";

const ROUNDS = Number(process.env["FAULT_ROUNDS"] ?? "1");
/** So that rounds hit other calls: no number of calls per commit has it as a factor. */
const SKIP_STEP = 13;
const STORAGE_FAILED = 74;
const RETRY_MS = 50;

const DATABASE = "/daybook.sqlite";
const LOG = "/daybook.sqlite-wal";

const CRON_FIXTURE = path.resolve(import.meta.dirname, "../../embedded/fixtures/cron/convex");

type Row = { scenario: string; injected: number; acknowledged: number; refused: number; verified: string };

const rows: Row[] = [];

afterAll(() => {
  removeShim();
  const table = new Table({
    head: ["scenario", "faults injected", "commands acknowledged", "answers refused", "verified after"],
    style: { head: [], border: [] },
  });
  for (const { scenario, injected, acknowledged, refused, verified } of rows) {
    table.push([scenario, injected, acknowledged, refused, verified]);
  }
  process.stdout.write(`${table.toString()}\n`);
});

/** Ends with the test. */
function openInjector(onTestFinished: TestContext["onTestFinished"]): Injector {
  const injector = new Injector();
  onTestFinished(() => {
    injector.remove();
  });
  return injector;
}

/** A host with the shim, an organisation, and clients of both kinds that write to it. */
class Stage {
  readonly injector: Injector;
  readonly backend: HostBackend;
  readonly orgId: string;
  readonly #subject: string;
  readonly writers: Writers;
  readonly #sockets: ConvexClient[];
  #injected = 0;
  #isClosed = false;

  private constructor(
    injector: Injector,
    backend: HostBackend,
    [orgId, subject, serviceId]: readonly [string, string, string],
  ) {
    this.injector = injector;
    this.backend = backend;
    this.orgId = orgId;
    this.#subject = subject;
    this.#sockets = [1, 2].map(() => new ConvexClient(backend.host.url, { logger: false }));
    for (const socket of this.#sockets) this.#signIn(socket);
    const overHttp: Pick<Client, "mutation"> = {
      mutation: async (ref, args) => await (await this.reader()).mutation(ref, args),
    };
    this.writers = new Writers([overHttp, overHttp, ...this.#sockets], serviceId);
  }

  /** Ends with the test. */
  static async open({ onTestFinished }: TestContext): Promise<Stage> {
    const injector = openInjector(onTestFinished);
    const backend = await openHostBackend(injector.environment);
    onTestFinished(() => backend.close());
    const { orgId, owner } = await foundOrganization(backend);
    const serviceId = await defineService(owner.client);
    const stage = new Stage(injector, backend, [orgId, owner.subject, serviceId]);
    onTestFinished(() => stage.#close());
    return stage;
  }

  /** The owner's, by the host's present clock. */
  async token(): Promise<string> {
    return await this.host.token(this.#subject, this.orgId);
  }

  /** The client gives up when the clock jumps a few times between a fresh token and its use; people sign in again. */
  #signIn(socket: ConvexClient): void {
    socket.setAuth(
      () => this.#tokenInTheEnd(),
      (isSignedIn) => {
        if (isSignedIn || this.#isClosed) return;
        setTimeout(() => {
          this.#signIn(socket);
        }, RETRY_MS);
      },
    );
  }

  /** Null would sign the client out. */
  async #tokenInTheEnd(): Promise<string | null> {
    for (;;) {
      if (this.#isClosed) return null;
      try {
        return await this.token();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async reader(token?: string): Promise<Client> {
    const auth = token ?? (await this.token());
    return new ConvexHttpClient(this.host.url, { auth, logger: false });
  }

  get host(): HostBackend["host"] {
    return this.backend.host;
  }

  inject(...faults: readonly Fault[]): void {
    this.#injected += this.injector.clear();
    this.injector.inject(...faults);
  }

  /** Faults are over: lets the writers finish, restarts without the shim, and checks everything. */
  async verify(scenario: string, jumps = 0): Promise<void> {
    this.#injected += this.injector.clear() + jumps;
    expect(this.#injected).toBeGreaterThan(0);
    await this.writers.stop();
    await this.host.kill("SIGTERM");
    await this.host.start({ LD_PRELOAD: "" });
    const { acknowledged, refusals } = this.writers;
    const { orgId } = this;
    const token = await this.token();
    const reader = await this.reader(token);
    const { seq, hash } = await verifyLedger(this.backend, { orgId, reader }, acknowledged);
    const [audit, check] = await Promise.all([
      run(["audit/main.ts", "verify", "--url", this.host.url, "--token", token, "--json"]),
      this.host.maintain("check"),
    ]);
    expect(JSON.parse(audit.stdout)).toMatchObject({ result: "intact", headSeq: seq, headHash: hash });
    expect([check.exit, check.stdout]).toEqual([0, expect.stringContaining("No damage found.")]);
    rows.push({
      scenario,
      injected: this.#injected,
      acknowledged: acknowledged.length,
      refused: refusals.length,
      verified: "chain, keys, views, check, audit",
    });
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.writers.abandon();
    await Promise.all(this.#sockets.map((socket) => socket.close()));
  }
}

const rounds = Array.from({ length: ROUNDS }, (_, index) => ({ round: index + 1, skip: index * SKIP_STEP }));

describe.concurrent.for(rounds)("round $round", ({ skip }) => {
  test("a full disk undoes the commit, is answered, and is over when there is room", async (context) => {
    const stage = await Stage.open(context);
    const { host, writers } = stage;
    await writers.more(20);
    stage.inject({ call: "write", file: LOG, error: "ENOSPC", skip: 30 + skip });
    await until(() => writers.refusals.length >= 10);
    const acknowledgedWhileFull = writers.acknowledged.length;
    const reader = await stage.reader();
    const head = await reader.query(api.projections.ledger.head, {});
    await until(() => writers.refusals.length >= 20);
    // Reads go on, and see nothing of what was refused.
    expect(await reader.query(api.projections.ledger.head, {})).toEqual(head);
    expect(writers.acknowledged).toHaveLength(acknowledgedWhileFull);
    stage.inject();
    await writers.more(20);
    expect(
      new Set(writers.refusals.map((text) => /The host's disk is full: nothing/.exec(text)?.[0])),
    ).toEqual(new Set(["The host's disk is full: nothing"]));
    expect(host.output).toContain("the disk is full: commits are refused until there is room");
    expect(host.output).toContain("the disk has room again");
    await stage.verify("full disk: log");
  });

  test("a database file that can't grow leaves commits in the log, and is caught up with when there is room", async (context) => {
    const stage = await Stage.open(context);
    const { host, writers } = stage;
    const file = path.join(host.dataDir, "daybook.sqlite");
    stage.inject({ call: "write", file: DATABASE, error: "ENOSPC", skip });
    await until(() => host.output.includes("the write-ahead log can't be moved into the database"));
    const size = statSync(file).size;
    await writers.more(10);
    stage.inject();
    await until(() => statSync(file).size > size);
    expect(writers.refusals).toEqual([]);
    await stage.verify("full disk: database file");
  });

  const fatal: [string, Fault, string][] = [
    ["write error: log", { call: "write", file: LOG, error: "EIO", skip: 30 + skip }, "writing failed"],
    [
      "sync error: log",
      { call: "sync", file: LOG, error: "EIO", skip: 5 + skip },
      "syncing to the disk failed",
    ],
    [
      "sync error, once only",
      { call: "sync", file: LOG, error: "EIO", skip, times: 1 },
      "syncing to the disk failed",
    ],
    ["write error: database file", { call: "write", file: DATABASE, error: "EIO", skip }, "writing failed"],
    [
      "sync error: database file",
      { call: "sync", file: DATABASE, error: "EIO" },
      "syncing to the disk failed",
    ],
  ];

  test.for(fatal)(
    "%s ends the host with what happened, and the next start goes on",
    async ([scenario, fault, words], context) => {
      const stage = await Stage.open(context);
      const { host, writers } = stage;
      await writers.more(20);
      stage.inject(fault);
      expect(await host.exit()).toBe(STORAGE_FAILED);
      expect(host.output).toMatch(
        new RegExp(`Daybook stops: the disk failed: ${words}.*\\(SQLite code [0-9]+\\)`),
      );
      stage.inject();
      await host.start();
      await writers.more(20);
      expect(writers.refusals.filter((text) => text.includes("InternalServerError"))).toEqual([]);
      await stage.verify(scenario);
    },
  );

  test("short writes and reads are completed", async (context) => {
    const stage = await Stage.open(context);
    const { host, writers } = stage;
    stage.inject(
      { call: "write", file: LOG, error: "short", skip },
      { call: "write", file: DATABASE, error: "short" },
    );
    const size = statSync(path.join(host.dataDir, "daybook.sqlite")).size;
    await until(() => statSync(path.join(host.dataDir, "daybook.sqlite")).size > size);
    await writers.more(20);
    expect(writers.refusals).toEqual([]);
    await stage.verify("short writes");
  });

  test("a read error ends the host; one at start is named, and is no damage", async (context) => {
    const stage = await Stage.open(context);
    const { host, writers } = stage;
    await writers.more(60);
    await host.kill("SIGTERM");
    await host.start();
    const reader = await stage.reader();
    stage.inject({ call: "read", file: DATABASE, error: "EIO", skip });
    await expect(readLedger(reader)).rejects.toThrow();
    expect(await host.exit()).toBe(STORAGE_FAILED);
    expect(host.output).toContain("Daybook stops: the database is damaged, or the disk can't read it");
    for (const before of [0, 2, 5]) {
      const told = host.output.length;
      stage.inject({ call: "read", file: DATABASE, error: "EIO", skip: before });
      expect(await exitOf(host.spawn())).toBe(1);
      expect(host.output.slice(told)).toMatch(/Daybook can't start\. The data folder .* can't be used: EIO/);
      expect(host.output.slice(told)).not.toMatch(/^ +at /m);
    }
    stage.inject();
    await host.start();
    await stage.verify("read errors");
  });

  test("a start on a full disk says so, and loses nothing", async (context) => {
    const stage = await Stage.open(context);
    const { host, writers } = stage;
    await writers.more(20);
    await host.kill();
    stage.inject({ call: "write", file: LOG, error: "ENOSPC" });
    const told = host.output.length;
    expect(await exitOf(host.spawn())).toBe(1);
    expect(host.output.slice(told)).toMatch(/Daybook can't start\. The disk of the data folder .* is full/);
    stage.inject();
    await host.start();
    await stage.verify("full disk: start");
  });
});

/** Hours that the host's clock is off, one after the other; right again at last. */
const JUMPS = [3, -5, 24, -2, 0];

async function committedTs(url: string): Promise<bigint> {
  const response = await fetch(`${url}/api/query_ts`, { method: "POST" });
  const { ts } = (await response.json()) as { ts: string };
  return Buffer.from(ts, "base64").readBigUInt64LE();
}

test.concurrent(
  "a clock that jumps hours forward and back: commands go on, times never go back, tokens follow the clock",
  async (context) => {
    const stage = await Stage.open(context);
    const { host, writers } = stage;
    await writers.more(10);
    const token = await stage.token();
    const head = async (): Promise<unknown> =>
      await (await stage.reader(token)).query(api.projections.ledger.head, {});
    await head();
    let newest = await committedTs(host.url);
    for (const hours of JUMPS) {
      stage.injector.setClock(hours * HOUR_MS);
      await writers.more(10);
      const ts = await committedTs(host.url);
      expect(ts).toBeGreaterThan(newest);
      newest = ts;
      if (hours > 0) await expect(head()).rejects.toThrow("the token has expired");
      if (hours < 0) await expect(head()).rejects.toThrow(/iat.* claim is not accepted/);
      if (hours === 0) await head();
    }
    expect(writers.refusals.filter((text) => text.includes("RATE_LIMITED"))).toEqual([]);
    await stage.verify("clock jumps: commands", JUMPS.length);
  },
);

test.concurrent(
  "a clock that jumps hours forward and back neither stops nor doubles a cron",
  async ({ onTestFinished }) => {
    const injector = openInjector(onTestFinished);
    // Whoever counts here has no token.
    const environment = { ...injector.environment, DAYBOOK_RATE_LIMIT_PERCENT: "999999" };
    const host = await HostProcess.launch(environment, { functionsDir: CRON_FIXTURE });
    try {
      const client = new ConvexHttpClient(host.url, { logger: false });
      const runs = makeFunctionReference<"query", Record<string, never>, number>("deeds:count");
      const count = (): Promise<number> => client.query(runs, {});
      await until(async () => (await count()) >= 1);
      for (const hours of JUMPS) {
        const startedAtMs = performance.now();
        const before = await count();
        injector.setClock(hours * HOUR_MS);
        await until(async () => (await count()) >= before + 2);
        // One a second, and one at once for all those that the jump passed over.
        expect(await count()).toBeLessThanOrEqual(before + (performance.now() - startedAtMs) / 1000 + 2);
      }
      const ran = await count();
      expect(await host.kill("SIGTERM")).toBe(0);
      const check = await host.maintain("check");
      expect(check.exit).toBe(0);
      rows.push({
        scenario: "clock jumps: crons",
        injected: JUMPS.length,
        acknowledged: ran,
        refused: 0,
        verified: "runs a second, check",
      });
    } finally {
      await host.remove();
    }
  },
);
