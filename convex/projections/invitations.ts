/** Invitations: read by the commands that make, accept and revoke them; no client subscribes to it. */
import { defineProjection, foundedBy, keyInStreams, streamId, type Row } from "./projection.ts";

export const invitations = defineProjection({
  table: "invitations",
  key: keyInStreams("invitation"),
  keyOf: ({ invitationId }) => invitationId,
  rows: (tenant) => tenant.rows("invitations", "by_orgId_and_invitationId"),
  find: async (tenant, invitationId) =>
    await tenant
      .rows("invitations", "by_orgId_and_invitationId", (q) => q.eq("invitationId", invitationId))
      .unique(),
  fold: (row, event): Row<"invitations"> | null => {
    if (event.type === "invitation.created") {
      return { invitationId: streamId(event), ...event.data, status: "open", ...foundedBy(event) };
    }
    if (row === null) return row;
    const status = event.type === "invitation.revoked" ? "revoked" : "accepted";
    return { ...row, status, version: event.streamVersion };
  },
});
