/** The command line of the benchmarks: `npm run bench -- <name>`. */
import { Command, InvalidArgumentError, Option } from "commander";
import { benchAppend } from "./append.ts";
import { benchAudit, verifyOnly, type AuditBenchOptions } from "./audit.ts";
import { benchCommands } from "./commands.ts";
import { benchHost } from "./host/benchHost.ts";
import { benchStartup } from "./startup.ts";

function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Give a whole number, at least ${least}.`);
  };
}

const program = new Command("bench").description("Measures Daybook on this machine; see bench/README.md.");

program
  .command("host")
  .description("the embedded host beside bare SQLite and convex-test")
  .option("--seconds <n>", "length of each measurement under load", whole(1), 5)
  .option("--profile", "also say where the host's time goes under 32 clients", false)
  .action(async (options: { seconds: number; profile: boolean }) => {
    await benchHost(options);
  });

program
  .command("commands")
  .description("Daybook's commands per second through official clients")
  .option("--seconds <n>", "length of each measurement", whole(1), 8)
  .action(async ({ seconds }: { seconds: number }) => {
    await benchCommands(seconds);
  });

program
  .command("audit")
  .description("speed and memory of the auditor")
  .option("--events <n>", "length of the ledger whose verification is timed", whole(100), 200_000)
  .option("--rounds <n>", "how often each is timed", whole(1), 7)
  .option("--no-memory", "leave out the memory of a million events, which takes a minute to make")
  .addOption(new Option("--file <bundle>", "verify this ledger and print the peak of memory").hideHelp())
  .addOption(new Option("--workers <n>", "with so many threads").argParser(whole(1)).default(1).hideHelp())
  .action(async ({ file, workers, ...options }: AuditBenchOptions & { file?: string; workers: number }) => {
    if (file === undefined) await benchAudit(options);
    else await verifyOnly(file, workers);
  });

program
  .command("append")
  .description("what one append costs on a long ledger, beside a short one")
  .option("--few <n>", "events in the short ledger", whole(1), 1_000)
  .option("--many <n>", "events in the long one", whole(1), 1_000_000)
  .option("--appends <n>", "how many are measured of each", whole(10), 1_000)
  .action(async (options: { few: number; many: number; appends: number }) => {
    await benchAppend(options);
  });

program
  .command("startup")
  .description("how long the host takes to be ready")
  .option("--runs <n>", "how often it is started", whole(1), 10)
  .action(async ({ runs }: { runs: number }) => {
    await benchStartup(runs);
  });

await program.parseAsync();
