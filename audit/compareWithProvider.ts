/** An exported ledger's payments beside the provider's own records, as a table. */
import Table from "cli-table3";
import { AuditError } from "./auditError.ts";
import { auditBundleFile } from "./bundleFile.ts";
import { EXIT_DAMAGED, EXIT_INTACT } from "./exitCodes.ts";
import type { OutputOptions } from "./options.ts";
import { PaymentFacts } from "./paymentFacts.ts";
import { comparePayments } from "./payments.ts";
import type { PaymentLine } from "./payments.ts";
import { createProgress } from "./progress.ts";
import { createStripeReader } from "./stripeReader.ts";
import { readTrust } from "./trustFiles.ts";
import type { TrustOptions } from "./trustFiles.ts";
import { printable } from "./verdictText.ts";
import { verifiedEvents } from "./verifiedEvents.ts";

export interface PaymentsOptions extends OutputOptions, Omit<TrustOptions, "since"> {
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

/** Prints how the provider's records stand to the ledger's, and returns the exit code. Throws `AuditError`. */
export async function compareWithProvider(options: PaymentsOptions): Promise<number> {
  const key = options.stripeKey ?? process.env["STRIPE_RESTRICTED_KEY"];
  if (key === undefined)
    throw new AuditError("No key was given.", "Set STRIPE_RESTRICTED_KEY, or add --stripe-key KEY.");
  const reader = createStripeReader(key, options.stripeUrl);
  const trust = await readTrust(options);
  const progress = await createProgress(process.stderr);
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
