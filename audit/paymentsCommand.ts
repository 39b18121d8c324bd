/** The command that re-reads a ledger's payments from the provider. */
import type { Command } from "commander";
import type { PaymentsOptions } from "./compareWithProvider.ts";
import { withKeys } from "./options.ts";

export function addPaymentsCommand(program: Command, setExitCode: (code: number) => void): void {
  const command = program
    .command("payments")
    .description(
      "hold an exported ledger's payments against Stripe's own records, read with the auditor's key",
    )
    .requiredOption("--bundle <file>", "an exported ledger")
    .option(
      "--stripe-key <key>",
      "a restricted key that reads (better in STRIPE_RESTRICTED_KEY: others can see options)",
    )
    .option("--stripe-url <url>", "a simulator on this machine instead of Stripe");
  withKeys(command)
    .option("--json", "print one JSON object for each payment, refund and dispute")
    .action(async (options: PaymentsOptions) => {
      const { compareWithProvider } = await import("./compareWithProvider.ts");
      setExitCode(await compareWithProvider(options));
    });
}
