import { z } from "zod";
import { defineEvent } from "./definition.ts";
import { businessName, currency } from "./fields.ts";

/** Why an organisation is frozen: a closed list, so that no personal data slips in as free text. */
export const FREEZE_REASONS = [
  "security_incident",
  "suspected_misuse",
  "legal_request",
  "payment_arrears",
  "owner_request",
  "other",
] as const;

/** Why an organisation is closed. */
export const CLOSE_REASONS = ["out_of_business", "moved_elsewhere", "merged", "other"] as const;

const nothing = z.strictObject({});

/** An organisation of an identity provider, by the issuer of its tokens and the id that they name it with. */
const providerOrganization = z.strictObject({
  issuer: z.string().min(1).max(512),
  providerOrgId: z.string().regex(/^[!-~]{1,128}$/),
});

export const organizationEvents = {
  "organization.created": defineEvent(
    z.strictObject({ name: businessName, timeZone: z.string().min(1), currency }),
  ),
  "organization.renamed": defineEvent(z.strictObject({ name: businessName })),
  "organization.frozen": defineEvent(z.strictObject({ reason: z.enum(FREEZE_REASONS) })),
  "organization.unfrozen": defineEvent(nothing),
  "organization.closed": defineEvent(z.strictObject({ reason: z.enum(CLOSE_REASONS) })),
  "organization.providerLinked": defineEvent(providerOrganization),
  "organization.providerUnlinked": defineEvent(providerOrganization),
};
