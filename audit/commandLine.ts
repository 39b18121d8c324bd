/**
 * The auditor's commands and options. Exit codes: 0 intact, 1 damaged, 2 the audit could not run. What a command does
 * is loaded when it is asked for: whoever verifies a file needs nothing of servers, and nothing of pages.
 */
import { Command, CommanderError } from "commander";
import type { AuditVerdict } from "../ledger/auditVerdict.ts";
import type { KnownHead } from "../ledger/knownHead.ts";
import type { Trust } from "../ledger/trust.ts";
import { AuditError } from "./auditError.ts";
import { EXIT_DAMAGED, EXIT_INTACT, EXIT_NOT_RUN } from "./exitCodes.ts";
import { headOption, liveLedger, timeOption, withKeys, withServer, workersOption } from "./options.ts";
import type { OutputOptions } from "./options.ts";
import { addPaymentsCommand } from "./paymentsCommand.ts";
import { createProgress } from "./progress.ts";
import { addReceiptCommands } from "./receiptCommands.ts";
import { replayCommand } from "./replayCommand.ts";
import { addReportCommand } from "./reportCommand.ts";
import type { ServerOptions } from "./server.ts";
import { formatJson, formatTable, printable } from "./verdictText.ts";
import { readTrust, saveCheckpoint } from "./trustFiles.ts";
import type { TrustOptions } from "./trustFiles.ts";

interface VerifyOptions extends ServerOptions, OutputOptions, TrustOptions {
  readonly bundle?: string;
  readonly expectHead?: KnownHead;
  readonly earlierHead?: KnownHead;
  readonly workers?: number;
  readonly saveCheckpoint?: string;
}

interface TouchedOptions extends OutputOptions {
  readonly bundle: string;
  readonly actor?: string;
  readonly since?: number;
  readonly until?: number;
}

interface ExportOptions extends ServerOptions, OutputOptions, Omit<TrustOptions, "since"> {
  readonly out: string;
  readonly force?: true;
  readonly resume?: true;
  readonly plain?: true;
}

async function verifyWith(options: VerifyOptions, trust: Trust): Promise<AuditVerdict> {
  const knownHeads = [options.expectHead, options.earlierHead].filter((head) => head !== undefined);
  const progress = await createProgress(process.stderr);
  const { bundle, url, workers } = options;
  if (bundle === undefined) {
    const { verifyLive } = await import("./verifyLive.ts");
    return await verifyLive(liveLedger(options), knownHeads, trust, progress);
  }
  if (url === undefined) {
    const { auditBundleFile } = await import("./bundleFile.ts");
    return await auditBundleFile(bundle, trust, { knownHeads, progress, workers });
  }
  throw new AuditError("Both --bundle and --url were given.", "Verify one of them at a time.");
}

async function verify(options: VerifyOptions): Promise<AuditVerdict> {
  const trust = await readTrust(options);
  if (options.saveCheckpoint !== undefined && trust.policy === undefined) {
    const next = "Pin the deployment's key with --key: a checkpoint that nobody signed is not to be trusted.";
    throw new AuditError("--save-checkpoint was given without a key.", next);
  }
  const verdict = await verifyWith(options, trust);
  if (options.saveCheckpoint !== undefined) {
    const size = await saveCheckpoint(options.saveCheckpoint, verdict, trust.since);
    const kept = trust.since === undefined ? "Nothing was saved" : "Nothing newer was there to save";
    const done = size === undefined ? kept : `The checkpoint of ${size} events was saved`;
    process.stderr.write(`${done}: ${options.saveCheckpoint}\n`);
  }
  return verdict;
}

function write(verdict: AuditVerdict, { json }: OutputOptions): number {
  const withColors = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
  process.stdout.write(`${json === true ? formatJson(verdict) : formatTable(verdict, withColors)}\n`);
  return verdict.result === "intact" ? EXIT_INTACT : EXIT_DAMAGED;
}

/** Lists what was touched, of the part of an export that is sound; the exit code is the verdict's. */
async function listTouched(options: TouchedOptions): Promise<number> {
  const { verifyBundleFile } = await import("./bundleFile.ts");
  const { touched } = await import("./touched.ts");
  const verdict = await verifyBundleFile(options.bundle, [], await createProgress(process.stderr));
  let events = 0;
  const streams = new Set<string>();
  for await (const line of touched(options.bundle, verdict.count, options)) {
    events += 1;
    streams.add(line.stream);
    const { seq, at, type, stream, actor } = line;
    const text =
      options.json === true ? JSON.stringify(line) : [seq, at, type, stream, actor].map(String).join("  ");
    process.stdout.write(`${printable(text)}\n`);
  }
  process.stderr.write(`${events} events in ${streams.size} streams, of ${verdict.count} that are sound.\n`);
  if (verdict.result === "intact") return EXIT_INTACT;
  const { damage } = verdict;
  process.stderr.write(`Damaged at sequence ${damage?.seq ?? 0}: ${damage?.kind ?? "unknown"}.\n`);
  return EXIT_DAMAGED;
}

/** The name of the plain form, which programs that know nothing of evidence read. */
const PLAIN_FILE = /\.ndjson$/i;

async function exportTo(options: ExportOptions): Promise<number> {
  const target = {
    file: options.out,
    overwrite: options.force === true,
    resume: options.resume === true,
    isPlain: options.plain === true || PLAIN_FILE.test(options.out),
    exportedAt: Date.now(),
    onUnrecorded: (code: string) => {
      process.stderr.write(`The server did not record this export: ${printable(code)}.\n`);
    },
  };
  const trust = await readTrust(options);
  const ledger = liveLedger(options);
  const progress = await createProgress(process.stderr);
  const { exportLedger } = await import("./exportLedger.ts");
  const verdict = await exportLedger({ ledger, target, trust, progress });
  if (verdict.result === "damaged") {
    process.stderr.write(`The damaged ledger was written as evidence: ${target.file}\n`);
  }
  return write(verdict, options);
}

type SetExitCode = (code: number) => void;

function addVerify(program: Command, setExitCode: SetExitCode): void {
  const command = program
    .command("verify")
    .description("verify an exported file, or a running server up to its present head")
    .option("--bundle <file>", "an exported ledger");
  withKeys(withServer(command))
    .option("--since <file>", "the checkpoint of an earlier audit, which the ledger must contain")
    .option("--save-checkpoint <file>", "keep the newest checkpoint that counts for the next audit's --since")
    .option("--expect-head <head>", "the ledger must end at this SEQ:HASH or HASH", headOption(true))
    .option("--earlier-head <head>", "the ledger must contain this SEQ:HASH or HASH", headOption(false))
    .option(
      "--workers <n>",
      "threads that verify a file (default: one per core, one for small files); the verdict is the same",
      workersOption,
    )
    .option("--json", "print one JSON object")
    .action(async (options: VerifyOptions) => {
      setExitCode(write(await verify(options), options));
    });
}

function addExport(program: Command, setExitCode: SetExitCode): void {
  const command = program
    .command("export")
    .description("write a running server's ledger and its evidence to a file, verified on the way")
    .requiredOption("--out <file>", "the file to write");
  withKeys(withServer(command))
    .option("--force", "overwrite the file, and begin again")
    .option("--resume", "go on with an export that was interrupted, after verifying what is there")
    .option("--plain", "events alone, without checkpoints (daybook-ledger/1); so is a file named *.ndjson")
    .option("--json", "print one JSON object")
    .action(async (options: ExportOptions) => {
      setExitCode(await exportTo(options));
    });
}

function createProgram(setExitCode: SetExitCode): Command {
  const program = new Command("audit")
    .description("Verifies the ledger of an organisation without trusting who keeps it.")
    .exitOverride()
    .showHelpAfterError("(--help lists the commands and options)");
  addVerify(program, setExitCode);
  addExport(program, setExitCode);
  addReceiptCommands(program, setExitCode);
  addReportCommand(program, setExitCode);
  addPaymentsCommand(program, setExitCode);
  program
    .command("touched")
    .description("list what an exported ledger says was done, by whom and when, after verifying it")
    .requiredOption("--bundle <file>", "an exported ledger")
    .option("--actor <id>", "only what this user, operator or provider did")
    .option("--since <time>", "only events at or after this time", timeOption)
    .option("--until <time>", "only events before this time", timeOption)
    .option("--json", "print one JSON object for each event")
    .action(async (options: TouchedOptions) => {
      setExitCode(await listTouched(options));
    });
  program.addCommand(replayCommand(liveLedger, setExitCode).copyInheritedSettings(program));
  return program;
}

/** Runs one command line (without the program's own name) and returns the exit code. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitCode = EXIT_NOT_RUN;
  try {
    await createProgram((code) => {
      exitCode = code;
    }).parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has printed its own message; help that was asked for is no failure.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_INTACT : EXIT_NOT_RUN;
    if (!(error instanceof AuditError)) throw error;
    process.stderr.write(`The audit could not run: ${printable(error.message)}\n${error.next}\n`);
    return EXIT_NOT_RUN;
  }
}
