/** `npm run audit -- replay`: the read models that an exported ledger gives, now or at a moment, and against a server. */
import { Command, InvalidArgumentError } from "commander";
import type { ReplayOptions } from "./replayBundle.ts";
import type { LiveLedger, ServerOptions } from "./server.ts";

function sequenceOption(text: string): number {
  const seq = Number(text);
  if (/^[1-9][0-9]{0,15}$/.test(text) && Number.isSafeInteger(seq)) return seq;
  throw new InvalidArgumentError("Give a sequence: a whole number from 1.");
}

/** The command, with what opens a server from its options and what takes the exit code. */
export function replayCommand(
  openLedger: (options: ServerOptions) => LiveLedger,
  setExitCode: (code: number) => void,
): Command {
  return new Command("replay")
    .description("fold an exported ledger into the read models' rows, and compare them with a server's")
    .requiredOption("--bundle <file>", "an exported ledger")
    .option("--as-of <seq>", "show every row as it was right after this sequence", sequenceOption)
    .option("--stream <stream>", "show the row of one aggregate, like booking/bkg_…")
    .option("--url <url>", "a running server whose live rows are to be the same")
    .option(
      "--token <token>",
      "token of an owner or auditor (better in DAYBOOK_TOKEN: others can see options)",
    )
    .option("--json", "print JSON objects, one a line")
    .action(async (options: ReplayOptions & ServerOptions) => {
      const { replayBundle } = await import("./replayBundle.ts");
      setExitCode(await replayBundle(options, options.url === undefined ? undefined : openLedger(options)));
    });
}
