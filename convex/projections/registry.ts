/** Every projection, in the order in which they follow an event. */
import { auditLog } from "./auditLog.ts";
import { bookings } from "./bookings.ts";
import { invitations } from "./invitations.ts";
import { members } from "./members.ts";
import { organizations } from "./organizations.ts";
import { payments } from "./payments.ts";
import type { Projection } from "./projection.ts";
import { services } from "./services.ts";
import { stripeAccounts } from "./stripeAccount.ts";

export const PROJECTIONS: readonly Projection[] = [
  organizations,
  members,
  invitations,
  services,
  bookings,
  payments,
  stripeAccounts,
  auditLog,
];
