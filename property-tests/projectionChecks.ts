/** After a stream: what readers see (INV-06, INV-07, INV-08, INV-09, INV-12). */
import { auditRow } from "../audit/fold/auditLog.ts";
import { emptyRows, foldEvent, inKeyOrder, ModelsDigest, STATE_TABLES } from "../audit/fold/tables.ts";
import { internal } from "../convex/_generated/api.js";
import type { EventEnvelope } from "../ledger/event.ts";
import { TABLES } from "./argumentModel.ts";
import { checkEffects } from "./effectChecks.ts";
import { fold, type View } from "./fold.ts";
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

const PAGE = { paginationOpts: { numItems: 7, cursor: null } };
const LONG_PAGE = { paginationOpts: { numItems: 170, cursor: null } };

/** Arguments that make each query read everything, in pages of an odd size; a page of all by default. */
const FULL_READS: Readonly<Record<string, (view: View, orgId: string) => Call["args"][]>> = {
  "projections/bookings:get": ({ bookings }) =>
    [...bookings.keys()].slice(-4).map((bookingId) => ({ bookingId })),
  "projections/payments:get": ({ payments }) =>
    [...payments.keys()].slice(-2).map((paymentId) => ({ paymentId })),
  "projections/payments:payerSecret": ({ payments }) =>
    [...payments.keys()].slice(-2).map((paymentId) => ({ paymentId })),
  "projections/payments:list": () => [PAGE, { ...PAGE, status: "paid" }],
  "projections/auditLog:range": ({ readings }) =>
    [...readings.keys()].slice(-4).map((readingId) => ({ ...PAGE, readingId })),
  "projections/auditLog:list": () => [LONG_PAGE, { ...PAGE, category: "role" }],
  "projections/bookings:list": () => [PAGE, { ...PAGE, status: "confirmed" }],
  "projections/ledger:rowDigests": () => TABLES.map((table) => ({ table, ...LONG_PAGE })),
  "projections/ledger:consistencyProof": () => [{ fromSize: 1, toSize: 2 }],
  "projections/ledger:inclusionProof": () => [{ seq: 2 }],
  "projections/ledger:streamAt": (_view, orgId) => [{ stream: `organization/${orgId}`, seq: 1 }],
  "projections/ledger:checkpoint": () => [{}],
  "projections/ledger:checkpoints": () => [{}],
  "projections/stripeAccount:current": () => [{}],
  "projections/organizations:current": () => [{}],
  "projections/ledger:head": () => [{}],
  "projections/ledger:events": () => [{}],
};

/** INV-06 and the role matrix of reading: every member asks every query and sees what the fold says. */
async function checkReaders(session: Session, world: World): Promise<void> {
  for (const { subject, userId = "" } of world.users.values()) {
    for (const [orgId, { view }] of world.organizations) {
      const isMember = view.members.get(userId)?.status === "active";
      const names = isMember ? QUERIES : ["projections/organizations:current"];
      for (const name of names) {
        for (const args of FULL_READS[name]?.(view, orgId) ?? [PAGE]) {
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
    const isLog = /projections\/(?:securityLog|alerts):list/u.test(call);
    const isOwn = (id: string, orgId: string): boolean =>
      (own.get(orgId)?.has(id) ?? false) || (isLog && session.world.knocked.has(`${orgId} ${id}`));
    const foreign = ids.filter((id) => !orgIds.some((orgId) => isOwn(id, orgId)));
    requireEqual("INV-07", `ids of another organisation in the answer to ${call}`, foreign, []);
  }
}

type Refused = { userId: string; function: string; code: string; outcome: string; count: number };

async function refusalsInLog(session: Session, orgId: string): Promise<Refused[]> {
  const rows: Refused[] = [];
  let cursor: string | null = null;
  for (;;) {
    const page: { page: Refused[]; isDone: boolean; continueCursor: string } =
      await session.bench.backend.operator.query(internal.access.securityLogReader.list, {
        orgId,
        paginationOpts: { numItems: 200, cursor },
      });
    rows.push(...page.page.filter(({ outcome }) => outcome === "refused" || outcome === "limited"));
    cursor = page.continueCursor;
    if (page.isDone) return rows;
  }
}

/** How often each is in a list. */
function tallyOf(texts: readonly string[]): Map<string, number> {
  const tally = new Map<string, number>();
  for (const text of texts) tally.set(text, (tally.get(text) ?? 0) + 1);
  return tally;
}

/**
 * The refusals of members' commands are in their organisation's security log: each once, or where one member had too
 * many in a minute as part of a count.
 */
async function checkSecurityLog(session: Session, orgId: string): Promise<void> {
  const rows = await refusalsInLog(session, orgId);
  const counted = new Set(rows.filter(({ code }) => code === "MORE_REFUSALS").map(({ userId }) => userId));
  const found = rows
    .filter((row) => !needsNoMembership(row.function) && RECORDED_REFUSALS.includes(row.code))
    .map((row) => JSON.stringify([orgId, row.userId, row.function, row.code]));
  const expected = session.world.refusals.filter((refusal) => refusal.includes(orgId));
  const isCounted = (refusal: string): boolean => [...counted].some((userId) => refusal.includes(userId));
  const inFull = (refusals: readonly string[]): string[] => refusals.filter((one) => !isCounted(one)).sort();
  requireEqual("INV-08", "the security log", inFull(found), inFull(expected));
  const wanted = tallyOf(expected);
  for (const [refusal, times] of tallyOf(found)) {
    require("INV-08", times <=
      (wanted.get(refusal) ?? 0), "the security log tells of more than happened", refusal);
  }
  for (const userId of counted) {
    const total = rows.filter((row) => row.userId === userId).reduce((sum, { count }) => sum + count, 0);
    const happened = expected.filter((refusal) => refusal.includes(userId)).length;
    require("INV-08", total >= happened, "the security log's counts are too low", {
      userId,
      total,
      happened,
    });
  }
}

/** The digest of the read models that the auditor's own fold makes of a ledger. */
function replayDigest(events: readonly EventEnvelope[]): string {
  const rows = emptyRows();
  for (const event of events) foldEvent(rows, event);
  const digest = new ModelsDigest();
  for (const table of STATE_TABLES) {
    digest.addTable(table);
    for (const [, row] of inKeyOrder(rows, table)) digest.addRow(row);
  }
  digest.addTable("auditLog");
  for (const event of events) digest.addRow(auditRow(event));
  return digest.hex;
}

/**
 * Replays every organisation's ledger into its read models and compares the digests, with that of the rows before and
 * with that of the auditor's fold, which shares no code with either.
 */
async function checkRebuild(
  session: Session,
  orgId: string,
  events: readonly EventEnvelope[],
): Promise<void> {
  const rebuilt = await session.bench.backend.operator.mutation(internal.projections.rebuild.run, { orgId });
  requireEqual("INV-06", `the rebuild of ${orgId}`, rebuilt.digest, rebuilt.digestBefore);
  requireEqual("INV-06", `the auditor's replay of ${orgId}`, replayDigest(events), rebuilt.digestBefore);
}

/** Every check of what readers see. */
export async function checkProjections(session: Session, ledgers: Ledgers): Promise<void> {
  const world = foldedWorld(session.world, ledgers);
  await checkReaders(session, world);
  for (const orgId of ledgers.keys()) {
    await checkSecurityLog(session, orgId);
    if (session.world.organizations.get(orgId)?.view.organization?.status !== "closed") {
      await checkRebuild(session, orgId, ledgers.get(orgId) ?? []);
    }
  }
  await checkReaders(session, world);
  checkIds(session, ledgers);
  await checkEffects(session, ledgers);
}
