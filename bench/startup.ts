/**
 * How long the host takes to be ready: `npm run bench -- startup` starts it in production on an empty folder
 * and again on what that left, and prints the time from spawn to the first `/readyz` that says 200. Beside it stand
 * the parts: Node alone, Node with all modules of the host loaded, and what the host itself says of its engine.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import getPort from "get-port";
import { DEVELOPMENT_DEPLOYMENT, makeCheckpointKey } from "../embedded/server/developmentSecrets.ts";
import { createInterface } from "node:readline";

const REPOSITORY = path.resolve(import.meta.dirname, "..");
const MAIN = path.join(REPOSITORY, "embedded/main.ts");
const LOAD_MODULES = `import(${JSON.stringify(path.join(REPOSITORY, "embedded/server/host.ts"))})`;

type Measured = { readyMs: number; engineMs: number };

async function ready(port: number): Promise<void> {
  for (;;) {
    const status = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The host's own account of its start, from its log. */
async function engineTime(log: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface({ input: log })) {
    const record = JSON.parse(line) as { message?: string; engineMs?: number };
    if (record.message === "serving" && record.engineMs !== undefined) return record.engineMs;
  }
  throw new Error("the host did not start");
}

async function start(dataDir: string): Promise<Measured> {
  const port = await getPort();
  const startedAtMs = performance.now();
  const host = spawn(process.execPath, [MAIN, "start"], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: process.env["PATH"],
      DAYBOOK_ENV: "production",
      PORT: String(port),
      SITE_PORT: "0",
      DATA_DIR: dataDir,
      LOG_LEVEL: "debug",
      DAYBOOK_AUTH_ISSUER: "https://issuer.example",
      DAYBOOK_AUTH_AUDIENCE: "daybook",
      DAYBOOK_INVITATION_KEYS: `k1:${"a".repeat(64)}`,
      DAYBOOK_FINGERPRINT_KEY: "b".repeat(64),
      DAYBOOK_SEALING_KEYS: `s1:${"c".repeat(64)}`,
      DAYBOOK_DEPLOYMENT: DEVELOPMENT_DEPLOYMENT,
      DAYBOOK_CHECKPOINT_KEYS: makeCheckpointKey(DEVELOPMENT_DEPLOYMENT),
    },
  });
  const [engineMs, readyMs] = await Promise.all([
    engineTime(host.stderr),
    ready(port).then(() => performance.now() - startedAtMs),
  ]);
  const ended = once(host, "exit");
  host.kill("SIGTERM");
  await ended;
  return { readyMs, engineMs };
}

/** Without `compiled`, a folder of compiled modules, every module is compiled anew. */
function timeOf(args: readonly string[], compiled?: string): number {
  const { PATH } = process.env;
  const env = compiled === undefined ? { PATH } : { PATH, NODE_COMPILE_CACHE: compiled };
  const startedAtMs = performance.now();
  const { status } = spawnSync(process.execPath, args, { cwd: REPOSITORY, stdio: "ignore", env });
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status ?? "a signal"}`);
  return performance.now() - startedAtMs;
}

function print(name: string, times: readonly number[]): void {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share: number): string =>
    (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(0).padStart(6);
  console.log(`${name.padEnd(44)}${at(0)}${at(0.5)}${at(1)}`);
}

/** Starts the host `runs` times and prints the times. */
export async function benchStartup(runs: number): Promise<void> {
  const empty: Measured[] = [];
  const again: Measured[] = [];
  const bare: number[] = [];
  const modules: number[] = [];
  const compiledModules: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const folder = mkdtempSync(path.join(tmpdir(), "daybook-bench-"));
    try {
      empty.push(await start(path.join(folder, "data")));
      again.push(await start(path.join(folder, "data")));
      bare.push(timeOf(["-e", "0"]));
      modules.push(timeOf(["-e", LOAD_MODULES]));
      const compiled = path.join(folder, "compiled");
      timeOf(["-e", LOAD_MODULES], compiled);
      compiledModules.push(timeOf(["-e", LOAD_MODULES], compiled));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  console.log(`${`milliseconds, ${runs} runs`.padEnd(44)}   min   med   max`);
  print(
    "spawn to ready, empty folder",
    empty.map(({ readyMs }) => readyMs),
  );
  print(
    "spawn to ready, second start",
    again.map(({ readyMs }) => readyMs),
  );
  print("  Node alone (node -e 0)", bare);
  print("  Node and all modules, compiled anew", modules);
  print("  Node and all modules, compiled before", compiledModules);
  print(
    "  ports to ready, empty folder",
    empty.map(({ engineMs }) => engineMs),
  );
  print(
    "  ports to ready, second start",
    again.map(({ engineMs }) => engineMs),
  );
}
