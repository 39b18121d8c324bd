import { z } from "zod";
import { defineEvent } from "./definition.ts";
import { role, sha256Hex, timestampMs, userId } from "./fields.ts";

export const invitationEvents = {
  "invitation.created": defineEvent(
    z.strictObject({ role, tokenHash: sha256Hex, keyId: z.string().min(1), expiresAt: timestampMs }),
  ),
  "invitation.accepted": defineEvent(z.strictObject({ userId })),
  "invitation.revoked": defineEvent(z.strictObject({})),
};
