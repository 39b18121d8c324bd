/**
 * The variables about Stripe that the functions read: form, and what only shows when several are seen together. The
 * webhook secrets are not among them; only the ledger component sees those.
 */
import { z } from "zod";

export const STRIPE_MODES = ["test", "live"] as const;
export type StripeMode = (typeof STRIPE_MODES)[number];

/** `sk_` or restricted `rk_`, of either mode, as Stripe issues them. */
const SECRET_KEY = /^(?:sk|rk)_(?:test|live)_[A-Za-z0-9]{16,247}$/;
const CLIENT_ID = /^ca_[A-Za-z0-9]{16,247}$/;
const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\]):[1-9][0-9]{0,4}$/;

/** Whether a text is exactly one web origin, and https unless it leads to this machine. */
export function isReturnOrigin(text: string): boolean {
  if (text === "" || URL.parse(text)?.origin !== text) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && isLoopbackName(hostname));
}

function isLoopbackName(hostname: string): boolean {
  return hostname === "localhost" || hostname === "127.0.0.1" || hostname === "[::1]";
}

/** The mode that a secret key is for. Stripe writes it into the key. */
export function modeOfKey(secretKey: string): StripeMode {
  return secretKey.split("_")[1] === "live" ? "live" : "test";
}

export const stripeVariables = {
  /** Key of the API: payments are off without one. */
  DAYBOOK_STRIPE_SECRET_KEY: z
    .string()
    .regex(SECRET_KEY, "must be a secret or restricted key of Stripe: sk_test_…, rk_live_…")
    .optional(),
  /** Which of Stripe's worlds this deployment lives in. The embedded host says `test` in development. */
  DAYBOOK_STRIPE_MODE: z.enum(STRIPE_MODES, "must be test or live").default("live"),
  /** Client id of the Connect platform; organisations can't link accounts of their own without it. */
  DAYBOOK_STRIPE_CLIENT_ID: z
    .string()
    .regex(CLIENT_ID, "must be a client id of Stripe Connect: ca_…")
    .optional(),
  /** Base URL of a stand-in for Stripe's API on this machine. */
  DAYBOOK_STRIPE_API_URL: z
    .string()
    .regex(LOOPBACK, "must be http, a loopback address and a port, like http://127.0.0.1:3212")
    .optional(),
  /** Whether the deployment's own account takes the payments of organisations that have linked none. */
  DAYBOOK_STRIPE_UNLINKED: z.enum(["platform", "refuse"], "must be platform or refuse").default("refuse"),
  /** Where the provider's pages may send people back to; the first one is used unless another is asked for. */
  DAYBOOK_RETURN_ORIGINS: z
    .string()
    .transform((text) => text.split(","))
    .refine(
      (origins) => origins.every(isReturnOrigin),
      "must be https origins like https://app.example, comma separated; http is allowed for a loopback address only",
    )
    .refine((origins) => new Set(origins).size === origins.length, "repeats an origin")
    .optional(),
} as const;

type Name = keyof typeof stripeVariables;
type Accepted = { [Of in Name]?: z.output<(typeof stripeVariables)[Of]> };

/** Those variables that are right by themselves, so that one that is not hides no problem of the others. */
function accepted(raw: Readonly<Record<string, string | undefined>>): Accepted {
  const names = Object.keys(stripeVariables) as Name[];
  const right = names.flatMap((name) => {
    const parsed = stripeVariables[name].safeParse(raw[name]);
    return parsed.success ? [[name, parsed.data] as const] : [];
  });
  return Object.fromEntries(right);
}

/** What is wrong between variables that are each of the right form. Never holds a value. */
export function stripeProblems(
  raw: Readonly<Record<string, string | undefined>>,
): { variable: string; problem: string }[] {
  const given = accepted(raw);
  const problems: { variable: string; problem: string }[] = [];
  const refuse = (variable: Name, problem: string): void => {
    problems.push({ variable, problem });
  };
  const key = given.DAYBOOK_STRIPE_SECRET_KEY;
  const mode = given.DAYBOOK_STRIPE_MODE;
  if (key !== undefined && mode !== undefined && modeOfKey(key) !== mode) {
    refuse("DAYBOOK_STRIPE_SECRET_KEY", `is a ${modeOfKey(key)} key, and DAYBOOK_STRIPE_MODE is ${mode}`);
  }
  for (const name of ["DAYBOOK_STRIPE_CLIENT_ID", "DAYBOOK_STRIPE_API_URL"] as const) {
    if (raw["DAYBOOK_STRIPE_SECRET_KEY"] === undefined && given[name] !== undefined) {
      refuse(name, "needs DAYBOOK_STRIPE_SECRET_KEY");
    }
  }
  if (given.DAYBOOK_STRIPE_API_URL !== undefined && mode === "live") {
    refuse("DAYBOOK_STRIPE_API_URL", "is for test mode only: a live key must not leave over http");
  }
  return problems;
}
