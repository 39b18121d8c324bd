/** The commands about one event's receipt: fetch it, verify it offline. */
import type { Command } from "commander";
import { AuditError } from "./auditError.ts";
import { EXIT_DAMAGED, EXIT_INTACT } from "./exitCodes.ts";
import { liveLedger, sequenceOption, withKeys, withServer } from "./options.ts";
import type { OutputOptions } from "./options.ts";
import type { ReceiptVerdict } from "./receipts.ts";
import type { ServerOptions } from "./server.ts";
import { formatReceiptJson, formatReceiptTable } from "./verdictText.ts";
import { readPolicy } from "./trustFiles.ts";
import type { TrustOptions } from "./trustFiles.ts";

type ReceiptOptions = OutputOptions & Omit<TrustOptions, "since">;

interface FetchOptions extends ServerOptions, ReceiptOptions {
  readonly out: string;
  readonly seq?: number;
  readonly event?: string;
  readonly direct?: true;
  readonly force?: true;
}

function write(verdict: ReceiptVerdict, { json }: OutputOptions): number {
  const withColors = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
  const text = json === true ? formatReceiptJson(verdict) : formatReceiptTable(verdict, withColors);
  process.stdout.write(`${text}\n`);
  return verdict.result === "sound" ? EXIT_INTACT : EXIT_DAMAGED;
}

async function fetch(options: FetchOptions): Promise<ReceiptVerdict> {
  const { seq, event, out, direct, force } = options;
  const of = seq === undefined ? (event === undefined ? undefined : { eventId: event }) : { seq };
  if (of === undefined || (seq !== undefined && event !== undefined)) {
    throw new AuditError("No one event was named.", "Give either --seq N or --event ID.");
  }
  const request = { of, isDirect: direct === true, file: out, overwrite: force === true };
  const { fetchReceipt } = await import("./receipts.ts");
  return await fetchReceipt(liveLedger(options), request, await readPolicy(options));
}

export function addReceiptCommands(program: Command, setExitCode: (code: number) => void): void {
  const receipt = program
    .command("receipt")
    .description("verify a receipt (.tlog-proof) offline")
    .argument("<file>", "the receipt");
  withKeys(receipt)
    .option("--json", "print one JSON object")
    .action(async (file: string, options: ReceiptOptions) => {
      const { judgeReceiptFile } = await import("./receipts.ts");
      setExitCode(write(await judgeReceiptFile(file, await readPolicy(options)), options));
    });
  const get = program
    .command("get-receipt")
    .description("fetch the receipt of one event from a running server, and verify it")
    .requiredOption("--out <file>", "the file to write, .tlog-proof by custom")
    .option("--seq <n>", "the event's sequence", sequenceOption)
    .option("--event <id>", "the event's id");
  withKeys(withServer(get))
    .option("--direct", "against the organisation's own checkpoint, even if the log of logs has it")
    .option("--force", "overwrite the file")
    .option("--json", "print one JSON object")
    .action(async (options: FetchOptions) => {
      setExitCode(write(await fetch(options), options));
    });
}
