/** The conditions of the matrix at their boundaries: for each, calls that are allowed and calls that are refused. */
import { expect } from "vitest";
import type { Role } from "../../ledger/event.ts";
import { FIRST_PAGE } from "../support/scene.ts";
import { play, type Variation } from "./cells.ts";
import { REFUNDS } from "./preparations.ts";
import { HOLDERS_OF_ALL, type Holder, type Name, type Reader, type World } from "./world.ts";
import type { Column } from "./table.ts";

export type Boundary = {
  /** The attack of the catalogue that the refusal meets, where it is one. */
  attack?: string;
  condition: string;
  name: string;
  column: Column;
  allowed: readonly Variation[];
  refused: readonly Variation[];
};

const SIGNED_IN: readonly Column[] = ["owner", "manager", "staff", "freelancer", "guest", "auditor"];
const TEN_MINUTES_MS = 600_000;
const RECENT = { authenticatedAgoMs: TEN_MINUTES_MS };
const STALE = { authenticatedAgoMs: TEN_MINUTES_MS + 1 };

function forAll(
  columns: readonly Column[],
  condition: string,
  name: string,
  allowed: readonly Variation[],
  refused: readonly Variation[],
): Boundary[] {
  return columns.map((column) => ({ condition, name, column, allowed, refused }));
}

function onMember(name: Name, more: Variation = {}, args: Readonly<Record<string, unknown>> = {}): Variation {
  return { ...more, args: ({ people }) => ({ userId: people[name].userId, ...args }) };
}

function granting(role: Role, more: Variation = {}): Variation {
  return { ...more, args: () => ({ role }) };
}

const FROZEN = { situation: "frozenByOwner" } as const;

const ORGANIZATIONS = "commands/organizations:";
const MEMBERS = "commands/members:";
const RANGE = "projections/auditLog:range";

const RECENT_SIGN_IN: readonly Boundary[] = [
  ...["close", "unlinkProvider", "linkProvider"].flatMap((name) =>
    forAll(["owner"], "c5", ORGANIZATIONS + name, [RECENT], [STALE, { authenticatedAgoMs: null }]),
  ),
  ...forAll(
    ["owner"],
    "c5",
    `${ORGANIZATIONS}unfreeze`,
    [{ ...RECENT, ...FROZEN }],
    [
      { ...STALE, ...FROZEN },
      { authenticatedAgoMs: TEN_MINUTES_MS * 2, ...FROZEN },
    ],
  ),
];

const RECENT_FOR_PAYMENTS: readonly Boundary[] = [
  ...forAll(["owner", "manager"], "c5", "commands/payments:approveRefund", [RECENT], [STALE]),
  ...forAll(["owner"], "c5", "commands/stripeAccount:beginLink", [RECENT], [STALE]),
  ...forAll(["owner"], "c5", "commands/stripeAccount:unlink", [RECENT], [STALE]),
];

const HIGH_ROLES: readonly Boundary[] = [
  ...forAll(
    ["owner"],
    "c7",
    `${MEMBERS}invite`,
    [granting("manager", STALE), granting("auditor", RECENT), granting("owner", RECENT)],
    [granting("auditor", STALE), granting("owner", STALE)],
  ),
  ...forAll(
    ["owner"],
    "c7",
    `${MEMBERS}changeRole`,
    [
      onMember("staff", STALE, { role: "manager" }),
      onMember("staff", RECENT, { role: "auditor" }),
      onMember("auditor", RECENT, { role: "staff" }),
    ],
    [
      onMember("staff", STALE, { role: "auditor" }),
      onMember("staff", STALE, { role: "owner" }),
      onMember("auditor", STALE, { role: "staff" }),
    ],
  ),
  ...forAll(
    ["owner"],
    "c7",
    `${MEMBERS}remove`,
    [onMember("peer", STALE), onMember("auditor", RECENT)],
    [onMember("auditor", STALE), onMember("secondOwner", STALE)],
  ),
  ...forAll(
    ["owner"],
    "c7",
    `${MEMBERS}reinstate`,
    [onMember("suspendedManager", STALE), onMember("suspendedAuditor", RECENT)],
    [onMember("suspendedAuditor", STALE), onMember("suspendedOwner", STALE)],
  ),
];

const RANK: readonly Boundary[] = [
  ...forAll(
    ["manager"],
    "c8",
    `${MEMBERS}invite`,
    [granting("staff")],
    [granting("manager"), granting("auditor"), granting("owner")],
  ),
  ...forAll(
    ["manager"],
    "c8",
    `${MEMBERS}changeRole`,
    [onMember("staff", {}, { role: "guest" })],
    [
      onMember("staff", {}, { role: "manager" }),
      onMember("peer", {}, { role: "staff" }),
      onMember("auditor", {}, { role: "staff" }),
      onMember("manager", {}, { role: "owner" }),
    ],
  ),
  ...forAll(
    ["manager"],
    "c8",
    `${MEMBERS}revokeInvitation`,
    [{}],
    [
      { args: ({ ownersInvitations }) => ({ invitationId: ownersInvitations.manager }) },
      { args: ({ ownersInvitations }) => ({ invitationId: ownersInvitations.auditor }) },
    ],
  ),
  ...["remove", "suspend", "revokeSessions"].flatMap((name) =>
    forAll(
      ["manager"],
      "c8",
      MEMBERS + name,
      [onMember("staff")],
      [onMember("peer"), onMember("auditor"), onMember("secondOwner")],
    ),
  ),
  ...forAll(
    ["manager"],
    "c8",
    `${MEMBERS}reinstate`,
    [onMember("suspendedStaff")],
    [onMember("suspendedManager"), onMember("suspendedAuditor")],
  ),
];

function reading(of: Reader): Variation {
  return { args: ({ readings }) => ({ readingId: readings[of], paginationOpts: FIRST_PAGE }) };
}

const READINGS: readonly Boundary[] = [
  ...forAll(["owner"], "c15", RANGE, [reading("owner")], [reading("manager"), reading("auditor")]),
  ...forAll(["manager"], "c15", RANGE, [reading("manager")], [reading("owner"), reading("auditor")]),
  ...forAll(["auditor"], "c15", RANGE, [reading("auditor")], [reading("owner"), reading("manager")]),
];

/** The owner of the other organisation, who is its only one. */
const ONLY_OWNER: Variation = {
  subject: ({ other }) => other.owner.subject,
  claim: ({ other }) => other.orgId,
};

function onOnlyOwner(args: Readonly<Record<string, unknown>> = {}): Variation {
  return { ...ONLY_OWNER, args: ({ other }) => ({ userId: other.owner.userId, ...args }) };
}

const LAST_OWNER: readonly Boundary[] = [
  ...forAll(["owner"], "c9", `${MEMBERS}leave`, [{}], [ONLY_OWNER]),
  ...forAll(["owner"], "c9", `${MEMBERS}remove`, [onMember("owner")], [onOnlyOwner()]),
  ...forAll(["owner"], "c9", `${MEMBERS}suspend`, [onMember("secondOwner")], [onOnlyOwner()]),
  ...forAll(
    ["owner"],
    "c9",
    `${MEMBERS}changeRole`,
    [onMember("owner", {}, { role: "manager" })],
    [onOnlyOwner({ role: "manager" })],
  ),
];

const PAYMENTS = "commands/payments:";

function refunding(amountMinor: number, more: Variation = {}): Variation {
  return { ...more, args: () => ({ amountMinor }) };
}

function onRefundOf(name: keyof typeof REFUNDS): Variation {
  return { args: () => ({ refundId: REFUNDS[name] }) };
}

/** Above what the role gives back alone. */
const REFUND_LIMITS: readonly Boundary[] = (
  [
    ["owner", 1_000_000],
    ["manager", 50_000],
  ] as const
).flatMap(([column, limit]) =>
  forAll(
    [column],
    "c13",
    `${PAYMENTS}requestRefund`,
    [refunding(limit, STALE), refunding(limit + 1, RECENT)],
    [refunding(limit + 1, STALE), refunding(limit + 1, { authenticatedAgoMs: null })],
  ),
);

const OTHER_PERSON: readonly Boundary[] = (["owner", "manager"] as const).flatMap((column) =>
  ["approveRefund", "declineRefund"].flatMap((name) =>
    forAll([column], "c14", PAYMENTS + name, [onRefundOf("peer")], [onRefundOf(column)]).map((boundary) => ({
      attack: "D13",
      ...boundary,
    })),
  ),
);

/** Proofs of the own events and of nobody else's; owners and auditors prove every event. */
const OWN_EVENTS: readonly Boundary[] = forAll(
  ["manager", "staff", "freelancer", "guest"],
  "c16",
  "projections/ledger:inclusionProof",
  [{}],
  [{ args: ({ ownEvents }) => ({ eventId: ownEvents.colleague }) }],
);

/** Every boundary whose refusal has a code. */
export const BOUNDARIES: readonly Boundary[] = [
  ...forAll(
    SIGNED_IN,
    "c1",
    `${MEMBERS}acceptInvitation`,
    [{}],
    [{ args: ({ openInvitation }) => ({ invitationToken: openInvitation }) }],
  ),
  ...forAll(
    SIGNED_IN,
    "c2",
    "commands/session:selectOrganization",
    [{}],
    [{ args: ({ other }) => ({ orgId: other.orgId }) }],
  ),
  ...forAll(
    [...SIGNED_IN, "removed"],
    "c3",
    "commands/session:revokeOthers",
    [{}],
    [{ authenticatedAgoMs: null }],
  ),
  ...forAll(
    ["owner"],
    "c4",
    `${ORGANIZATIONS}unfreeze`,
    [FROZEN],
    [{ situation: "frozenByOperator" }, { situation: "frozenByIntegrity" }],
  ),
  ...RECENT_SIGN_IN,
  ...RECENT_FOR_PAYMENTS,
  ...forAll(
    ["owner"],
    "c6",
    `${ORGANIZATIONS}linkProvider`,
    [{}],
    [{ claim: (world) => world.linkedProviderOrgId }],
  ),
  ...HIGH_ROLES,
  ...RANK,
  ...REFUND_LIMITS,
  ...OTHER_PERSON,
  ...READINGS,
  ...LAST_OWNER,
  ...OWN_EVENTS,
];

/** What an answer shows: in whose hands the bookings are, and whether it names prices. */
export type Shown = {
  condition: string;
  name: string;
  column: Column;
  hands: readonly Holder[];
  prices: boolean;
};

const GET = "projections/bookings:get";
const LIST = "projections/bookings:list";

export const SHOWN: readonly Shown[] = [
  { condition: "c10", name: LIST, column: "owner", hands: HOLDERS_OF_ALL, prices: true },
  { condition: "c10", name: LIST, column: "manager", hands: HOLDERS_OF_ALL, prices: true },
  { condition: "c11", name: LIST, column: "staff", hands: ["staff", "nobody"], prices: true },
  { condition: "c12", name: LIST, column: "freelancer", hands: ["freelancer"], prices: false },
  { condition: "c10", name: GET, column: "owner", hands: ["staff"], prices: true },
  { condition: "c10", name: GET, column: "manager", hands: ["staff"], prices: true },
  { condition: "c10", name: GET, column: "staff", hands: ["staff"], prices: true },
  { condition: "c10", name: GET, column: "staff:free", hands: ["nobody"], prices: true },
  { condition: "c12", name: GET, column: "freelancer", hands: ["freelancer"], prices: false },
];

/** Plays the call and holds the rows and fields of its answer against what is to be shown. */
export async function expectShown(world: World, { name, column, hands, prices }: Shown): Promise<void> {
  const { answer } = await play(world, name, column);
  expect(answer).toMatchObject({ ok: true });
  if (!answer.ok) return;
  const rows = name === LIST ? (answer.value as { page: object[] }).page : [answer.value as object];
  const shown = rows.map((row) => ("bookingId" in row ? row.bookingId : undefined));
  const stages = Object.values(world.bookings);
  const expected =
    name === LIST
      ? stages.flatMap((of) => hands.map((hand) => of[hand]))
      : [world.bookings.requested[hands[0] ?? "nobody"]];
  expect(shown.sort()).toEqual(expected.sort());
  expect(rows.map((row) => "priceMinor" in row && "currency" in row)).toEqual(rows.map(() => prices));
  if (!prices) expect(JSON.stringify(rows)).not.toContain("priceMinor");
}
