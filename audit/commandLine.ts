/** The auditor's commands and options. Exit codes: 0 intact, 1 damaged, 2 the audit could not run. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { parseKnownHead } from "../ledger/knownHead.ts";
import type { KnownHead } from "../ledger/knownHead.ts";
import type { Verdict } from "../ledger/verify.ts";
import { AuditError } from "./auditError.ts";
import { verifyBundleFile } from "./bundleFile.ts";
import { exportLedger } from "./exportLedger.ts";
import { parseServerUrl } from "./liveLedger.ts";
import type { LiveLedger, ServerOptions } from "./liveLedger.ts";
import { createProgress } from "./progress.ts";
import { replayCommand } from "./replayCommand.ts";
import { formatJson, formatTable, printable } from "./report.ts";
import { touched } from "./touched.ts";
import { verifyLive } from "./verifyLive.ts";

export const EXIT_INTACT = 0;
export const EXIT_DAMAGED = 1;
export const EXIT_NOT_RUN = 2;

interface OutputOptions {
  readonly json?: true;
}

interface VerifyOptions extends ServerOptions, OutputOptions {
  readonly bundle?: string;
  readonly expectHead?: KnownHead;
  readonly earlierHead?: KnownHead;
  readonly workers?: number;
}

interface TouchedOptions extends OutputOptions {
  readonly bundle: string;
  readonly actor?: string;
  readonly since?: number;
  readonly until?: number;
}

interface ExportOptions extends ServerOptions, OutputOptions {
  readonly out: string;
  readonly force?: true;
}

const headOption = (isLast: boolean) => (text: string) => {
  const head = parseKnownHead(text, isLast);
  if (head === undefined) throw new InvalidArgumentError("Give SEQ:HASH or HASH, 64 hexadecimal digits.");
  return head;
};

const WORKERS_MAX = 64;

function workersOption(text: string): number {
  const workers = Number(text);
  if (/^[1-9][0-9]?$/.test(text) && workers <= WORKERS_MAX) return workers;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${WORKERS_MAX}.`);
}

function timeOption(text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new InvalidArgumentError("Give a time like 2026-11-21T09:00:00Z.");
  return time;
}

function liveLedger({ url, token }: ServerOptions): LiveLedger {
  const bearer = token ?? process.env["DAYBOOK_TOKEN"];
  if (url === undefined) throw new AuditError("No server was named.", "Add --url URL.");
  if (bearer === undefined || !/^[\x21-\x7e]+$/.test(bearer)) {
    throw new AuditError("No usable token was given.", "Set DAYBOOK_TOKEN, or add --token TOKEN.");
  }
  return { url: parseServerUrl(url), token: bearer };
}

function verify(options: VerifyOptions): Promise<Verdict> {
  const knownHeads = [options.expectHead, options.earlierHead].filter((head) => head !== undefined);
  const progress = createProgress(process.stderr);
  if (options.bundle === undefined) return verifyLive(liveLedger(options), knownHeads, progress);
  if (options.url === undefined)
    return verifyBundleFile(options.bundle, knownHeads, progress, options.workers);
  throw new AuditError("Both --bundle and --url were given.", "Verify one of them at a time.");
}

function write(verdict: Verdict, { json }: OutputOptions): number {
  const withColors = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
  process.stdout.write(`${json === true ? formatJson(verdict) : formatTable(verdict, withColors)}\n`);
  return verdict.result === "intact" ? EXIT_INTACT : EXIT_DAMAGED;
}

/** Lists what was touched, of the part of an export that is sound; the exit code is the verdict's. */
async function listTouched(options: TouchedOptions): Promise<number> {
  const verdict = await verifyBundleFile(options.bundle, [], createProgress(process.stderr));
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

function createProgram(setExitCode: (code: number) => void): Command {
  const program = new Command("audit")
    .description("Verifies the ledger of an organisation without trusting who keeps it.")
    .exitOverride()
    .showHelpAfterError("(--help lists the commands and options)");
  program
    .command("verify")
    .description("verify an exported file, or a running server up to its present head")
    .option("--bundle <file>", "an exported ledger")
    .option("--url <url>", "a running server")
    .option(
      "--token <token>",
      "token of an owner or auditor (better in DAYBOOK_TOKEN: others can see options)",
    )
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
  program
    .command("export")
    .description("write a running server's ledger to a file, verified on the way; the ledger records it")
    .requiredOption("--out <file>", "the file to write")
    .option("--url <url>", "a running server")
    .option(
      "--token <token>",
      "token of an owner or auditor (better in DAYBOOK_TOKEN: others can see options)",
    )
    .option("--force", "overwrite the file")
    .option("--json", "print one JSON object")
    .action(async (options: ExportOptions) => {
      const target = {
        file: options.out,
        overwrite: options.force === true,
        exportedAt: Date.now(),
        onUnrecorded: (code: string) => {
          process.stderr.write(`The server did not record this export: ${printable(code)}.\n`);
        },
      };
      const verdict = await exportLedger(liveLedger(options), target, createProgress(process.stderr));
      setExitCode(write(verdict, options));
      if (verdict.result === "damaged") {
        process.stderr.write(`The damaged ledger was written as evidence: ${target.file}\n`);
      }
    });
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
