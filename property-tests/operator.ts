/** What the operator does to an organisation of a stream, and how the model follows. */
import { internal } from "../convex/_generated/api.js";
import { readEvent } from "./commands.ts";
import type { OperatorAction } from "./resolve.ts";
import { count, requireEqual, type Session } from "./session.ts";
import { holdOf, organizationOf, recordEvents, type Organization } from "./world.ts";

const DAMAGE = { seq: 1, kind: "altered" };

/** Whether a freeze is due, by the operator: on an active organisation, and over an owner's freeze. */
function mayFreeze({ view }: Organization): boolean {
  const { status } = view.organization ?? {};
  return status === "active" || (status === "frozen" && view.frozenBy === "owner");
}

type Answer = { status: string; code?: string; seq?: number | null };

function requireAnswer(session: Session, answer: Answer, expected: object, what: string): void {
  count(session.tally, `operator ${what} ${answer.code ?? answer.status}`);
  session.journal.push(`operator ${what} → ${JSON.stringify(answer)}`);
  const found = answer.status === "rejected" ? { code: answer.code } : { seq: answer.seq };
  requireEqual("INV-12", `the operator's ${what}`, found, expected);
}

async function record(
  session: Session,
  organization: Organization,
  verb: "freeze" | "unfreeze",
  timed: { earliest: number; latest: number },
): Promise<void> {
  const { orgId } = organization;
  const { eventId } = await readEvent(session, "", { orgId, lastSeq: organization.events.length + 1 });
  const isFreeze = verb === "freeze";
  const type = isFreeze ? "organization.frozen" : "organization.unfrozen";
  const data = isFreeze ? { reason: "other" } : {};
  recordEvents(organization, [{ stream: `organization/${orgId}`, type, data }], {
    actor: { kind: "operator", id: "operator" },
    source: { kind: "operator", name: `organizations.${verb}` },
    eventIds: [eventId],
    ...timed,
  });
}

/** Acts, holds the answer against the model, and takes it into the model. */
export async function operate(
  session: Session,
  { orgId, action }: { orgId: string; action: OperatorAction },
): Promise<void> {
  const { operator } = session.bench.backend;
  const organization = organizationOf(session.world, orgId);
  const nextSeq = organization.events.length + 1;
  const earliest = session.bench.now();
  if (action === "report") {
    await operator.mutation(internal.workers.integrity.report, { orgId, ...DAMAGE });
    organization.isHeld = true;
    count(session.tally, "operator report");
    return;
  }
  const { freeze, unfreeze } = internal.operator.organizations;
  if (action === "freeze") {
    const answer = await operator.mutation(freeze, { orgId, reason: "other" });
    const isDue = mayFreeze(organization);
    requireAnswer(session, answer, isDue ? { seq: nextSeq } : { code: "INVALID_TRANSITION" }, action);
    if (isDue) await record(session, organization, action, { earliest, latest: session.bench.now() });
    return;
  }
  const answer = await operator.mutation(unfreeze, { orgId });
  const isFrozen = organization.view.organization?.status === "frozen";
  const wasHeld = organization.isHeld;
  const expected = isFrozen ? { seq: nextSeq } : wasHeld ? { seq: null } : { code: "INVALID_TRANSITION" };
  requireAnswer(session, answer, expected, action);
  organization.isHeld = false;
  if (isFrozen) await record(session, organization, action, { earliest, latest: session.bench.now() });
  const left = holdOf(organization);
  if (left !== "closed") requireEqual("INV-12", "an organisation that was lifted", left, undefined);
}
