/** Ids in the form of Stripe's: a prefix, and base 62 of a length that its ids have. */
import { createHash, randomInt } from "node:crypto";

const BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Where ids come from: `token(n)` gives n characters of base 62. */
export interface IdSource {
  token(length: number): string;
}

export const randomIds: IdSource = {
  token: (length) => Array.from({ length }, () => BASE_62.charAt(randomInt(BASE_62.length))).join(""),
};

/** The same ids for the same seed, for runs that must repeat exactly. */
export function seededIds(seed: string): IdSource {
  let count = 0;
  const digit = () => {
    count += 1;
    const digest = createHash("sha256").update(`${seed}\n${count}`).digest();
    return BASE_62.charAt(digest.readUInt32BE(0) % BASE_62.length);
  };
  return { token: (length) => Array.from({ length }, () => digit()).join("") };
}

/** What follows the prefix, by kind of object. */
const FORMS = {
  paymentIntent: ["pi_3", 23],
  paymentMethod: ["pm_1", 23],
  charge: ["ch_3", 23],
  refund: ["re_3", 23],
  dispute: ["du_1", 23],
  balanceTransaction: ["txn_3", 23],
  checkoutSession: ["cs_test_a1", 56],
  event: ["evt_1", 23],
  account: ["acct_1", 15],
  request: ["req_", 14],
  oauthCode: ["ac_", 32],
  accessToken: ["sk_test_51", 97],
  refreshToken: ["rt_", 32],
  publishableKey: ["pk_test_51", 97],
  webhookSecret: ["whsec_", 32],
  delivery: ["whd_", 24],
} as const;

export type IdKind = keyof typeof FORMS;

/** A new id of a kind. */
export function newId(ids: IdSource, kind: IdKind): string {
  const [prefix, length] = FORMS[kind];
  return prefix + ids.token(length);
}
