/** The operator's commands on organisations and on what providers delivered. */
import type { Command } from "commander";
import type { report as Report } from "./operatorCalls.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/** Parked deliveries on one page: the most that there may be. */
const PARKED_PAGE = 100;

/** Loaded when a command is asked for, like all that needs more than its options. */
async function report(...of: Parameters<typeof Report>): Promise<void> {
  const calls = await import("./operatorCalls.ts");
  await calls.report(...of);
}

const OPERATOR = [
  "--operator <name>",
  "who acts, as the ledger names them: a role or shift, no person",
] as const;

/** Adds `deliveries`, `resolve-delivery` and `dismiss-delivery`. */
function addDeliveryCommands(program: Command, variables: Variables): void {
  program
    .command("deliveries")
    .description("print parked deliveries of providers, newest first, 100 a page")
    .option("--org <orgId>", "of one organisation only")
    .option("--reason <reason>", "parked for one reason only")
    .option("--cursor <continueCursor>", "the page after the one that ended with it")
    .action(async ({ org, cursor, ...asked }: { org?: string; reason?: string; cursor?: string }) => {
      const paginationOpts = { numItems: PARKED_PAGE, cursor: cursor ?? null };
      const args = { ...asked, ...(org === undefined ? {} : { orgId: org }), paginationOpts };
      await report(variables, "query", "operator/deliveries:parked", args);
    });
  program
    .command("resolve-delivery <deliveryId>")
    .description("decide a parked delivery again, from its record, as things stand now")
    .option(...OPERATOR)
    .action(async (deliveryId: string, options: { operator?: string }) => {
      const args = { deliveryId, ...options };
      await report(variables, "mutation", "operator/deliveries:resolve", args);
    });
  program
    .command("dismiss-delivery <deliveryId>")
    .description("end a parked delivery for good; it never takes effect")
    .requiredOption("--reason <reason>", "why; a wrong one is answered with those that there are")
    .option(...OPERATOR)
    .action(async (deliveryId: string, options: { reason: string; operator?: string }) => {
      const args = { deliveryId, ...options };
      await report(variables, "mutation", "operator/deliveries:dismiss", args);
    });
}

/** Adds what the operator does to organisations, and with parked deliveries. */
export function addOperatorCommands(program: Command, variables: Variables): void {
  addDeliveryCommands(program, variables);
  program
    .command("organization <orgId>")
    .description("print how an organisation stands: its lifecycle, what holds it, what was verified")
    .action(async (orgId: string) => {
      await report(variables, "query", "operator/organizations:status", { orgId });
    });
  program
    .command("freeze <orgId>")
    .description("freeze an organisation on a running host; only the operator lifts it")
    .requiredOption("--reason <reason>", "why; a wrong one is answered with those that there are")
    .option(...OPERATOR)
    .action(async (orgId: string, options: { reason: string; operator?: string }) => {
      const args = { orgId, ...options };
      await report(variables, "mutation", "operator/organizations:freeze", args);
    });
  program
    .command("unfreeze <orgId>")
    .description("lift every freeze of an organisation, the integrity check's too")
    .option(...OPERATOR)
    .action(async (orgId: string, options: { operator?: string }) => {
      const args = { orgId, ...options };
      await report(variables, "mutation", "operator/organizations:unfreeze", args);
    });
}
