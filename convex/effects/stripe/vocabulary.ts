/** What the actions and the transactions before and after them say to each other. */
import { v } from "convex/values";

/** The actor and source of what these effects lead to. */
export const JOB = "effects/stripe";

/** Nothing was sent, because the account that it was asked for through is not the organisation's any more. */
export const NOT_LINKED_CODE = "account_not_linked";

/** Which attempt of which effect. */
export const attemptArgs = { orgId: v.string(), outboxId: v.string(), attempt: v.number() };

export const failureValidators = [
  v.object({ kind: v.literal("failed"), code: v.string() }),
  v.object({
    kind: v.literal("retry"),
    reason: v.union(
      v.literal("RATE_LIMITED"),
      v.literal("IN_FLIGHT"),
      v.literal("UNREACHABLE"),
      v.literal("UNAUTHORIZED"),
    ),
  }),
  v.object({ kind: v.literal("unknown") }),
] as const;

export const missingValidator = v.object({ kind: v.literal("missing") });
