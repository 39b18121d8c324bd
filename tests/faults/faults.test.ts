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
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { readLedger } from "../contract/ledger.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { exitOf, run } from "../support/hostProcess.ts";
import { defineService, foundOrganization } from "../support/scene.ts";
import { until, verifyLedger, Writers } from "../support/writers.ts";
import { Injector, type Fault } from "./injector.ts";

const ROUNDS = Number(process.env["FAULT_ROUNDS"] ?? "1");
const SCENARIO_TIMEOUT_MS = 120_000;
/** So that rounds hit other calls: no number of calls per commit has it as a factor. */
const SKIP_STEP = 13;
const STORAGE_FAILED = 74;

const DATABASE = "/daybook.sqlite";
const LOG = "/daybook.sqlite-wal";

type Row = { scenario: string; injected: number; acknowledged: number; refused: number; verified: string };

const rows: Row[] = [];
let injector: Injector;
let stage: Stage | undefined;

beforeAll(() => {
  injector = new Injector();
});
afterEach(async () => {
  injector.clear();
  injector.setClock(0);
  await stage?.close();
  stage = undefined;
});
afterAll(() => {
  injector.remove();
  const table = new Table({
    head: ["scenario", "faults injected", "commands acknowledged", "answers refused", "verified after"],
    style: { head: [], border: [] },
  });
  for (const { scenario, injected, acknowledged, refused, verified } of rows) {
    table.push([scenario, injected, acknowledged, refused, verified]);
  }
  process.stdout.write(`${table.toString()}\n`);
});

/** A host with the shim, an organisation, and clients of both kinds that write to it. */
class Stage {
  readonly backend: HostBackend;
  readonly orgId: string;
  readonly token: string;
  readonly reader: ConvexHttpClient;
  readonly writers: Writers;
  readonly #sockets: ConvexClient[];
  #injected = 0;

  private constructor(backend: HostBackend, orgId: string, token: string, serviceId: string) {
    this.backend = backend;
    this.orgId = orgId;
    this.token = token;
    const http = (): ConvexHttpClient =>
      new ConvexHttpClient(backend.host.url, { auth: token, logger: false });
    this.reader = http();
    this.#sockets = [1, 2].map(() => {
      const socket = new ConvexClient(backend.host.url, { logger: false });
      socket.setAuth(() => Promise.resolve(token));
      return socket;
    });
    this.writers = new Writers([http(), http(), ...this.#sockets], serviceId);
  }

  static async open(): Promise<Stage> {
    const backend = await openHostBackend(injector.environment);
    const { orgId, owner } = await foundOrganization(backend);
    const token = await backend.host.token(owner.subject, orgId);
    return new Stage(backend, orgId, token, await defineService(owner.client));
  }

  get host(): HostBackend["host"] {
    return this.backend.host;
  }

  inject(...faults: readonly Fault[]): void {
    this.#injected += injector.clear();
    injector.inject(...faults);
  }

  /** Faults are over: lets the writers finish, restarts without the shim, and checks everything. */
  async verify(scenario: string): Promise<void> {
    this.#injected += injector.clear();
    expect(this.#injected).toBeGreaterThan(0);
    await this.writers.stop();
    await this.host.kill("SIGTERM");
    await this.host.start({ LD_PRELOAD: "" });
    const { acknowledged, refusals } = this.writers;
    const { orgId, reader } = this;
    const { seq, hash } = await verifyLedger(this.backend, { orgId, reader }, acknowledged);
    const audit = await run([
      "audit/main.ts",
      "verify",
      "--url",
      this.host.url,
      "--token",
      this.token,
      "--json",
    ]);
    expect(JSON.parse(audit.stdout)).toMatchObject({ result: "intact", headSeq: seq, headHash: hash });
    const check = await this.host.maintain("check");
    expect([check.exit, check.stdout]).toEqual([0, expect.stringContaining("No damage found.")]);
    rows.push({
      scenario,
      injected: this.#injected,
      acknowledged: acknowledged.length,
      refused: refusals.length,
      verified: "chain, keys, views, check, audit",
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => socket.close()));
    await this.backend.close();
  }
}

const rounds = Array.from({ length: ROUNDS }, (_, index) => ({ round: index + 1, skip: index * SKIP_STEP }));

describe.each(rounds)("round $round", ({ skip }) => {
  test(
    "a full disk undoes the commit, is answered, and is over when there is room",
    async () => {
      stage = await Stage.open();
      const { host, writers } = stage;
      await writers.more(20);
      stage.inject({ call: "write", file: LOG, error: "ENOSPC", skip: 30 + skip });
      await until(() => writers.refusals.length >= 10);
      const acknowledgedWhileFull = writers.acknowledged.length;
      const head = await stage.reader.query(api.projections.ledger.head, {});
      await until(() => writers.refusals.length >= 20);
      // Reads go on, and see nothing of what was refused.
      expect(await stage.reader.query(api.projections.ledger.head, {})).toEqual(head);
      expect(writers.acknowledged).toHaveLength(acknowledgedWhileFull);
      stage.inject();
      await writers.more(20);
      expect(
        new Set(writers.refusals.map((text) => /The host's disk is full: nothing/.exec(text)?.[0])),
      ).toEqual(new Set(["The host's disk is full: nothing"]));
      expect(host.output).toContain("the disk is full: commits are refused until there is room");
      expect(host.output).toContain("the disk has room again");
      await stage.verify("full disk: log");
    },
    SCENARIO_TIMEOUT_MS,
  );

  test(
    "a database file that can't grow leaves commits in the log, and is caught up with when there is room",
    async () => {
      stage = await Stage.open();
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
    },
    SCENARIO_TIMEOUT_MS,
  );

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

  test.each(fatal)(
    "%s ends the host with what happened, and the next start goes on",
    async (scenario, fault, words) => {
      stage = await Stage.open();
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
    SCENARIO_TIMEOUT_MS,
  );

  test(
    "short writes and reads are completed",
    async () => {
      stage = await Stage.open();
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
    },
    SCENARIO_TIMEOUT_MS,
  );

  test(
    "a read error ends the host; one at start is named, and is no damage",
    async () => {
      stage = await Stage.open();
      const { host, writers } = stage;
      await writers.more(60);
      await host.kill("SIGTERM");
      await host.start();
      stage.inject({ call: "read", file: DATABASE, error: "EIO", skip });
      await expect(readLedger(stage.reader)).rejects.toThrow();
      expect(await host.exit()).toBe(STORAGE_FAILED);
      expect(host.output).toContain("Daybook stops: the database is damaged, or the disk can't read it");
      for (const before of [0, 2, 5]) {
        const told = host.output.length;
        stage.inject({ call: "read", file: DATABASE, error: "EIO", skip: before });
        expect(await exitOf(host.spawn())).toBe(1);
        expect(host.output.slice(told)).toMatch(
          /Daybook can't start\. The data folder .* can't be used: EIO/,
        );
        expect(host.output.slice(told)).not.toMatch(/^ +at /m);
      }
      stage.inject();
      await host.start();
      await stage.verify("read errors");
    },
    SCENARIO_TIMEOUT_MS,
  );

  test(
    "a start on a full disk says so, and loses nothing",
    async () => {
      stage = await Stage.open();
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
    },
    SCENARIO_TIMEOUT_MS,
  );
});
