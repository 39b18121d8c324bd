/** What the model knows of the backend: users, organisations, the events it expects, the keys that were used. */
import { emptyView, foldEvent, type Actor, type LedgerEvent, type View } from "./fold.ts";
import type { Args } from "./argumentModel.ts";
import type { KnownDelivery, ListedDelivery } from "./deliveryModel.ts";
import type { Hold } from "./policyModel.ts";

/** One call of a public function. */
export type Call = {
  /** The subject of the token; null for a caller without one. */
  subject: string | null;
  /** The organisation claim as it stands in the token; absent when the token has none. */
  claim?: unknown;
  /** When the token says that it was issued, in seconds; absent when it does not say. */
  issuedAtS?: number;
  /** When the token says that its holder authenticated, in seconds; absent when it does not say. */
  authenticatedAtS?: number;
  function: string;
  args: Args;
};

export type Receipt = {
  orgId: string;
  firstSeq: number;
  lastSeq: number;
  headHash: string;
  eventIds: string[];
};
export type Committed = {
  status: "committed";
  replayed: boolean;
  result: Readonly<Record<string, string>>;
  receipt: Receipt;
};
export type Rejected = { status: "rejected"; code: string; message: string; field?: string };

/** What the model expects of an event besides its ids, its hash and its exact time. */
export type Draft = { stream: string; type: string; data: Readonly<Record<string, unknown>> };
/** Whence an event came, as it stands in it but for the policy's fingerprint. */
export type Source = Readonly<Record<string, unknown>> & { kind: string };

export type ExpectedEvent = LedgerEvent & {
  source: Source;
  /** The client's clock before and after the call. */
  earliest: number;
  latest: number;
};

/** Times in a token, in seconds. */
export type Times = { issuedAtS: number; authenticatedAtS?: number };

export type User = {
  readonly subject: string;
  userId?: string;
  selected?: string;
  /** Tokens issued before (milliseconds) are refused everywhere. */
  sessionsValidFrom?: number;
  /** What the tokens that were used say of their times. */
  readonly issued: Times[];
};

/** A time of issue that no revocation reaches, for the reads that check. */
export const FRESH_S = 4_000_000_000;

export type Organization = {
  readonly orgId: string;
  readonly view: View;
  readonly events: ExpectedEvent[];
  readonly receipts: Receipt[];
  /** Whether the integrity check holds it frozen; no event says so. */
  isHeld: boolean;
  /** The sizes of the checkpoints that somebody asked for. */
  readonly checkpoints: Set<number>;
  /** What providers delivered about it, by id and body. */
  readonly deliveries: Map<string, ListedDelivery>;
};

/** A committed command, as a replay must answer it. */
export type Stored = { call: Call; orgId: string; payload: string; response: Committed };

export type World = {
  /** Who signs the tokens. */
  readonly issuer: string;
  readonly users: Map<string, User>;
  readonly organizations: Map<string, Organization>;
  /** By organisation (empty for commands that need none), subject, function and key. */
  readonly stored: Map<string, Stored>;
  /** Every invitation token that was handed out, with its invitation. */
  readonly tokens: Map<string, { orgId: string; invitationId: string }>;
  /** The states that links to an account began with, and their links. */
  readonly linkStates: Map<string, string>;
  /** What no ledger may hold, besides the tokens. */
  readonly secrets: Set<string>;
  /** Genuine deliveries, in the order in which they came first. */
  readonly deliveries: KnownDelivery[];
  /** The payment that each of the provider's objects is about. */
  readonly objects: Map<string, ObjectPlace>;
  /** Whether the backend signs checkpoints by itself, at times that the model does not know. */
  readonly signsByItself: boolean;
  /** Who was refused at an organisation's invitation, as `organisation user`: its security log names them. */
  readonly knocked: Set<string>;
  /** Refusals that the organisations' security logs must hold: organisation, user, function, code. */
  readonly refusals: string[];
};

/** What an object of the provider is about, and the account that it was made with. */
type ObjectPlace = { orgId: string; paymentId: string; account: string | undefined };

/** Refusals about access; whatever a member is refused with one of these is kept. */
export const RECORDED_REFUSALS: readonly string[] = [
  "FORBIDDEN",
  "NOT_FOUND",
  "IDEMPOTENCY_KEY_REUSED",
  "ORG_FROZEN",
  "ORG_CLOSED",
  "STEP_UP_REQUIRED",
];

export function newWorld(issuer: string, signsByItself: boolean): World {
  return {
    issuer,
    signsByItself,
    linkStates: new Map(),
    secrets: new Set(),
    deliveries: [],
    objects: new Map(),
    knocked: new Set(),
    users: new Map(),
    organizations: new Map(),
    stored: new Map(),
    tokens: new Map(),
    refusals: [],
  };
}

export function userOf(world: World, subject: string): User {
  const known = world.users.get(subject);
  if (known !== undefined) return known;
  const user: User = { subject, issued: [] };
  world.users.set(subject, user);
  return user;
}

export function organizationOf(world: World, orgId: string): Organization {
  const known = world.organizations.get(orgId);
  if (known !== undefined) return known;
  const organization: Organization = {
    orgId,
    view: emptyView(),
    events: [],
    receipts: [],
    isHeld: false,
    checkpoints: new Set(),
    deliveries: new Map(),
  };
  world.organizations.set(orgId, organization);
  return organization;
}

/** Who holds an organisation frozen, by its ledger and by the integrity check, or that it was closed. */
export function holdOf({ view, isHeld }: Pick<Organization, "view" | "isHeld">): Hold | undefined {
  if (view.organization?.status === "closed") return "closed";
  if (isHeld) return "integrity check";
  return view.organization?.status === "frozen" ? view.frozenBy : undefined;
}

/** The organisation that a claim means: by its id, or by a provider's that is linked to it. */
export function organizationOfClaim(world: World, claim: unknown): Organization | undefined {
  if (typeof claim !== "string") return undefined;
  const linked = [...world.organizations.values()].find(({ view }) => view.links.has(claim));
  return world.organizations.get(claim) ?? linked;
}

/** Whether a token is older than a moment, or does not say how old it is. */
export function isRevoked(call: Pick<Call, "issuedAtS">, validFrom: number | undefined): boolean {
  if (validFrom === undefined) return false;
  return call.issuedAtS === undefined || call.issuedAtS * 1000 < validFrom;
}

/** The subject of an active owner; undefined before the organisation is founded. */
export function ownerOf(world: World, orgId: string): string | undefined {
  const members = world.organizations.get(orgId)?.view.members;
  const owner = [...world.users.values()].find(({ userId = "" }) => {
    const row = members?.get(userId);
    return row?.role === "owner" && row.status === "active";
  });
  return owner?.subject;
}

export function storageKey(orgId: string, subject: string, name: string, key: unknown): string {
  return JSON.stringify([orgId, subject, name, key]);
}

/** `bookings.request` of `commands/bookings:request`. */
export function ledgerNameOf(name: string): string {
  return name.replace("commands/", "").replace(":", ".");
}

/** Takes the events that a committed command must have appended into the model. */
export function recordEvents(
  organization: Organization,
  drafts: readonly Draft[],
  of: {
    actor: Actor;
    source: Source;
    eventIds: readonly string[];
    /** By the server's clock, where that is known better than by the client's. */
    recordedAt?: number;
    earliest: number;
    latest: number;
  },
): void {
  const { orgId, view, events } = organization;
  for (const [index, draft] of drafts.entries()) {
    const event: ExpectedEvent = {
      ...draft,
      orgId,
      seq: events.length + 1,
      eventId: of.eventIds[index] ?? "",
      streamVersion: (view.versions.get(draft.stream) ?? 0) + 1,
      recordedAt: of.recordedAt ?? of.latest,
      actor: of.actor,
      source: of.source,
      earliest: of.earliest,
      latest: of.latest,
    };
    events.push(event);
    foldEvent(view, event);
  }
}
