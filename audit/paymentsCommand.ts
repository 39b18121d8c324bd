/** The command that re-reads a ledger's payments from the provider. */
import Table from "cli-table3";
import type { Command } from "commander";
import { AuditError } from "./auditError.ts";
import { auditBundleFile } from "./bundleFile.ts";
import { EXIT_DAMAGED, EXIT_INTACT } from "./exitCodes.ts";
import { withKeys } from "./options.ts";
import type { OutputOptions } from "./options.ts";
import { PaymentFacts } from "./paymentFacts.ts";
import { comparePayments } from "./payments.ts";
import type { PaymentLine } from "./payments.ts";
import { createProgress } from "./progress.ts";
import { readTrust } from "./trustFiles.ts";
import type { TrustOptions } from "./trustFiles.ts";
import { printable } from "./verdictText.ts";
import { verifiedEvents } from "./verifiedEvents.ts";

interface PaymentsOptions extends OutputOptions, Omit<TrustOptions, "since"> {
  readonly bundle: string;
  readonly stripeKey?: string;
  readonly stripeUrl?: string;
}

function print(lines: readonly PaymentLine[], isJson: boolean): void {
  if (isJson) {
    for (const line of lines) process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const table = new Table({
    head: ["Event", "At the provider", "Ledger", "Provider", "Outcome"],
    style: { head: [], border: [] },
  });
  for (const { seq, kind, id, ledger, provider, outcome } of lines) {
    table.push(
      [seq ?? "", `${kind} ${id}`, ledger, provider, outcome].map((cell) => printable(String(cell))),
    );
  }
  process.stdout.write(`${table.toString()}\n`);
}

async function comparePage(options: PaymentsOptions): Promise<number> {
  const key = options.stripeKey ?? process.env["STRIPE_RESTRICTED_KEY"];
  if (key === undefined)
    throw new AuditError("No key was given.", "Set STRIPE_RESTRICTED_KEY, or add --stripe-key KEY.");
  // The provider's library is much, and no other command needs it.
  const { createStripeReader } = await import("./stripeReader.ts");
  const reader = createStripeReader(key, options.stripeUrl);
  const trust = await readTrust(options);
  const progress = createProgress(process.stderr);
  const { result, count, orgId, damage } = await auditBundleFile(options.bundle, trust, {
    knownHeads: [],
    progress,
  });
  const facts = new PaymentFacts();
  for await (const event of verifiedEvents(options.bundle, count)) facts.add(event);
  const lines: PaymentLine[] = [];
  for await (const line of comparePayments(orgId ?? "", facts, reader)) lines.push(line);
  print(lines, options.json === true);
  const differing = lines.filter(({ outcome }) => outcome !== "agrees").length;
  process.stderr.write(`${lines.length - differing} agree, ${differing} differ, in ${count} sound events.\n`);
  if (damage !== undefined) process.stderr.write(`Damaged at sequence ${damage.seq}: ${damage.kind}.\n`);
  return result === "intact" && differing === 0 ? EXIT_INTACT : EXIT_DAMAGED;
}

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
      setExitCode(await comparePage(options));
    });
}
