/** Invitations: read by the commands that make and accept them; no client subscribes to it. */
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
    if (event.type !== "invitation.accepted" || row === null) return row;
    return { ...row, status: "accepted", version: event.streamVersion };
  },
});
