/**
 * What the host checks of the variables about Stripe besides the functions' own part: the secrets that only the
 * ledger component sees, and what depends on the environment. Half a configuration is refused. Pure.
 */
import { z } from "zod";
import type { EnvironmentProblem } from "../../convex/access/environment.ts";
import type { EnvironmentName } from "./config.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/** Where payments go: nowhere, to Stripe, or to the stand-in that the host runs (0 takes any free port). */
export type StripeConfig = { kind: "off" } | { kind: "configured" } | { kind: "simulator"; port: number };

/** The ledger component's own variables, which the functions outside of it don't read. */
export const LEDGER_VARIABLES = [
  "DAYBOOK_STRIPE_WEBHOOK_SECRETS",
  "DAYBOOK_STRIPE_TOLERANCE_SECONDS",
] as const;

/** `whsec_` and at least 24 bytes in base64: Stripe's own, those of its command line, and Standard Webhooks'. */
const WEBHOOK_SECRET = /^whsec_[A-Za-z0-9+/_-]{32,256}={0,2}$/;
const TOLERANCE_MOST_S = 300;
const SIMULATOR_PORT = 3212;

/** The secrets in a list, whatever their form. */
export function webhookSecretsIn(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(",");
}

const simulatorPort = z
  .string()
  .refine(
    (text) => text === "off" || (/^(0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535),
    "must be a port number, 0 to 65535, or off",
  )
  .transform((text) => (text === "off" ? ("off" as const) : Number(text)));

export const stripeHostVariables = {
  DAYBOOK_STRIPE_WEBHOOK_SECRETS: z
    .string()
    .refine(
      (text) => webhookSecretsIn(text).every((secret) => WEBHOOK_SECRET.test(secret)),
      "must be secrets of webhook endpoints, whsec_ and 24 bytes or more in base64, separated by commas",
    )
    .refine(
      (text) => new Set(webhookSecretsIn(text)).size === webhookSecretsIn(text).length,
      "repeats a secret",
    )
    .optional(),
  DAYBOOK_STRIPE_TOLERANCE_SECONDS: z
    .string()
    .refine(
      (text) => /^[1-9][0-9]{0,3}$/.test(text) && Number(text) <= TOLERANCE_MOST_S,
      `must be a whole number of seconds, 1 to ${TOLERANCE_MOST_S}`,
    )
    .optional(),
  DAYBOOK_SIMULATOR_PORT: simulatorPort.optional(),
} as const;

/** What is set for the functions where the operator has not said it: production is live, development never. */
export function stripeDefaults(
  environment: EnvironmentName | undefined,
  given: Variables,
): Record<string, string> {
  const defaults =
    environment === "development"
      ? { DAYBOOK_STRIPE_MODE: "test", DAYBOOK_STRIPE_UNLINKED: "platform" }
      : { DAYBOOK_STRIPE_MODE: "live" };
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => given[name] === undefined));
}

/** What only shows when the variables are seen together with the environment. */
export function checkStripe(environment: EnvironmentName, given: Variables): EnvironmentProblem[] {
  const problems: EnvironmentProblem[] = [];
  const isSet = (name: string): boolean => given[name] !== undefined;
  const refuseIf = (condition: boolean, variable: string, problem: string): void => {
    if (condition) problems.push({ variable, problem });
  };
  const hasKey = isSet("DAYBOOK_STRIPE_SECRET_KEY");
  const hasSecrets = isSet("DAYBOOK_STRIPE_WEBHOOK_SECRETS");
  refuseIf(
    hasKey && !hasSecrets,
    "DAYBOOK_STRIPE_WEBHOOK_SECRETS",
    "is not set, and DAYBOOK_STRIPE_SECRET_KEY is",
  );
  refuseIf(
    hasSecrets && !hasKey,
    "DAYBOOK_STRIPE_SECRET_KEY",
    "is not set, and DAYBOOK_STRIPE_WEBHOOK_SECRETS is",
  );
  const wantsSimulator = isSet("DAYBOOK_SIMULATOR_PORT") && given["DAYBOOK_SIMULATOR_PORT"] !== "off";
  if (environment === "production") {
    const onlyDevelopment = "is for development only: payments of the simulator are not money";
    refuseIf(isSet("DAYBOOK_STRIPE_API_URL"), "DAYBOOK_STRIPE_API_URL", onlyDevelopment);
    refuseIf(wantsSimulator, "DAYBOOK_SIMULATOR_PORT", onlyDevelopment);
    return problems;
  }
  const isLive = given["DAYBOOK_STRIPE_MODE"] === "live";
  refuseIf(isLive, "DAYBOOK_STRIPE_MODE", "must be test in development: anyone can sign in as anyone there");
  refuseIf(hasKey && wantsSimulator, "DAYBOOK_SIMULATOR_PORT", "is set, and so is DAYBOOK_STRIPE_SECRET_KEY");
  return problems;
}

/** Where payments go, of variables that were checked. */
export function stripeConfigOf(
  environment: EnvironmentName,
  given: Variables,
  port: number | "off" = SIMULATOR_PORT,
): StripeConfig {
  if (given["DAYBOOK_STRIPE_SECRET_KEY"] !== undefined) return { kind: "configured" };
  return environment === "production" || port === "off" ? { kind: "off" } : { kind: "simulator", port };
}
