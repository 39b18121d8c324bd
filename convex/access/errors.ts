/**
 * The closed set of codes (INV-10) and their constant messages. A message never names a value, a table or
 * whether something exists, so that two refusals with the same code are the same bytes.
 */
import { ConvexError, v, type Infer } from "convex/values";

const MESSAGES = {
  UNAUTHENTICATED: "Sign in first.",
  NO_ACTIVE_ORG: "Choose an organisation that you are a member of.",
  FORBIDDEN: "Your role does not allow this.",
  NOT_FOUND: "Not found.",
  INVALID: "An argument is not valid.",
  CONFLICT: "The current state does not allow this.",
  VERSION_CONFLICT: "Somebody changed this first; read it again.",
  IDEMPOTENCY_KEY_REUSED: "This idempotency key was used with other arguments; take a new key.",
  RATE_LIMITED: "Too many calls; try again later.",
  ORG_FROZEN: "The organisation is frozen.",
  ORG_CLOSED: "The organisation is closed.",
  STEP_UP_REQUIRED: "Sign in again to do this.",
  LAST_OWNER: "An organisation keeps at least one owner.",
  SLOT_TAKEN: "The assignee is busy at that time.",
  INVALID_TRANSITION: "The current status does not allow this.",
  INVITATION_UNUSABLE: "This invitation cannot be used.",
  ALREADY_MEMBER: "You are a member already.",
} as const;

export type Code = keyof typeof MESSAGES;

export const CODES = Object.keys(MESSAGES) as Code[];

/** A refusal as clients see it. */
export type Rejection = { code: Code; message: string; field?: string; retryAfterMs?: number };

export const rejectedValidator = v.object({
  status: v.literal("rejected"),
  code: v.union(...CODES.map((code) => v.literal(code))),
  message: v.string(),
  field: v.optional(v.string()),
  retryAfterMs: v.optional(v.number()),
});

export type Rejected = Infer<typeof rejectedValidator>;

/** A refusal on its way through the corridor. Commands return it, queries throw it as ConvexError. */
export class Refusal extends Error {
  readonly rejection: Rejection;

  constructor(code: Code, details: { message?: string; field?: string; retryAfterMs?: number } = {}) {
    super(code);
    this.name = "Refusal";
    this.rejection = { code, message: MESSAGES[code], ...details };
  }
}

/** A refusal as the error that a query throws. */
export function toConvexError(refusal: Refusal): ConvexError<Rejection> {
  return new ConvexError(refusal.rejection);
}

/** A refusal as the value that a command returns. */
export function toRejected(refusal: Refusal): Rejected {
  return { status: "rejected", ...refusal.rejection };
}
