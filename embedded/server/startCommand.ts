/** `start`: checks the configuration, starts the host, says where everything is, and stops it on a signal. */
import path from "node:path";
import colors from "picocolors";
import { HostError } from "../engine/errors.ts";
import { explainedAtStart, StorageFailure } from "../engine/storage/storageErrors.ts";
import { parseConfig, type HostConfig, type Variables } from "./config.ts";
import type { Host } from "./host.ts";

/**
 * Resolves when the host runs; the process then ends by signal, with exit code 0. Without `functionsDir` it
 * runs the convex/ folder of this repository.
 */
export async function runStart(variables: Variables, functionsDir?: string): Promise<void> {
  const parsed = parseConfig(variables, functionsDir);
  if (!parsed.ok) {
    const lines = parsed.problems.map(({ variable, problem }) => `  ${colors.bold(variable)} ${problem}`);
    fail(["Daybook can't start: the configuration has problems.", ...lines, "Set them and start again."]);
    return;
  }
  const host = await startOrExplain(parsed.config);
  if (host === undefined) return;
  process.stdout.write(`${banner(host, parsed.config).join("\n")}\n`);
  stopOnSignal(host);
  void host.failed.then(stopOnFailure);
}

async function startOrExplain(config: HostConfig): Promise<Host | undefined> {
  const { startHost } = await import("./host.ts");
  try {
    return await startHost(config);
  } catch (error) {
    const explained = explainedAtStart(error, config.dataDir);
    if (!(explained instanceof HostError)) throw error;
    fail([`Daybook can't start. ${explained.message}`]);
    return undefined;
  }
}

function fail(lines: readonly string[]): void {
  process.stderr.write(
    `${colors.red(lines[0] ?? "")}\n${lines
      .slice(1)
      .map((line) => `${line}\n`)
      .join("")}`,
  );
  process.exitCode = 1;
}

function banner(host: Host, config: HostConfig): string[] {
  const dataDir = path.relative(process.cwd(), config.dataDir);
  const facts: [string, string][] = [
    ["API and WebSocket", host.url],
    ["HTTP actions", host.siteUrl],
    ["Data", dataDir.startsWith("..") ? config.dataDir : `./${dataDir}`],
    ["Environment", config.environment],
    ["Admin access", host.adminKey === null ? "off (DAYBOOK_ADMIN_KEY is not set)" : "on"],
    ["Payments", paymentsOf(host, config)],
  ];
  return [
    colors.bold(colors.green("Daybook is running.")),
    ...facts.map(([name, value]) => `  ${name.padEnd(18)} ${colors.cyan(value)}`),
    "",
    ...(host.developmentIssuer === undefined ? [] : nextSteps(host.developmentIssuer)),
    colors.dim("Stop with Ctrl+C."),
  ];
}

function paymentsOf(host: Host, { stripe }: HostConfig): string {
  if (host.simulatorUrl !== undefined) return `simulated, ${host.simulatorUrl}`;
  return stripe.kind === "configured" ? "Stripe" : "off";
}

function nextSteps(issuer: string): string[] {
  return [
    "Sign in as anyone (development only):",
    `  curl -s ${issuer}/token -H 'content-type: application/json' -d '{"user":"alice"}'`,
    "Then:",
    "  npm run demo                                          a day in two organisations, with the audit",
    "  npm run audit -- verify --url URL --token TOKEN       check the ledger of the token's organisation",
    "",
  ];
}

/** EX_IOERR and EX_SOFTWARE of sysexits.h: the disk failed while the host ran, or the engine can't go on. */
const EXIT_STORAGE_FAILED = 74;
const EXIT_ENGINE_FAILED = 70;
/** For the answers to callers whose calls were under way. */
const LAST_WORDS_MS = 250;

const ADVICE = {
  disk: "Look at the system's log and the disk, then start again: the start recovers what was committed.",
  engine: "The log says what happened before. Start again.",
};

/**
 * Waits for nothing that would use the disk. While Node takes the engine's thread down, SQLite may still move commits
 * into the database file that were synced before; the one that failed is not among them.
 */
function stopOnFailure(failure: Error): void {
  const isDisk = failure instanceof StorageFailure;
  fail([
    `Daybook stops: ${failure.message}.`,
    "What was acknowledged is on disk. What was being stored may be there after the next start, or not:",
    "clients that send it again with the same idempotency key get the first answer.",
    isDisk ? ADVICE.disk : ADVICE.engine,
  ]);
  setTimeout(() => process.exit(isDisk ? EXIT_STORAGE_FAILED : EXIT_ENGINE_FAILED), LAST_WORDS_MS);
}

function stopOnSignal(host: Host): void {
  let stopping = false;
  const stop = (): void => {
    // Asked twice: whoever asks does not want to wait for answers under way.
    if (stopping) process.exit(1);
    stopping = true;
    process.stdout.write("Stopping.\n");
    host.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(
          `Stopping failed: ${error instanceof Error ? error.message : "unknown reason"}\n`,
        );
        process.exit(1);
      },
    );
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}
