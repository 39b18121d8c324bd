/** The operator's calls of internal functions of a running host, with its admin key, and what they print. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import colors from "picocolors";
import { z } from "zod";
import { SECRETS_FILE } from "../server/developmentSecrets.ts";
import { MaintenanceError } from "./maintenanceError.ts";

type Variables = Readonly<Record<string, string | undefined>>;

const EXIT_REFUSED = 1;
const EXIT_COULD_NOT_RUN = 2;

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

/** Calls an internal function of the running host. Throws MaintenanceError. */
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

/** Calls, and prints what was answered; a rejection and what could not run become exit codes. */
export async function report(...of: Parameters<typeof call>): Promise<void> {
  try {
    const value = await call(...of);
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
