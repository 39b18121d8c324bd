/** What came into a ledger without a command: read back, and taken into the model. */
import { exportedSince } from "./ledgerChecks.ts";
import { requireEqual, type Session } from "./session.ts";
import {
  organizationOf,
  recordEvents,
  type Draft,
  type Organization,
  type Source,
  type World,
} from "./world.ts";
import type { Actor } from "./fold.ts";

const DAY_MS = 86_400_000;
/** The rows of a closed organisation stay for 30 days. */
const KEPT_MS = 28 * DAY_MS;

/** The organisations that the provider still has to do with. */
export function organizationsInUse(world: World, now: number): Organization[] {
  return [...world.organizations.values()].filter(({ view, events }) => {
    const closed = events.findLast(({ type }) => type === "organization.closed");
    return (
      view.organization?.status !== "closed" || (closed !== undefined && now - closed.recordedAt < KEPT_MS)
    );
  });
}

/** Takes the events that must have been appended into the model. Fails unless just so many were. */
export async function takeAppended(
  session: Session,
  orgId: string,
  drafts: readonly Draft[],
  of: { actor: Actor; source: Source; earliest: number },
): Promise<void> {
  const organization = organizationOf(session.world, orgId);
  const entries = await exportedSince(session, orgId, organization.events.length);
  const told = entries.map(
    ({ text }) => JSON.parse(text) as { eventId: string; type: string; recordedAt: number },
  );
  const types = drafts.map(({ type }) => type);
  requireEqual(
    "INV-04",
    `what was appended to ${orgId}`,
    told.map(({ type }) => type),
    types,
  );
  recordEvents(organization, drafts, {
    ...of,
    eventIds: told.map(({ eventId }) => eventId),
    recordedAt: told[0]?.recordedAt ?? of.earliest,
    latest: session.bench.now(),
  });
}
