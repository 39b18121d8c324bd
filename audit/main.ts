/** `npm run audit -- --help` */
import { runCommandLine } from "./commandLine.ts";
import { EXIT_NOT_RUN } from "./exitCodes.ts";

try {
  process.exitCode = await runCommandLine(process.argv.slice(2));
} catch (error) {
  // An unexpected failure must never read as a verdict: Node's own exit code would be 1, "damaged".
  console.error(error);
  process.exitCode = EXIT_NOT_RUN;
}
