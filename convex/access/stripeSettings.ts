/** How this deployment takes payments, as the functions see it. */
import { environment, type Environment } from "./environment.ts";
import type { StripeMode } from "./stripeVariables.ts";

export type StripeSettings = {
  secretKey: string;
  mode: StripeMode;
  /** What the provider's objects say about the mode. */
  livemode: boolean;
  /** Absent: Stripe itself. */
  apiUrl?: string;
  /** Absent: organisations can't link accounts of their own. */
  clientId?: string;
  /** Who takes the payments of organisations without an account: the deployment's own, or nobody. */
  unlinked: "platform" | "refuse";
  /** Origins that the provider's pages may send people back to. */
  returnOrigins: readonly string[];
};

/** The settings in an environment; null when it takes no payments. Pure. */
export function stripeSettingsOf(of: Environment): StripeSettings | null {
  const secretKey = of.DAYBOOK_STRIPE_SECRET_KEY;
  if (secretKey === undefined) return null;
  const { DAYBOOK_STRIPE_API_URL: apiUrl, DAYBOOK_STRIPE_CLIENT_ID: clientId } = of;
  return {
    secretKey,
    mode: of.DAYBOOK_STRIPE_MODE,
    livemode: of.DAYBOOK_STRIPE_MODE === "live",
    ...(apiUrl === undefined ? {} : { apiUrl }),
    ...(clientId === undefined ? {} : { clientId }),
    unlinked: of.DAYBOOK_STRIPE_UNLINKED,
    returnOrigins: of.DAYBOOK_RETURN_ORIGINS ?? [],
  };
}

/** How this deployment takes payments; null when it takes none. */
export function stripeSettings(): StripeSettings | null {
  return stripeSettingsOf(environment());
}

/** A path of the application's own: no scheme, no host, nothing that a parser reads as either. */
const RETURN_PATH = /^\/(?:[A-Za-z0-9_~.-]+(?:\/[A-Za-z0-9_~.-]+)*\/?)?$/;
export const RETURN_PATH_CHARACTERS_MAX = 200;

/** Whether a text is a path that people may be sent back to. Queries, fragments and escapes are not (H13). */
export function isReturnPath(path: string): boolean {
  return (
    path.length <= RETURN_PATH_CHARACTERS_MAX &&
    RETURN_PATH.test(path) &&
    !/(?:^|\/)\.{1,2}(?:\/|$)/.test(path)
  );
}

/**
 * Where people come back to: a path under one of the allowed origins, the first one unless another is asked for. Null
 * when the path or the origin is not allowed, or no origin is.
 */
export function returnUrl(
  { returnOrigins }: Pick<StripeSettings, "returnOrigins">,
  { path, origin = returnOrigins[0] }: { path: string; origin?: string | undefined },
): string | null {
  if (origin === undefined || !returnOrigins.includes(origin) || !isReturnPath(path)) return null;
  return `${origin}${path}`;
}
