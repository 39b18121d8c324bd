/**
 * The variables that the ledger component alone reads: the secrets that Stripe signs deliveries with. The app's own
 * functions never see them parsed, and lint holds that none of their files names the first one. The host checks the same
 * before it listens; what it did not check is refused here.
 */
import { z } from "zod";
import { env } from "./_generated/server.js";

/** `whsec_` and at least 24 bytes in base64: Stripe's own, those of its command line, and Standard Webhooks'. */
const SECRET = /^whsec_[A-Za-z0-9+/_-]{32,256}={0,2}$/;

/** Only tighter than the provider's own: freshness is what makes a recorded delivery worthless (R32). */
const TOLERANCE_SECONDS_MAX = 300;

const schema = z.object({
  /** One secret per endpoint, mode and account; several while one is rotated. Without any, every delivery is refused. */
  DAYBOOK_STRIPE_WEBHOOK_SECRETS: z
    .string()
    .transform((text) => text.split(","))
    .refine(
      (secrets) => secrets.every((secret) => SECRET.test(secret)),
      "must be secrets of webhook endpoints, whsec_ and 24 bytes or more in base64, separated by commas",
    )
    .refine((secrets) => new Set(secrets).size === secrets.length, "repeats a secret")
    .default([]),
  /** Whether deliveries of real money or of tests count here. */
  DAYBOOK_STRIPE_MODE: z.enum(["test", "live"], "must be test or live").default("live"),
  DAYBOOK_STRIPE_TOLERANCE_SECONDS: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, `must be a whole number of seconds, 1 to ${TOLERANCE_SECONDS_MAX}`)
    .transform(Number)
    .refine(
      (seconds) => seconds <= TOLERANCE_SECONDS_MAX,
      `must be a whole number of seconds, 1 to ${TOLERANCE_SECONDS_MAX}`,
    )
    .default(TOLERANCE_SECONDS_MAX),
});

export type StripeEnvironment = {
  readonly secrets: readonly string[];
  readonly livemode: boolean;
  /** How far the signature's time may be from now, in seconds, before or after. */
  readonly toleranceSeconds: number;
};

/** Checks raw variables. No problem holds a value. */
export function parseStripeEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
):
  | { ok: true; environment: StripeEnvironment }
  | { ok: false; problems: { variable: string; problem: string }[] } {
  const parsed = schema.safeParse(variables);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => ({
      variable: String(issue.path[0]),
      problem: issue.message,
    }));
    return { ok: false, problems };
  }
  const { data } = parsed;
  return {
    ok: true,
    environment: {
      secrets: data.DAYBOOK_STRIPE_WEBHOOK_SECRETS,
      livemode: data.DAYBOOK_STRIPE_MODE === "live",
      toleranceSeconds: data.DAYBOOK_STRIPE_TOLERANCE_SECONDS,
    },
  };
}

/** The component's own variables. Throws on a deployment that was never checked at start. */
export function stripeEnvironment(): StripeEnvironment {
  const parsed = parseStripeEnvironment(env);
  if (parsed.ok) return parsed.environment;
  throw new Error(`bad environment: ${parsed.problems.map((p) => `${p.variable} ${p.problem}`).join("; ")}`);
}
