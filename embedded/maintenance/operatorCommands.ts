/** The operator's commands on an organisation: calls of internal functions of a running host, with its admin key. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import colors from "picocolors";
import { z } from "zod";
import { SECRETS_FILE } from "../server/developmentSecrets.ts";
import { MaintenanceError } from "./maintenanceError.ts";

type Variables = Readonly<Record<string, string | undefined>>;

const EXIT_REFUSED = 1;
const EXIT_COULD_NOT_RUN = 2;

/** Parked deliveries on one page: the most that there may be. */
const PARKED_PAGE = 100;

const answer = z.discriminatedUnion("status", [
  z.object({ status: z.literal("success"), value: z.unknown() }),
  z.object({ status: z.literal("error"), errorMessage: z.string() }),
]);

const rejected = z.object({ status: z.literal("rejected"), code: z.string(), message: z.string() });

/** The admin key: the variable's, or the one that development made in the data folder. */
function adminKey(variables: Variables): string {
  const given = variables["DAYBOOK_ADMIN_KEY"];
  if (given !== undefined) return given;
  const file = path.resolve(variables["DATA_DIR"] ?? ".daybook", SECRETS_FILE);
  const secrets: unknown = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const parsed = z.object({ DAYBOOK_ADMIN_KEY: z.string() }).safeParse(secrets);
  if (!parsed.success)
    throw new MaintenanceError("Set DAYBOOK_ADMIN_KEY, or DATA_DIR to a development host's.");
  return parsed.data.DAYBOOK_ADMIN_KEY;
}

async function call(
  variables: Variables,
  kind: "query" | "mutation",
  functionPath: string,
  args: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const url = variables["DAYBOOK_URL"] ?? `http://127.0.0.1:${variables["PORT"] ?? "3210"}`;
  const authorization = `Convex ${adminKey(variables)}`;
  let response: Response;
  try {
    response = await fetch(`${url}/api/${kind}`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({ path: functionPath, args, format: "json" }),
    });
  } catch (error) {
    throw new MaintenanceError(`No host answers at ${url}. Set PORT or DAYBOOK_URL.`, { cause: error });
  }
  const parsed = answer.safeParse(await response.json());
  if (!parsed.success)
    throw new MaintenanceError(`The host at ${url} refused the call (${response.status}).`);
  if (parsed.data.status === "error") throw new MaintenanceError(parsed.data.errorMessage);
  return parsed.data.value;
}

/** Prints what a function answered; a rejection and what could not run become exit codes. */
async function report(work: () => Promise<unknown>): Promise<void> {
  try {
    const value = await work();
    const refusal = rejected.safeParse(value);
    if (refusal.success) {
      process.stderr.write(`${colors.red(refusal.data.code)}  ${refusal.data.message}\n`);
      process.exitCode = EXIT_REFUSED;
      return;
    }
    process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  } catch (error) {
    if (!(error instanceof MaintenanceError)) throw error;
    process.stderr.write(`${colors.red(error.message)}\n`);
    process.exitCode = EXIT_COULD_NOT_RUN;
  }
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
      await report(() => call(variables, "query", "operator/deliveries:parked", args));
    });
  program
    .command("resolve-delivery <deliveryId>")
    .description("decide a parked delivery again, from its record, as things stand now")
    .option(...OPERATOR)
    .action(async (deliveryId: string, options: { operator?: string }) => {
      const args = { deliveryId, ...options };
      await report(() => call(variables, "mutation", "operator/deliveries:resolve", args));
    });
  program
    .command("dismiss-delivery <deliveryId>")
    .description("end a parked delivery for good; it never takes effect")
    .requiredOption("--reason <reason>", "why; a wrong one is answered with those that there are")
    .option(...OPERATOR)
    .action(async (deliveryId: string, options: { reason: string; operator?: string }) => {
      const args = { deliveryId, ...options };
      await report(() => call(variables, "mutation", "operator/deliveries:dismiss", args));
    });
}

/** Adds what the operator does to organisations, and with parked deliveries. */
export function addOperatorCommands(program: Command, variables: Variables): void {
  addDeliveryCommands(program, variables);
  program
    .command("organization <orgId>")
    .description("print how an organisation stands: its lifecycle, what holds it, what was verified")
    .action(async (orgId: string) => {
      await report(() => call(variables, "query", "operator/organizations:status", { orgId }));
    });
  program
    .command("freeze <orgId>")
    .description("freeze an organisation on a running host; only the operator lifts it")
    .requiredOption("--reason <reason>", "why; a wrong one is answered with those that there are")
    .option(...OPERATOR)
    .action(async (orgId: string, options: { reason: string; operator?: string }) => {
      const args = { orgId, ...options };
      await report(() => call(variables, "mutation", "operator/organizations:freeze", args));
    });
  program
    .command("unfreeze <orgId>")
    .description("lift every freeze of an organisation, the integrity check's too")
    .option(...OPERATOR)
    .action(async (orgId: string, options: { operator?: string }) => {
      const args = { orgId, ...options };
      await report(() => call(variables, "mutation", "operator/organizations:unfreeze", args));
    });
}
