import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openFixture, removeDataDirs, type TestEngine } from "../engine/testing/testEngine.ts";
import { encrypt } from "./backupFormat.ts";
import type { BackupSecret } from "./backupKey.ts";

const MAIN = path.resolve(import.meta.dirname, "../main.ts");
const SECRET = { DAYBOOK_BACKUP_KEY: "5a".repeat(32) };
const root = mkdtempSync(path.join(tmpdir(), "daybook-files-"));
let count = 0;
let file = "";
let restored = "";

beforeEach(() => {
  count += 1;
  file = path.join(root, `${count}.backup`);
  restored = path.join(root, `restored-${count}`);
});

afterAll(() => {
  removeDataDirs();
  rmSync(root, { recursive: true, force: true });
});

type Ended = { code: number; out: string; err: string };

/** Runs beside the engine of the test, which must be able to go on. */
async function run(args: readonly string[], dataDir: string): Promise<Ended> {
  const env = { PATH: process.env["PATH"], DATA_DIR: dataDir, ...SECRET };
  return await new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env, encoding: "utf8" }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

async function store(host: TestEngine, text: string): Promise<string> {
  const id = await host.action("files:store", { text });
  if (typeof id !== "string") throw new Error("no id");
  return id;
}

/** A stopped host's folder with these texts as files. */
async function folderWith(...texts: string[]): Promise<string> {
  const host = await openFixture();
  for (const text of texts) await store(host, text);
  await host.engine.close();
  return host.dataDir;
}

function bytesOf(dataDir: string): string[] {
  return readdirSync(path.join(dataDir, "files"))
    .map((name) => readFileSync(path.join(dataDir, "files", name), "utf8"))
    .sort();
}

function pathOf(dataDir: string, text: string): string {
  const name = readdirSync(path.join(dataDir, "files")).find(
    (one) => readFileSync(path.join(dataDir, "files", one), "utf8") === text,
  );
  return path.join(dataDir, "files", name ?? "");
}

describe("backup and restore", () => {
  test("carry the files, encrypted, and readable by their owner only", async () => {
    // More than two frames, and none at all.
    const large = randomBytes(500_000).toString("hex");
    const dataDir = await folderWith("small canary", large, "");
    expect(await run(["backup", file], dataDir)).toMatchObject({ code: 0, err: "" });
    expect(readFileSync(file).includes("small canary")).toBe(false);
    expect(await run(["restore", file], restored)).toMatchObject({ code: 0, err: "" });
    expect(bytesOf(restored)).toEqual(bytesOf(dataDir));
    expect(statSync(path.join(restored, "files")).mode & 0o777).toBe(0o700);
    expect(statSync(pathOf(restored, "small canary")).mode & 0o777).toBe(0o600);
    expect(await run(["check"], restored)).toMatchObject({ code: 0 });
    const host = await openFixture("app", { dataDir: restored });
    expect(await host.query("files:rows")).toHaveLength(3);
    await host.engine.close();
  });

  test("give one state, however files come and go meanwhile", async () => {
    const host = await openFixture();
    const ids = await Promise.all(Array.from({ length: 40 }, (_, at) => store(host, `first ${at}`)));
    let stop = false;
    const load = async (): Promise<number> => {
      let rounds = 0;
      for (; !stop; rounds += 1) {
        ids.push(await store(host, `round ${rounds} ${"x".repeat(rounds % 5_000)}`));
        await host.mutation("files:remove", { id: ids.shift() ?? "" });
      }
      return rounds;
    };
    const running = load();
    const backups = [1, 2, 3].map((at) => `${file}-${at}`);
    for (const backup of backups) {
      expect(await run(["backup", backup], host.dataDir)).toMatchObject({ code: 0, err: "" });
    }
    expect(await run(["check"], host.dataDir)).toMatchObject({ code: 0, err: "" });
    stop = true;
    const rounds = await running;
    for (const [at, backup] of backups.entries()) {
      const folder = `${restored}-${at}`;
      expect(await run(["restore", backup], folder)).toMatchObject({ code: 0, err: "" });
      expect(await run(["check"], folder)).toMatchObject({ code: 0, err: "" });
      expect(readdirSync(path.join(folder, "files")).length).toBeGreaterThanOrEqual(40);
    }
    expect(rounds).toBeGreaterThan(3);
    await host.engine.close();
  });

  test.each([
    [
      "missing",
      (target: string): void => {
        rmSync(target);
      },
    ],
    [
      "longer",
      (target: string): void => {
        appendFileSync(target, "!");
      },
    ],
    [
      "shorter",
      (target: string): void => {
        writeFileSync(target, "preciou");
      },
    ],
    [
      "other",
      (target: string): void => {
        writeFileSync(target, "Precious");
      },
    ],
  ])("refuse bytes that are %s", async (_, damage) => {
    const dataDir = await folderWith("precious", "sound");
    damage(pathOf(dataDir, "precious"));
    const refused = await run(["backup", file], dataDir);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.err).toContain("missing or damaged");
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(dataDir).filter((name) => name.startsWith("backup-"))).toEqual([]);
    const found = await run(["check"], dataDir);
    expect(found).toMatchObject({ code: 1, err: "" });
    expect(found.out).toMatch(/(missing|damaged) file {2}_storage {2}[a-z0-9]{32}/);
    expect(found.out).toContain("Damaged: 1 findings.");
  });
});

describe("a backup that lies", () => {
  const secret: BackupSecret = { kind: "key", key: Buffer.from(SECRET.DAYBOOK_BACKUP_KEY, "hex") };

  async function write(manifest: object, ...parts: Buffer[]): Promise<void> {
    const frames: Buffer[] = [];
    for await (const frame of encrypt([Buffer.from(JSON.stringify(manifest)), ...parts], secret)) {
      frames.push(frame);
    }
    writeFileSync(file, Buffer.concat(frames));
  }

  async function content(
    ...texts: string[]
  ): Promise<{ database: Buffer; manifest: object; files: Buffer[] }> {
    const dataDir = await folderWith(...texts);
    const snapshot = path.join(root, `snapshot-${count}.sqlite`);
    const source = new DatabaseSync(path.join(dataDir, "daybook.sqlite"));
    source.prepare("VACUUM INTO ?").run(snapshot);
    source.close();
    const database = readFileSync(snapshot);
    const manifest = { environment: "", takenAt: 1, databaseBytes: database.length };
    const names = readdirSync(path.join(dataDir, "files")).sort();
    return {
      database,
      manifest,
      files: names.map((name) => readFileSync(path.join(dataDir, "files", name))),
    };
  }

  async function refusal(): Promise<string> {
    const { code, err } = await run(["restore", file], restored);
    expect(code).toBe(1);
    expect(existsSync(restored)).toBe(false);
    return err;
  }

  test("of nothing is restored, and leaves nothing", async () => {
    const { database, manifest, files } = await content("a", "b");
    const totals = { files: { count: 2, bytes: 2 } };
    const frames = (bytes: Buffer): Buffer[] =>
      Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, at) =>
        bytes.subarray(at * 65_536, (at + 1) * 65_536),
      );
    const parts = frames(database);
    await write({ ...manifest, ...totals }, ...parts, ...files.toReversed());
    expect(await refusal()).toContain("are not what was stored");
    await write({ ...manifest, ...totals }, ...parts, ...files.slice(1));
    expect(await refusal()).toContain("are not what was stored");
    await write({ ...manifest, ...totals }, ...parts, ...files, Buffer.from("c"));
    expect(await refusal()).toContain("it holds more");
    await write({ ...manifest, files: { count: 3, bytes: 3 } }, ...parts, ...files);
    expect(await refusal()).toContain("another number of files");
    await write(manifest, ...parts);
    expect(await refusal()).toContain("another number of files");
    await write({ ...manifest, ...totals }, ...parts, ...files);
    expect(await run(["restore", file], restored)).toMatchObject({ code: 0, err: "" });
    expect(bytesOf(restored)).toEqual(["a", "b"]);
  });
});

test("a backup of version 1, which had no files, is still restored", async () => {
  const sample = path.join(import.meta.dirname, "testdata/version1.backup");
  expect(readFileSync(sample).subarray(0, 16).toString("latin1")).toBe("daybook-backup/1");
  expect(await run(["restore", sample], restored)).toMatchObject({ code: 0, err: "" });
  expect(await run(["check"], restored)).toMatchObject({ code: 0, err: "" });
  const host = await openFixture("schemaBefore", { dataDir: restored });
  const table = { componentPath: "", name: "pets" };
  const page = { order: "asc", cursor: null, limit: 2 } as const;
  const { rows } = await host.engine.inspection.readTable(table, page);
  expect(rows.map((row) => JSON.parse(row) as unknown)).toMatchObject([{ name: "Rex", legs: 4 }]);
  await host.engine.close();
});

test("check finds a row that functions see and that names no bytes", async () => {
  const dataDir = await folderWith("orphaned row");
  const database = new DatabaseSync(path.join(dataDir, "daybook.sqlite"));
  const number = database.prepare("SELECT number FROM tables WHERE name = '_stored_files'").get()?.["number"];
  database
    .prepare("DELETE FROM index_entries WHERE index_id IN (SELECT id FROM indexes WHERE table_number = ?)")
    .run(number ?? 0);
  database.prepare("DELETE FROM documents WHERE table_number = ?").run(number ?? 0);
  database.close();
  const found = await run(["check"], dataDir);
  expect(found).toMatchObject({ code: 1, err: "" });
  expect(found.out).toContain("missing file  _storage");
});
