/** Currencies and the least that Stripe takes in one (docs.stripe.com/currencies, minimum charge amounts). */
import { code } from "currency-codes";
import { badParameter, StripeApiError } from "../wire/apiError.ts";

const MINIMUM_MINOR: Readonly<Record<string, number>> = {
  aed: 200,
  aud: 50,
  bgn: 100,
  brl: 50,
  cad: 50,
  chf: 50,
  czk: 1500,
  dkk: 250,
  eur: 50,
  gbp: 30,
  hkd: 400,
  huf: 17_500,
  inr: 50,
  jpy: 50,
  mxn: 1000,
  myr: 200,
  nok: 300,
  nzd: 50,
  pln: 200,
  ron: 200,
  sek: 300,
  sgd: 50,
  thb: 1000,
  usd: 50,
};

/**
 * The currency as Stripe writes it, in lower case.
 * @throws StripeApiError (400) for a code that is no currency.
 */
export function parseCurrency(text: string, param = "currency"): string {
  if (/^[a-z]{3}$/i.test(text) && code(text.toUpperCase()) !== undefined) return text.toLowerCase();
  throw badParameter(param, `Invalid currency: ${text}.`);
}

/** @throws StripeApiError (400 amount_too_small) below the currency's minimum. */
export function assertChargeable(amount: number, currency: string, param = "amount"): void {
  const minimum = MINIMUM_MINOR[currency] ?? 1;
  if (amount >= minimum) return;
  throw new StripeApiError(400, `The amount must be at least ${minimum} (minor units) in ${currency}.`, {
    code: "amount_too_small",
    param,
    isSaved: false,
  });
}
