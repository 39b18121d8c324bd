/** Sends a command, holds the answer against the model's prediction, and takes a commit into the model. */
import { isDeepStrictEqual } from "node:util";
import { payloadOf } from "./argumentModel.ts";
import { needsNoMembership } from "./policyModel.ts";
import { isOpen, memberOf, predict, type Planned, type Prediction } from "./predict.ts";
import { checkQuery } from "./queries.ts";
import {
  ask,
  asSent,
  count,
  idsIn,
  mutate,
  require,
  requireEqual,
  requireRefusal,
  show,
  textsIn,
  type Session,
} from "./session.ts";
import {
  FRESH_S,
  ledgerNameOf,
  organizationOf,
  ownerOf,
  RECORDED_REFUSALS,
  recordEvents,
  storageKey,
  userOf,
  type Call,
  type Committed,
  type Receipt,
  type Rejected,
  type Stored,
  type User,
  type World,
} from "./world.ts";

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/u;

function isNewId(prefix: string, text: string): boolean {
  return text.startsWith(`${prefix}_`) && ULID.test(text.slice(prefix.length + 1));
}

/** Whether one field of a result is what the plan says: an exact text, a token, or an id. */
function isResultField(plan: string, text: string): boolean {
  if (plan.startsWith("=")) return text === plan.slice(1);
  if (plan === "url") return URL.canParse(text);
  if (plan === "hash") return /^[0-9a-f]{64}$/u.test(text);
  return plan === "token" ? /^[A-Za-z0-9_-]{43}$/u.test(text) : isNewId(plan, text);
}

function fitsPlan(planned: Planned, response: Committed): boolean {
  const { result } = response;
  const isComplete = isDeepStrictEqual(Object.keys(result).sort(), Object.keys(planned.result).sort());
  return (
    isComplete &&
    !response.replayed &&
    Object.entries(planned.result).every(([field, plan]) => isResultField(plan, result[field] ?? ""))
  );
}

/** Whether the link to an account that was begun can still be completed. */
function isLinkOpen(world: World, { orgId, response }: Stored, now: number): boolean {
  const pending = organizationOf(world, orgId).view.account?.pending;
  const isIts = pending?.linkId === response.result["linkId"];
  return pending !== undefined && isIts && !pending.isReturned && now < pending.expiresAt;
}

/** The answer of a replay: the first one again, without an invitation token or a link that works no longer. */
function replayOf(world: World, stored: Stored, now: number): Committed {
  const { response } = stored;
  const { invitationToken, state, authorizeUrl: _, ...ids } = response.result;
  const isGone =
    (invitationToken !== undefined && !isOpen(world, invitationToken, now)) ||
    (state !== undefined && !isLinkOpen(world, stored, now));
  return { ...response, replayed: true, result: isGone ? ids : response.result };
}

function fitsRejection(prediction: Prediction & { kind: "rejected" }, response: Rejected): boolean {
  return prediction.anyOf.some(
    ({ code, field }) => code === response.code && (field === undefined || field === response.field),
  );
}

type Checkpoint = { size: number; root: string; checkpoint: string };
type Response = Committed | Rejected | { status: "committed"; result: Record<string, never> | Checkpoint };

/** A signed head of the whole ledger, as C2SP's tlog-checkpoint writes it. */
function isCheckpoint(response: Response, size: number): boolean {
  if (response.status !== "committed" || !("size" in response.result)) return false;
  const { root, checkpoint, ...rest } = response.result;
  const [, told = "", encoded = ""] = checkpoint.split("\n");
  const isRoot = Buffer.from(encoded, "base64").toString("hex") === root;
  return isDeepStrictEqual(rest, { size }) && told === String(size) && isRoot && /^[0-9a-f]{64}$/u.test(root);
}

/** Why the answer is not the predicted one, or nothing. */
function mismatch(world: World, prediction: Prediction, response: Response, now: number): string | undefined {
  const fits = (): boolean => {
    switch (prediction.kind) {
      case "rejected":
        return response.status === "rejected" && fitsRejection(prediction, response);
      case "selected":
      case "signedOut":
        return isDeepStrictEqual(response, { status: "committed", result: {} });
      case "checkpoint":
        return isCheckpoint(response, prediction.size);
      case "replayed":
        return isDeepStrictEqual(response, replayOf(world, prediction.stored, now));
      case "committed":
        return (
          response.status === "committed" && "receipt" in response && fitsPlan(prediction.planned, response)
        );
    }
  };
  if (fits()) return undefined;
  const { invariant, ...rest } = prediction;
  return `${invariant} the answer is not the expected one\n  found:    ${show(response)}\n  expected: ${show(rest)}`;
}

function requireReceipt(session: Session, receipt: Receipt, planned: Planned, events: number): void {
  const organization = organizationOf(session.world, receipt.orgId);
  if (planned.orgId === undefined) {
    require("INV-07", organization.events.length === 0, "a new organisation has an id that exists", receipt);
  } else {
    requireEqual("INV-07", "a receipt of another organisation", receipt.orgId, planned.orgId);
  }
  const firstSeq = organization.events.length + 1;
  const positions = { firstSeq: receipt.firstSeq, lastSeq: receipt.lastSeq, events: receipt.eventIds.length };
  requireEqual("INV-05", "a receipt at another place", positions, {
    firstSeq,
    lastSeq: firstSeq + events - 1,
    events,
  });
}

/** An event as an owner reads it. */
export async function readEvent(
  session: Session,
  subject: string,
  { orgId, lastSeq }: Pick<Receipt, "orgId" | "lastSeq">,
): Promise<{ actor: { id: string }; eventId: string; recordedAt: number }> {
  const page = (await ask(session, {
    subject: ownerOf(session.world, orgId) ?? subject,
    claim: orgId,
    issuedAtS: FRESH_S,
    function: "projections/ledger:events",
    args: { afterSeq: lastSeq - 1, limit: 1 },
  })) as { entries: { text: string }[] };
  return JSON.parse(page.entries[0]?.text ?? "{}") as {
    actor: { id: string };
    eventId: string;
    recordedAt: number;
  };
}

/** The id that the server gave to a new user, read from the event that made them a member. */
async function learnUserId(session: Session, subject: string, receipt: Receipt): Promise<string> {
  const user = userOf(session.world, subject);
  user.userId ??= (await readEvent(session, subject, receipt)).actor.id;
  return user.userId;
}

/** The stored choice of a user who has none, or whose choice they were removed from. */
function followSelection(world: World, subject: string, orgId: string): void {
  const user = userOf(world, subject);
  const chosen = world.organizations.get(user.selected ?? "");
  const isHeld = chosen?.view.members.get(user.userId ?? "")?.status === "active";
  if (!isHeld) user.selected = orgId;
}

/** A freeze is everybody's; these stand for them. */
const PROBED_MAX = 4;

type Timed = { earliest: number; latest: number };

async function takeCommit(
  session: Session,
  call: Call,
  planned: Planned,
  response: Committed,
  timed: Timed,
): Promise<void> {
  const { world } = session;
  const { receipt, result } = response;
  const subject = call.subject ?? "";
  const isJoining = needsNoMembership(call.function);
  const userId = await learnUserId(session, subject, receipt);
  const { actorRole, drafts } = planned.draft(result, userId);
  requireReceipt(session, receipt, planned, drafts.length);
  if (isJoining) followSelection(world, subject, receipt.orgId);
  const organization = organizationOf(world, receipt.orgId);
  organization.receipts.push(receipt);
  // The moment decides which tokens are refused: the client's clock is too coarse for it.
  const isMoment = call.function === "commands/members:revokeSessions";
  const exact = isMoment ? { recordedAt: (await readEvent(session, subject, receipt)).recordedAt } : {};
  recordEvents(organization, drafts, {
    actor: { kind: "user", id: userId, role: actorRole },
    source: {
      kind: "command",
      name: ledgerNameOf(call.function),
      key: String(call.args["idempotencyKey"]),
    },
    eventIds: receipt.eventIds,
    ...exact,
    ...timed,
  });
  const slot = storageKey(
    isJoining ? "" : receipt.orgId,
    subject,
    call.function,
    call.args["idempotencyKey"],
  );
  world.stored.set(slot, { call, orgId: receipt.orgId, payload: payloadOf(call), response });
  const { invitationToken, invitationId = "", state, linkId = "" } = result;
  if (state !== undefined) world.linkStates.set(state, linkId);
  if (invitationToken !== undefined)
    world.tokens.set(invitationToken, { orgId: receipt.orgId, invitationId });
}

const ON_MEMBER = ["remove", "changeRole", "suspend", "reinstate", "revokeSessions"];
const ON_EVERYBODY = ["freeze", "unfreeze", "close"].map((verb) => `commands/organizations:${verb}`);

/** Whose access a command changes. */
function concerned({ users }: World, call: Call): User[] {
  if (ON_EVERYBODY.includes(call.function)) return [...users.values()].slice(0, PROBED_MAX);
  const isLeaving = call.function === "commands/members:leave";
  const isOnMember = ON_MEMBER.some((verb) => call.function === `commands/members:${verb}`);
  return [...users.values()].filter(
    ({ userId, subject }) =>
      (isLeaving && subject === call.subject) || (isOnMember && userId === call.args["userId"]),
  );
}

/** INV-12: after a command that changes a member's access their very next query knows of it. */
async function probeMember(session: Session, call: Call, orgId: string): Promise<void> {
  for (const { subject } of concerned(session.world, call)) await probe(session, call, { subject, orgId });
}

async function probe(
  session: Session,
  call: Call,
  { subject, orgId }: { subject: string; orgId: string },
): Promise<void> {
  const { world } = session;
  for (const name of ["projections/organizations:current", "projections/bookings:list"]) {
    try {
      await checkQuery(
        session,
        { subject, claim: orgId, function: name, args: {} },
        { world, isExact: false },
      );
    } catch (error) {
      throw new Error(`INV-12 ${subject} after ${call.function}: ${String(error)}`, { cause: error });
    }
  }
}

function takeRefusal(session: Session, call: Call, prediction: Prediction, response: Rejected): void {
  requireRefusal(response, ["status", "field"]);
  const { invitationToken } = call.args;
  const invited = typeof invitationToken === "string" ? session.world.tokens.get(invitationToken) : undefined;
  const { userId: callerId } = userOf(session.world, call.subject ?? "");
  if (
    invited !== undefined &&
    callerId !== undefined &&
    call.function === "commands/members:acceptInvitation"
  ) {
    session.world.knocked.add(`${invited.orgId} ${callerId}`);
  }
  for (const text of textsIn(call.args)) session.refusedTexts.add(text);
  if (prediction.kind !== "rejected" || prediction.orgId === undefined) return;
  if (!RECORDED_REFUSALS.includes(response.code)) return;
  const { userId = "" } = userOf(session.world, call.subject ?? "");
  session.world.refusals.push(JSON.stringify([prediction.orgId, userId, call.function, response.code]));
}

function noteOutcome(session: Session, call: Call, response: Response): void {
  const { tally, journal, seenIds } = session;
  tally.commands += 1;
  const isReplay = "replayed" in response && response.replayed;
  const outcome = response.status === "rejected" ? response.code : isReplay ? "replayed" : "committed";
  count(tally, outcome);
  if (outcome === "committed") count(tally, call.function.replace("commands/", ""));
  journal.push(`${show(call)} → ${show(response)}`);
  const member =
    response.status === "committed" && !("receipt" in response) ? memberOf(session.world, call) : "";
  const orgIds =
    "receipt" in response ? [response.receipt.orgId] : typeof member === "string" ? [] : [member.orgId];
  seenIds.push({ ids: idsIn(response), orgIds, call: show(call) });
}

async function send(session: Session, call: Call): Promise<Response> {
  try {
    return (await mutate(session, call)) as Response;
  } catch (error) {
    throw new Error(`INV-10 ${show(call)} threw: ${show(error)}`, { cause: error });
  }
}

/** What answers without events change. */
function takeAnswer(world: World, call: Call, prediction: Prediction): void {
  if (prediction.kind === "selected") userOf(world, call.subject ?? "").selected = prediction.orgId;
  if (prediction.kind === "checkpoint") {
    organizationOf(world, prediction.orgId).checkpoints.add(prediction.size);
  }
  if (prediction.kind === "signedOut") {
    userOf(world, call.subject ?? "").sessionsValidFrom = prediction.validFrom;
  }
}

/**
 * Sends a command and checks everything that can be checked at once. Returns the answer as JSON text;
 * undefined when no client would send the arguments.
 */
export async function checkCommand(session: Session, raw: Call): Promise<string | undefined> {
  const args = asSent(raw.args);
  if (args === undefined) return undefined;
  const call = { ...raw, args };
  const { world, bench } = session;
  const earliest = bench.now();
  const response = await send(session, raw);
  const latest = bench.now();
  noteOutcome(session, raw, response);
  // The clock may have passed a limit between sending and deciding; then either answer is right.
  const candidates = [earliest, latest].map((now) => ({ now, prediction: predict(world, call, now) }));
  const failures = candidates.map(({ now, prediction }) => mismatch(world, prediction, response, now));
  const prediction = candidates[failures.indexOf(undefined)]?.prediction;
  if (prediction === undefined) throw new Error(`${failures.join("\n")}\n  call: ${show(call)}`);
  if (response.status === "rejected") {
    takeRefusal(session, call, prediction, response);
  } else {
    for (const text of textsIn(args)) session.committedTexts.add(text);
  }
  takeAnswer(world, call, prediction);
  if (prediction.kind === "committed" && "receipt" in response) {
    await takeCommit(session, call, prediction.planned, response, { earliest, latest });
    await probeMember(session, call, response.receipt.orgId);
  }
  return JSON.stringify(response);
}
