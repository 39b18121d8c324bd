/** The organisation's account at Stripe: linked by an owner through OAuth, ended by an owner or by Stripe's word. */
import { z } from "zod";
import { idPattern } from "../../../ledger/ids.ts";
import { defineEvent } from "./definition.ts";
import { stripeAccountId } from "./fields.ts";

const linkId = z.string().regex(idPattern("lnk"));
const aboutLink = z.strictObject({ linkId });

/** Why a link came to nothing. `taken`: another organisation has the account. */
export const LINK_FAILURES = ["denied", "taken", "wrong_mode", "unknown_outcome"] as const;

/** Why a link ended. `deauthorized`: Stripe said so. `organization_removed`: it was closed, and only its ledger is left. */
export const UNLINK_REASONS = ["owner_request", "deauthorized", "organization_removed"] as const;

export const stripeAccountEvents = {
  "stripeAccount.linkBegun": defineEvent(aboutLink),
  /** The owner came back from Stripe; the code is being exchanged. */
  "stripeAccount.linkReturned": defineEvent(aboutLink),
  "stripeAccount.linked": defineEvent(
    z.strictObject({ linkId, account: stripeAccountId, livemode: z.boolean() }),
  ),
  "stripeAccount.linkFailed": defineEvent(z.strictObject({ linkId, reason: z.enum(LINK_FAILURES) })),
  "stripeAccount.unlinked": defineEvent(
    z.strictObject({ account: stripeAccountId, reason: z.enum(UNLINK_REASONS) }),
  ),
};
