/** After a stream: what readers see (INV-06, INV-07, INV-08, INV-09, INV-12). */
import { internal } from "../convex/_generated/api.js";
import type { EventEnvelope } from "../ledger/event.ts";
import { fold } from "./fold.ts";
import { needsNoMembership, QUERIES } from "./policyModel.ts";
import { checkQuery } from "./queries.ts";
import { idsIn, require, requireEqual, type Session } from "./session.ts";
import { FRESH_S, RECORDED_REFUSALS, type Call, type World } from "./world.ts";

export type Ledgers = ReadonlyMap<string, readonly EventEnvelope[]>;

/** The model's world with every view replaced by the fold of the exported ledger: exact to the millisecond. */
function foldedWorld(world: World, ledgers: Ledgers): World {
  const organizations = [...world.organizations].map(([orgId, organization]) => {
    const view = fold(ledgers.get(orgId) ?? []);
    return [orgId, { ...organization, view }] as const;
  });
  return { ...world, organizations: new Map(organizations) };
}

/** Arguments that make each query read everything, in pages of an odd size. */
function fullRead(world: World, orgId: string, name: string): Call["args"][] {
  const bookings = [...(world.organizations.get(orgId)?.view.bookings.keys() ?? [])];
  const options = { paginationOpts: { numItems: 7, cursor: null } };
  switch (name) {
    case "projections/bookings:get":
      return bookings.slice(-4).map((bookingId) => ({ bookingId }));
    case "projections/auditLog:list":
      return [{ paginationOpts: { numItems: 170, cursor: null } }, { ...options, category: "role" }];
    case "projections/bookings:list":
      return [options, { ...options, status: "confirmed" }];
    case "projections/organizations:current":
    case "projections/ledger:head":
    case "projections/ledger:events":
      return [{}];
    default:
      return [options];
  }
}

/** INV-06 and the role matrix of reading: every member asks every query and sees what the fold says. */
async function checkReaders(session: Session, world: World): Promise<void> {
  for (const { subject, userId = "" } of world.users.values()) {
    for (const [orgId, { view }] of world.organizations) {
      const isMember = view.members.get(userId)?.status === "active";
      const names = isMember ? QUERIES : ["projections/organizations:current"];
      for (const name of names) {
        for (const args of fullRead(world, orgId, name)) {
          await checkQuery(
            session,
            { subject, claim: orgId, issuedAtS: FRESH_S, function: name, args },
            { world, isExact: true },
          );
        }
      }
    }
  }
}

/** INV-07: every id in every answer is in the ledger of an organisation that the answer may speak of. */
function checkIds(session: Session, ledgers: Ledgers): void {
  const own = new Map([...ledgers].map(([orgId, events]) => [orgId, new Set([orgId, ...idsIn(events)])]));
  for (const { ids, orgIds, call } of session.seenIds) {
    const foreign = ids.filter((id) => !orgIds.some((orgId) => own.get(orgId)?.has(id) ?? false));
    requireEqual("INV-07", `ids of another organisation in the answer to ${call}`, foreign, []);
  }
}

type Refused = { userId: string; function: string; code: string };

/** The refusals of members' commands are in their organisation's security log, each once. */
async function checkSecurityLog(session: Session, orgId: string): Promise<void> {
  const found: string[] = [];
  let cursor: string | null = null;
  for (;;) {
    const page: { page: Refused[]; isDone: boolean; continueCursor: string } =
      await session.bench.backend.operator.query(internal.access.securityLogReader.list, {
        orgId,
        paginationOpts: { numItems: 200, cursor },
      });
    for (const row of page.page) {
      const isMembers = !needsNoMembership(row.function) && RECORDED_REFUSALS.includes(row.code);
      if (isMembers) found.push(JSON.stringify([orgId, row.userId, row.function, row.code]));
    }
    cursor = page.continueCursor;
    if (page.isDone) break;
  }
  const expected = session.world.refusals.filter((refusal) => refusal.includes(orgId));
  requireEqual("INV-08", "the security log", found.sort(), expected.sort());
}

/** Replays every organisation's ledger into its read models and compares the digests. */
async function checkRebuild(session: Session, orgId: string): Promise<void> {
  const rebuilt = await session.bench.backend.operator.mutation(internal.projections.rebuild.run, { orgId });
  requireEqual("INV-06", `the rebuild of ${orgId}`, rebuilt.digest, rebuilt.digestBefore);
}

/** Every check of what readers see. */
export async function checkProjections(session: Session, ledgers: Ledgers): Promise<void> {
  const world = foldedWorld(session.world, ledgers);
  await checkReaders(session, world);
  for (const orgId of ledgers.keys()) {
    await checkSecurityLog(session, orgId);
    await checkRebuild(session, orgId);
  }
  await checkReaders(session, world);
  checkIds(session, ledgers);
  const waiting = (await session.bench.countScheduled?.()) ?? 0;
  require("INV-09", waiting === 0, "functions are scheduled that nobody asked for", waiting);
}
