/** The variables of checkpoints and witnesses. The signing keys are checked here at start and read by the ledger component alone. */
import { z } from "zod";
import { parseDeploymentKeys } from "../../ledger/deploymentKeys.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { parseVerifierKey } from "../../ledger/noteKeys.ts";
import { isDeploymentName } from "../../ledger/origin.ts";

/** A witness that is offered checkpoints: its verifier key as text, and where it takes them. */
export type Witness = { key: string; url: string };

const WITNESSES_MAX = 15;
const URL_LENGTH_MAX = 500;

/** Where a URL leads that nobody between can read or change: https, or the machine itself. */
function isSafe(url: URL): boolean {
  if (url.protocol === "https:") return true;
  return url.protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
}

function isWitnessUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || text.length > URL_LENGTH_MAX || /[?#]/.test(text)) return false;
  return isSafe(url) && url.username === "" && url.password === "";
}

function parseWitness(entry: string): Witness | undefined {
  const [key = "", url = "", ...more] = entry.trim().split(" ");
  const parsed = parseVerifierKey(key, sha256Noble);
  if (!parsed.ok || parsed.value.kind !== "cosignature" || !isWitnessUrl(url) || more.length > 0) {
    return undefined;
  }
  return { key, url: url.replace(/\/+$/, "") };
}

const witnesses = z.string().transform((text, ctx): Witness[] => {
  const entries = text.trim() === "" ? [] : text.split(",");
  const parsed = entries.map(parseWitness).filter((witness) => witness !== undefined);
  const isRight =
    parsed.length === entries.length &&
    parsed.length <= WITNESSES_MAX &&
    new Set(parsed.map(({ key }) => key)).size === parsed.length;
  if (isRight) return parsed;
  const message =
    "must be a verifier key of type 04, a space and an https URL for each witness, separated by commas, " +
    `at most ${WITNESSES_MAX}`;
  ctx.addIssue({ code: "custom", message });
  return z.NEVER;
});

function wholeNumber(max: number, unit: string): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> {
  const message = `must be a whole number of ${unit}, 1 to ${max}`;
  return z
    .string()
    .regex(/^[1-9][0-9]{0,6}$/, message)
    .refine((text) => Number(text) <= max, message)
    .transform(Number);
}

export const evidenceVariables = {
  /** The deployment's name in the origins of its logs. */
  DAYBOOK_DEPLOYMENT: z
    .string()
    .refine(isDeploymentName, "must be a host name in lower case, with a port or up to two path segments"),
  /** How old a ledger's newest checkpoint may get while there are newer events. */
  DAYBOOK_CHECKPOINT_INTERVAL_MINUTES: wholeNumber(10_080, "minutes").default(15),
  /** After how many new events a ledger gets a checkpoint before that. */
  DAYBOOK_CHECKPOINT_EVENTS: wholeNumber(1_000_000, "events").default(1_000),
  /** Who is offered the deployment's checkpoints. */
  DAYBOOK_WITNESSES: witnesses.default([]),
};

/** Read by the ledger component alone, from its own environment. */
export const LEDGER_VARIABLES: readonly string[] = ["DAYBOOK_CHECKPOINT_KEYS"];

/** What is wrong with the signing keys, seen together with the deployment's name; no message holds a part of a key. */
export function evidenceProblems(
  variables: Readonly<Record<string, string | undefined>>,
): { variable: string; problem: string }[] {
  const { DAYBOOK_CHECKPOINT_KEYS: keys, DAYBOOK_DEPLOYMENT: deployment } = variables;
  const refused = (problem: string): { variable: string; problem: string }[] => [
    { variable: "DAYBOOK_CHECKPOINT_KEYS", problem },
  ];
  if (keys === undefined) return refused("is not set");
  // A bad name is a problem of its own.
  if (deployment === undefined || !isDeploymentName(deployment)) return [];
  const parsed = parseDeploymentKeys(keys, deployment, sha256Noble);
  if (parsed.ok) return [];
  return refused(
    "must be signer keys (PRIVATE+KEY+name+id+base64) named after DAYBOOK_DEPLOYMENT, separated by commas, the " +
      `current one first: ${parsed.reason}`,
  );
}
