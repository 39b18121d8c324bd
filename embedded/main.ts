/** The command line of the embedded host. What a command does is loaded when it is asked for. */
import path from "node:path";
import { Command } from "commander";
import { useCompileCache } from "./compileCache.ts";
import { addMaintenanceCommands } from "./maintenance/commands.ts";
import { addOperatorCommands } from "./maintenance/operatorCommands.ts";

useCompileCache();

const program = new Command("daybook").description("Runs Daybook on this machine.");

program
  .command("start", { isDefault: true })
  .description("start the host; configuration comes from environment variables, see docs/operations.md")
  .option("--functions <folder>", "run another convex/ folder than this repository's")
  .action(async (options: { functions?: string }) => {
    const functionsDir = options.functions === undefined ? undefined : path.resolve(options.functions);
    const { runStart } = await import("./server/startCommand.ts");
    await runStart(process.env, functionsDir);
  });

program
  .command("checkpoint-key")
  .description(
    "make a signing key for DAYBOOK_CHECKPOINT_KEYS: prints it, and the verifier key to hand to auditors",
  )
  .argument("<deployment>", "the deployment's name, as in DAYBOOK_DEPLOYMENT")
  .action(async (deployment: string) => {
    const { printCheckpointKey } = await import("./server/checkpointKeyCommand.ts");
    printCheckpointKey(deployment);
  });

addMaintenanceCommands(program, process.env);
addOperatorCommands(program, process.env);

await program.parseAsync();
