/** What the queries of evidence must answer: checkpoints, proofs, a stream at a sequence, digests of rows. */
import type { View } from "./fold.ts";
import type { Permission } from "./policyModel.ts";
import { refusal, type Answer } from "./answer.ts";
import type { Member } from "./predict.ts";
import type { Call, Organization, World } from "./world.ts";

const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;

type Asked = { organization: Organization; args: Call["args"]; world: World };

const sizeIn = (value: unknown): number => (value as { size: number }).size;

/** Where the backend signs by itself, an answer is as right as the refusal of what nobody asked for. */
function notThere(world: World, code: string): Answer {
  return world.signsByItself ? { kind: "fits", fits: () => true, orElse: code } : refusal(code);
}

function checkpointAnswer({ organization, args, world }: Asked): Answer {
  const sizes = [...organization.checkpoints];
  const size = args["size"] === undefined ? Math.max(...sizes) : Number(args["size"]);
  if (!organization.checkpoints.has(size)) return notThere(world, "NOT_FOUND");
  const isNewest = args["size"] === undefined;
  return {
    kind: "fits",
    fits: (value) => {
      const told = sizeIn((value as { checkpoint: unknown }).checkpoint);
      return told === size || (isNewest && world.signsByItself && told > size);
    },
  };
}

function checkpointsAnswer({ organization, args, world }: Asked): Answer {
  const { afterSize = 0, limit = PAGE_DEFAULT } = args;
  const size = Math.min(Number(limit), PAGE_MAX);
  const due = [...organization.checkpoints].filter((each) => each > Number(afterSize)).sort((a, b) => a - b);
  return {
    kind: "fits",
    fits: (value) => {
      const told = (value as { checkpoints: unknown[] }).checkpoints.map(sizeIn);
      const expected = due.slice(0, size);
      if (world.signsByItself)
        return told.length <= size && told.every((each, at) => each > (told[at - 1] ?? 0));
      return JSON.stringify(told) === JSON.stringify(expected);
    },
  };
}

/** Owners and auditors prove any event, everybody else their own. */
function proofAnswer({ organization, args, world }: Asked, member: Member, permission: Permission): Answer {
  const { seq, eventId, size } = args;
  if ((seq === undefined) === (eventId === undefined)) return refusal("INVALID", ["seq"]);
  const event = organization.events.find((each) => each.seq === seq || each.eventId === eventId);
  const isOwn = event?.actor.kind === "user" && event.actor.id === member.userId;
  if (event === undefined || (permission === "own events" && !isOwn)) return refusal("NOT_FOUND");
  const covers = size === undefined ? Math.max(0, ...organization.checkpoints) : Number(size);
  const isCovered = organization.checkpoints.has(covers) && covers >= event.seq;
  if (!isCovered) return notThere(world, "CONFLICT");
  return {
    kind: "fits",
    fits: (value) => {
      const proof = value as { seq: number; text: string; place: { index: number } };
      const told = JSON.parse(proof.text) as { eventId: string };
      return proof.seq === event.seq && proof.place.index === event.seq - 1 && told.eventId === event.eventId;
    },
  };
}

function consistencyAnswer({ organization, args, world }: Asked): Answer {
  const [from, to] = [Number(args["fromSize"]), Number(args["toSize"])];
  if (from > to) return refusal("INVALID", ["fromSize"]);
  const isKnown = organization.checkpoints.has(from) && organization.checkpoints.has(to);
  if (!isKnown) return notThere(world, "NOT_FOUND");
  return {
    kind: "fits",
    fits: (value) => {
      const proof = value as { from: unknown; to: unknown };
      return sizeIn(proof.from) === from && sizeIn(proof.to) === to;
    },
  };
}

function streamAnswer({ organization, args }: Asked): Answer {
  const last = organization.events.findLast(
    ({ stream, seq }) => stream === args["stream"] && seq <= Number(args["seq"]),
  );
  if (last === undefined) return refusal("NOT_FOUND");
  return {
    kind: "fits",
    fits: (value) => {
      const told = value as { seq: number; version: number; stream: string };
      return told.seq === last.seq && told.version === last.streamVersion && told.stream === last.stream;
    },
  };
}

function keysOf(view: View, table: string): string[] {
  switch (table) {
    case "organizations":
      return ["organization"];
    case "members":
      return [...view.members.keys()];
    case "invitations":
      return [...view.invitations.keys()];
    case "services":
      return [...view.services.keys()];
    case "bookings":
      return [...view.bookings.keys()];
    case "payments":
      return [...view.payments.keys()];
    case "stripeAccounts":
      return view.account === undefined ? [] : ["stripeAccount"];
    default:
      return view.auditLog.map(({ seq }) => String(seq));
  }
}

/** The answer of a query of evidence; undefined for another query. */
export function evidenceAnswer(
  world: World,
  name: string,
  member: Member,
  permission: Permission,
  args: Call["args"],
): Answer | undefined {
  const { organization } = member;
  const asked: Asked = { organization, args, world };
  switch (name) {
    case "projections/ledger:checkpoint":
      return checkpointAnswer(asked);
    case "projections/ledger:checkpoints":
      return checkpointsAnswer(asked);
    case "projections/ledger:inclusionProof":
      return proofAnswer(asked, member, permission);
    case "projections/ledger:consistencyProof":
      return consistencyAnswer(asked);
    case "projections/ledger:streamAt":
      return streamAnswer(asked);
    case "projections/ledger:rowDigests": {
      const keys = keysOf(organization.view, String(args["table"]));
      return { kind: "rows", rows: keys.map((key) => ({ key })) };
    }
    default:
      return undefined;
  }
}
