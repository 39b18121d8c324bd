/** Who calls: API keys by their form and their rights. */
import type { SimulatorState } from "../state/simulatorState.ts";
import { StripeApiError } from "./apiError.ts";

/** `sk_test_…` may everything, `rk_test_…` reads only, `pk_test_…` confirms and reads an intent by its secret. */
export type KeyKind = "secret" | "restricted" | "publishable";

const FORMS: readonly (readonly [KeyKind, RegExp])[] = [
  ["secret", /^sk_test_[A-Za-z0-9_]{8,247}$/],
  ["restricted", /^rk_test_[A-Za-z0-9_]{8,247}$/],
  ["publishable", /^pk_test_[A-Za-z0-9_]{8,247}$/],
];

/** The kind of a test key by its form; undefined for live keys and everything else. */
export const keyKind = (key: string): KeyKind | undefined => FORMS.find(([, form]) => form.test(key))?.[0];

export interface Caller {
  readonly key: string;
  readonly kind: KeyKind;
  /** The account the key belongs to. */
  readonly accountId: string;
}

/** `sk_test_****abcd`, as Stripe shows keys. */
export function redactedKey(key: string): string {
  const prefix = /^[a-z]{2}_(?:test|live)_/.exec(key)?.[0] ?? "";
  return `${prefix}${"*".repeat(8)}${key.length > prefix.length + 8 ? key.slice(-4) : ""}`;
}

function presentedKey(authorization: string | undefined): string | undefined {
  const [scheme = "", value = ""] = (authorization ?? "").split(" ");
  if (scheme.toLowerCase() === "bearer" && value !== "") return value;
  if (scheme.toLowerCase() !== "basic") return undefined;
  const [user] = Buffer.from(value, "base64").toString("utf8").split(":");
  return user === "" ? undefined : user;
}

const refused = (message: string) =>
  new StripeApiError(401, message, {
    isSaved: false,
    headers: { "www-authenticate": 'Bearer realm="Stripe"' },
  });

/**
 * The caller of a request, by `Authorization: Bearer` or `Basic` (the key is the user name).
 * @throws StripeApiError (401) without a key, for an unknown one, and for every live one.
 */
export function authenticate(
  state: SimulatorState,
  platformKeys: ReadonlySet<string>,
  authorization: string | undefined,
): Caller {
  const key = presentedKey(authorization);
  if (key === undefined) {
    throw refused(
      "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer " +
        "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
    );
  }
  const kind = keyKind(key);
  const accountId = platformKeys.has(key) ? state.platformAccountId : state.accessTokens.get(key);
  if (kind === undefined || accountId === undefined) {
    throw refused(`Invalid API Key provided: ${redactedKey(key)}`);
  }
  return { key, kind, accountId };
}

/**
 * The account a request acts on: the one of `Stripe-Account`, which must be connected to the key's.
 * @throws StripeApiError (403 account_invalid)
 */
export function actingAccount(state: SimulatorState, caller: Caller, header: string | undefined): string {
  const own = state.accounts.get(caller.accountId);
  const asked = header ?? caller.accountId;
  const book = state.accounts.get(asked);
  const mayAct = asked === caller.accountId || caller.accountId === state.platformAccountId;
  if (own?.connected === true && book?.connected === true && mayAct) return asked;
  throw new StripeApiError(
    403,
    `The provided key '${redactedKey(caller.key)}' does not have access to account '${asked}' (or that account does ` +
      "not exist). Application access may have been revoked.",
    { code: "account_invalid", isSaved: false },
  );
}
