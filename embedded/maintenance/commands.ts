/**
 * The maintenance commands of the command line, and their exit codes. What they do is loaded when one is asked for:
 * a check needs nothing of a host.
 */
import { Option, type Command } from "commander";
import colors from "picocolors";
import { HostError } from "../engine/errors.ts";
import { MaintenanceError } from "./maintenanceError.ts";
import type * as CommandWork from "./commandWork.ts";

type Variables = Readonly<Record<string, string | undefined>>;

const EXIT_COULD_NOT_RUN = 2;

/** An expected refusal becomes a line and an exit code; anything else is a fault of ours and keeps its stack. */
async function explained(
  exitCode: number,
  run: (work: typeof CommandWork) => Promise<void> | void,
): Promise<void> {
  try {
    await run(await import("./commandWork.ts"));
  } catch (error) {
    const isExpected =
      error instanceof MaintenanceError ||
      error instanceof HostError ||
      (error instanceof Error && "code" in error);
    if (!isExpected) throw error;
    process.stderr.write(`${colors.red(error.message)}\n`);
    process.exitCode = exitCode;
  }
}

function positiveInteger(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text))
    throw new MaintenanceError("--limit must be a number from 1 to 999999.");
  return Number(text);
}

/** Adds `backup`, `restore`, `check` and `inspect`. */
export function addMaintenanceCommands(program: Command, variables: Variables): void {
  program
    .command("backup <file>")
    .description("write an encrypted copy of the data folder; the host may run")
    .option("--force", "overwrite the file", false)
    .action(async (file: string, { force }: { force: boolean }) => {
      await explained(1, ({ runBackup }) => runBackup(variables, file, force));
    });
  program
    .command("restore <file>")
    .description("make the data folder, which must be empty or missing, from a backup")
    .action(async (file: string) => {
      await explained(1, ({ runRestore }) => runRestore(variables, file));
    });
  program
    .command("check")
    .description("look for damage; exit code 0: none, 1: damaged, 2: could not look")
    .action(async () => {
      await explained(EXIT_COULD_NOT_RUN, ({ runCheck }) => runCheck(variables));
    });
  program
    .command("inspect <table>")
    .description("print the newest rows of [component/]table")
    .addOption(new Option("--limit <rows>", "how many").default("20"))
    .option("--json", "one document a line, as stored", false)
    .action(async (name: string, { limit, json }: { limit: string; json: boolean }) => {
      await explained(1, ({ runInspect }) => {
        runInspect(variables, name, { limit: positiveInteger(limit), json });
      });
    });
}
