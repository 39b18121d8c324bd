/**
 * The variables that the ledger component alone reads: the secrets that Stripe signs deliveries with. The app's own
 * functions never see them parsed, and lint holds that no other file names the first one. The host calls
 * `parseStripeEnvironment` before it listens; the component calls `stripeEnvironment()`.
 */
import { z } from "zod";

/** As the provider makes them; 24 characters is what an attacker must not be able to go through. */
const SECRET = /^whsec_[A-Za-z0-9+/=_-]{24,256}$/;

/** Only tighter than the provider's own: freshness is what makes a recorded delivery worthless (R32). */
const TOLERANCE_SECONDS_MAX = 300;

const schema = z.object({
  /** One secret per endpoint, mode and account; several while one is rotated. Without any, every delivery is refused. */
  DAYBOOK_STRIPE_WEBHOOK_SECRETS: z
    .string()
    .transform((text) => text.split(","))
    .refine(
      (secrets) => secrets.every((secret) => SECRET.test(secret)),
      "must be signing secrets (whsec_ and at least 24 characters), separated by commas",
    )
    .refine((secrets) => new Set(secrets).size === secrets.length, "repeats a secret")
    .default([]),
  /** Whether deliveries of real money or of tests count here. */
  DAYBOOK_STRIPE_MODE: z.enum(["test", "live"], "must be test or live").default("test"),
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

/** Names of the variables; the host passes them to the app, which binds them to the component. */
export const STRIPE_VARIABLES: readonly string[] = Object.keys(schema.shape);

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
  const parsed = parseStripeEnvironment(process.env);
  if (parsed.ok) return parsed.environment;
  throw new Error(`bad environment: ${parsed.problems.map((p) => `${p.variable} ${p.problem}`).join("; ")}`);
}
