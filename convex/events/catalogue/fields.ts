/** Field schemas shared by the event definitions. */
import { z } from "zod";
import { ROLES } from "../../../ledger/event.ts";
import { idPattern } from "../../../ledger/ids.ts";

export const role = z.enum(ROLES);
export const userId = z.string().regex(idPattern("usr"));
export const serviceId = z.string().regex(idPattern("svc"));
export const bookingId = z.string().regex(idPattern("bkg"));
export const invitationId = z.string().regex(idPattern("inv"));
export const businessName = z.string().min(1);
export const timestampMs = z.int().nonnegative();
export const amountMinor = z.int().nonnegative();
export const currency = z.string().regex(/^[A-Z]{3}$/);
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
/** An account at Stripe. */
export const stripeAccountId = z.string().regex(/^acct_[A-Za-z0-9]{8,64}$/);
