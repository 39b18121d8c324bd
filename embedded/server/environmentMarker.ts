/**
 * Which environment a data folder belongs to: one word in its file `environment`. Data of one is never opened
 * by the other, since in development anyone on the machine can sign in as anyone.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { HostError } from "../engine/errors.ts";
import type { EnvironmentName } from "./config.ts";
import { SECRETS_FILE } from "./developmentSecrets.ts";

const MARKER_FILE = "environment";
/** Named by the engine's contract. */
const DATABASE_FILE = "daybook.sqlite";

/** Creates the folder or checks that it belongs to this environment. Throws HostError when it doesn't. */
export function claimDataFolder(dataDir: string, environment: EnvironmentName): void {
  const marker = path.join(dataDir, MARKER_FILE);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    if (!existsSync(marker)) {
      refuseUnknownDatabase(dataDir, environment);
      writeFileSync(marker, `${environment}\n`, { mode: 0o600 });
    }
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    throw new HostError("ENVIRONMENT_INVALID", `DATA_DIR can't be used: ${reasonOf(cause)}`, { cause });
  }
  const found = readFileSync(marker, "utf8").trim();
  if (found === environment) return;
  throw new HostError(
    "ENVIRONMENT_INVALID",
    `DATA_DIR belongs to another environment, so DAYBOOK_ENV=${environment} must not open it. ` +
      "Point DATA_DIR to another folder, or set DAYBOOK_ENV to what the folder was made with.",
  );
}

function refuseUnknownDatabase(dataDir: string, environment: EnvironmentName): void {
  if (!existsSync(path.join(dataDir, DATABASE_FILE)) && !existsSync(path.join(dataDir, SECRETS_FILE))) return;
  throw new HostError(
    "ENVIRONMENT_INVALID",
    `DATA_DIR holds data, but no file named "${MARKER_FILE}" that tells which environment made it. ` +
      `If it was ${environment}, create that file with this one word in it.`,
  );
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "unknown reason";
}
