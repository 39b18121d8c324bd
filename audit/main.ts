/** `npm run audit -- --help` */
import { runCommandLine } from "./commandLine.ts";
import { EXIT_NOT_RUN } from "./exitCodes.ts";
import { printableLines } from "./verdictText.ts";

try {
  process.exitCode = await runCommandLine(process.argv.slice(2));
} catch (error) {
  // An unexpected failure must never read as a verdict: Node's own exit code would be 1, "damaged".
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${printableLines(text)}\n`);
  process.exitCode = EXIT_NOT_RUN;
}
