/** Connect: what an owner's code is exchanged for, and the end of it. */
import type { StripeSettings } from "../../access/stripeSettings.ts";
import { oauthTokenAnswer } from "./answers.ts";
import type { Failure } from "./classify.ts";
import { callStripe } from "./client.ts";
import { requireProviderId } from "./identifiers.ts";

export type ExchangeResult = { kind: "exchanged"; account: string; livemode: boolean } | Failure;

/**
 * Exchanges a code for the account that it stands for. The tokens in the answer are not kept: calls for the account are
 * made with the platform's own key and its header. A code works once, so the SDK repeats nothing that may have arrived.
 */
export async function exchangeCode(settings: StripeSettings, code: string): Promise<ExchangeResult> {
  const called = await callStripe(settings, (stripe) =>
    stripe.oauth.token({ grant_type: "authorization_code", code }, { maxNetworkRetries: 0 }),
  );
  if (called.kind !== "answered") return called;
  const parsed = oauthTokenAnswer.safeParse(called.answer);
  if (!parsed.success) return { kind: "unknown" };
  return { kind: "exchanged", account: parsed.data.stripe_user_id, livemode: parsed.data.livemode };
}

/** Gives back the right to act for an account. An account that is not connected is refused, and is as it should be. */
export async function deauthorize(
  settings: StripeSettings,
  account: string,
): Promise<{ kind: "deauthorized" } | Failure> {
  const { clientId } = settings;
  if (clientId === undefined) return { kind: "failed", code: "not_sent" };
  const called = await callStripe(settings, (stripe) =>
    stripe.oauth.deauthorize({
      client_id: clientId,
      stripe_user_id: requireProviderId("account", account),
    }),
  );
  return called.kind === "answered" ? { kind: "deauthorized" } : called;
}
