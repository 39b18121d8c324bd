/**
 * Pages that a power cut left torn, in a real host's data folder. A torn end of the log was never acknowledged, and
 * the host goes on from the commit before; one that was acknowledged shows to whoever kept a receipt; a damaged page
 * of the database stops the start.
 */
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ConvexHttpClient } from "convex/browser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkDatabase } from "../../embedded/maintenance/checkDatabase.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { exitOf, run } from "../support/hostProcess.ts";
import { defineService, foundOrganization } from "../support/scene.ts";
import { verifyLedger, Writers, type Acknowledged } from "../support/writers.ts";

const PAGE_BYTES = 4096;
/** Of the write-ahead log, https://sqlite.org/fileformat2.html#walformat */
const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;

let backend: HostBackend;
let orgId: string;
let subject: string;
let acknowledged: Acknowledged[];
const folder = mkdtempSync(path.join(tmpdir(), "daybook-torn-"));

beforeAll(async () => {
  backend = await openHostBackend();
  const founded = await foundOrganization(backend);
  orgId = founded.orgId;
  subject = founded.owner.subject;
  const writers = new Writers([founded.owner.client], await defineService(founded.owner.client));
  await writers.more(10);
  await writers.stop();
  ({ acknowledged } = writers);
  // Nothing is under way: the log ends with the last acknowledged commit.
  await backend.host.kill("SIGKILL");
});
afterAll(async () => {
  await backend.close();
  rmSync(folder, { recursive: true, force: true });
});

let copies = 0;

/** A copy of the killed host's data folder. */
function copyOf(dataDir: string): { dataDir: string; database: string; log: string } {
  copies += 1;
  const copy = path.join(folder, String(copies));
  cpSync(dataDir, copy, { recursive: true });
  const database = path.join(copy, "daybook.sqlite");
  return { dataDir: copy, database, log: `${database}-wal` };
}

/** Runs the host on a data folder, checks that it holds exactly these commands, and audits it against a receipt. */
async function audited(
  dataDir: string,
  kept: readonly Acknowledged[],
  receipt: Acknowledged | undefined,
): Promise<{ exit: number | null; stdout: string }> {
  const { host } = backend;
  await host.start({ DATA_DIR: dataDir });
  try {
    const token = await host.token(subject, orgId);
    const reader = new ConvexHttpClient(host.url, { auth: token, logger: false });
    const head = await verifyLedger(backend, { orgId, reader }, kept);
    expect(head.seq).toBe(kept.at(-1)?.lastSeq);
    const args = ["verify", "--url", host.url, "--token", token, "--expect-head", receipt?.headHash ?? ""];
    return await run(["audit/main.ts", ...args]);
  } finally {
    await host.kill("SIGKILL");
  }
}

describe("a torn last page of the log", () => {
  test("that was on its way when the power went is dropped with its commit", async () => {
    const { dataDir, log } = copyOf(backend.host.dataDir);
    const bytes = readFileSync(log);
    expect((bytes.length - LOG_HEADER_BYTES) % FRAME_BYTES).toBe(0);
    // A frame of this log, as one that follows would begin, whose page came half to the disk.
    const frame = bytes.subarray(bytes.length - FRAME_BYTES);
    appendFileSync(log, Buffer.concat([frame.subarray(0, FRAME_BYTES / 2), randomBytes(FRAME_BYTES / 2)]));
    expect((await audited(dataDir, acknowledged, acknowledged.at(-1))).exit).toBe(0);
  });

  test.each([
    [
      "cut short",
      (log: string, size: number): void => {
        truncateSync(log, size - PAGE_BYTES / 2);
      },
    ],
    [
      "garbled",
      (log: string, size: number): void => {
        const bytes = readFileSync(log);
        randomBytes(PAGE_BYTES / 2).copy(bytes, size - PAGE_BYTES / 2);
        writeFileSync(log, bytes);
      },
    ],
  ])(
    "that was acknowledged (%s) takes back its commit only, and the kept receipt shows it",
    async (_how, tear) => {
      const { dataDir, log } = copyOf(backend.host.dataDir);
      tear(log, readFileSync(log).length);
      const before = acknowledged.slice(0, -1);
      const { exit, stdout } = await audited(dataDir, before, acknowledged.at(-1));
      expect([exit, stdout]).toEqual([1, expect.stringMatching(/head/)]);
      expect((await run(["embedded/main.ts", "check"], { DATA_DIR: dataDir })).exit).toBe(0);
    },
  );
});

describe("a garbled page of the database", () => {
  test("is found by the check, whichever page it is, and stops the start", async () => {
    const { host } = backend;
    const whole = copyOf(host.dataDir);
    // Ends in order: everything is in the database file.
    await host.start({ DATA_DIR: whole.dataDir });
    await host.kill("SIGTERM");
    const bytes = readFileSync(whole.database);
    const pages = bytes.length / PAGE_BYTES;
    expect(pages).toBeGreaterThan(20);
    const unseen: number[] = [];
    const { dataDir, database } = copyOf(whole.dataDir);
    for (let page = 1; page <= pages; page += 1) {
      const garbled = Buffer.from(bytes);
      randomBytes(PAGE_BYTES).copy(garbled, (page - 1) * PAGE_BYTES);
      writeFileSync(database, garbled);
      if (!isFound(database)) unseen.push(page);
    }
    expect(unseen).toEqual([]);

    const child = host.spawn({ DATA_DIR: dataDir });
    expect(await exitOf(child)).toBe(1);
    expect(host.output).toMatch(
      /Daybook can't start\. The database \S+ is damaged: .*page [0-9]+.*Restore a backup/,
    );
    const check = await run(["embedded/main.ts", "check"], { DATA_DIR: dataDir });
    expect([check.exit, check.stdout]).toEqual([1, expect.stringMatching(/page [0-9]+/)]);
  });
});

function isFound(database: string): boolean {
  try {
    return checkDatabase(database).findings.length > 0;
  } catch (error) {
    // SQLite can't even begin to read it.
    return error instanceof Error && "errcode" in error;
  }
}
