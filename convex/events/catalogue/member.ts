import { z } from "zod";
import { defineEvent } from "./definition.ts";
import { invitationId, role, userId } from "./fields.ts";

export const memberEvents = {
  "member.joined": defineEvent(z.strictObject({ userId, role, invitationId: z.exactOptional(invitationId) })),
  "member.roleChanged": defineEvent(z.strictObject({ role, previousRole: role })),
  "member.removed": defineEvent(z.strictObject({ role })),
  "member.suspended": defineEvent(z.strictObject({ role })),
  "member.reinstated": defineEvent(z.strictObject({ role })),
  /** Tokens that were issued before the event's `recordedAt` are refused. */
  "member.sessionsRevoked": defineEvent(z.strictObject({})),
};
