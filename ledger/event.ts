/** The event envelope, version 1: its types, and the strict check of its structure. Whether the type is known is `eventTypes.ts`. */
import { assertLedgerValue, NotLedgerValueError } from "./canonicalJson.ts";
import type { LedgerObject } from "./canonicalJson.ts";
import { HASH_PATTERN } from "./hash.ts";
import { isId, ULID_SOURCE } from "./ids.ts";
import type { EventId, OrgId, UserId } from "./ids.ts";

export const ROLES = ["owner", "manager", "staff", "freelancer", "guest", "auditor"] as const;
export type Role = (typeof ROLES)[number];

export type Actor =
  | { readonly kind: "user"; readonly id: UserId; readonly role: Role }
  | { readonly kind: "provider"; readonly id: string }
  | { readonly kind: "system"; readonly id: string }
  | { readonly kind: "operator"; readonly id: string };

export type Source =
  | {
      readonly kind: "command";
      readonly name: string;
      readonly key: string;
      /** The first 16 hexadecimal digits of the policy table's SHA-256. */
      readonly policy: string;
    }
  | {
      readonly kind: "webhook";
      readonly provider: string;
      readonly deliveryId: string;
      readonly bodySha256: string;
      /** Seconds since the epoch, from the signature. */
      readonly signedAt: number;
      readonly account?: string;
    }
  | { readonly kind: "job"; readonly name: string }
  | { readonly kind: "operator"; readonly name: string };

/** How a rule names a source: its kind, and for a webhook its provider too. */
export type SourceLabel = "command" | "job" | "operator" | `webhook/${string}`;

export interface EventEnvelope {
  readonly v: 1;
  readonly orgId: OrgId;
  readonly seq: number;
  readonly eventId: EventId;
  readonly stream: string;
  readonly streamVersion: number;
  readonly type: string;
  readonly typeVersion: number;
  /** Milliseconds since the epoch, by the server's clock. */
  readonly recordedAt: number;
  readonly actor: Actor;
  readonly source: Source;
  readonly correlationId: string;
  readonly causationId?: EventId;
  readonly data: LedgerObject;
  readonly prevHash: string;
}

export type ParsedEvent =
  { readonly ok: true; readonly event: EventEnvelope } | { readonly ok: false; readonly reason: string };

type Check = (value: unknown) => boolean;

interface Shape {
  readonly required: Readonly<Record<string, Check>>;
  readonly optional?: Readonly<Record<string, Check>>;
}

const matches =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === "string" && pattern.test(value);

const integerFrom =
  (least: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && Number(value) >= least && !Object.is(value, -0);

const is =
  (wanted: unknown): Check =>
  (value) =>
    value === wanted;

/** Visible ASCII without a space: every language counts and compares it alike. */
const token = matches(/^[\x21-\x7e]{1,256}$/);
const hash = matches(HASH_PATTERN);
const streamName = matches(new RegExp(`^[a-z][A-Za-z]{0,31}/[a-z]{3}_${ULID_SOURCE}$`));
const typeName = matches(/^[a-z][A-Za-z]{0,31}\.[a-z][A-Za-z]{0,63}$/);
const role: Check = (value) => ROLES.some((known) => known === value);

const ACTORS: Readonly<Record<Actor["kind"], Shape>> = {
  user: { required: { kind: is("user"), id: (value) => isId("usr", value), role } },
  provider: { required: { kind: is("provider"), id: token } },
  system: { required: { kind: is("system"), id: token } },
  operator: { required: { kind: is("operator"), id: token } },
};

const SOURCES: Readonly<Record<Source["kind"], Shape>> = {
  command: {
    required: { kind: is("command"), name: token, key: token, policy: matches(/^[0-9a-f]{16}$/) },
  },
  webhook: {
    required: {
      kind: is("webhook"),
      provider: token,
      deliveryId: token,
      bodySha256: hash,
      signedAt: integerFrom(0),
    },
    optional: { account: token },
  },
  job: { required: { kind: is("job"), name: token } },
  operator: { required: { kind: is("operator"), name: token } },
};

const ENVELOPE: Shape = {
  required: {
    v: is(1),
    orgId: (value) => isId("org", value),
    seq: integerFrom(1),
    eventId: (value) => isId("evt", value),
    stream: streamName,
    streamVersion: integerFrom(1),
    type: typeName,
    typeVersion: integerFrom(1),
    recordedAt: integerFrom(0),
    actor: isRecord,
    source: isRecord,
    correlationId: token,
    data: isRecord,
    prevHash: hash,
  },
  optional: { causationId: (value) => isId("evt", value) },
};

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function findFault(value: Readonly<Record<string, unknown>>, shape: Shape, path: string): string | undefined {
  for (const key of Object.keys(shape.required)) {
    if (!Object.hasOwn(value, key)) return `${path}${key} is missing`;
  }
  for (const key of Object.keys(value)) {
    const check = Object.hasOwn(shape.required, key)
      ? shape.required[key]
      : shape.optional !== undefined && Object.hasOwn(shape.optional, key)
        ? shape.optional[key]
        : undefined;
    if (check === undefined) return `${path}${key} is unknown`;
    if (!check(value[key])) return `${path}${key} is not valid`;
  }
  return undefined;
}

function findTaggedFault(
  value: unknown,
  shapes: Readonly<Record<string, Shape>>,
  path: string,
): string | undefined {
  if (!isRecord(value)) return `${path} is not an object`;
  const tag = value["kind"];
  if (typeof tag !== "string" || !Object.hasOwn(shapes, tag)) return `${path}.kind is not valid`;
  const shape = shapes[tag];
  return shape === undefined ? `${path}.kind is not valid` : findFault(value, shape, `${path}.`);
}

function findDataFault(value: unknown): string | undefined {
  try {
    assertLedgerValue(value);
    return undefined;
  } catch (error) {
    if (error instanceof NotLedgerValueError) return `data ${error.message}`;
    throw error;
  }
}

function findEnvelopeFault(value: unknown): string | undefined {
  if (!isRecord(value)) return "is not an object";
  return (
    findFault(value, ENVELOPE, "") ??
    findTaggedFault(value["actor"], ACTORS, "actor") ??
    findTaggedFault(value["source"], SOURCES, "source") ??
    findDataFault(value["data"])
  );
}

function isEnvelope(value: unknown): value is EventEnvelope {
  return findEnvelopeFault(value) === undefined;
}

/**
 * Checks the structure of an event: version 1, every member present and well formed, none unknown, `data` an
 * object of ledger values. Not verified here: the hash, the chain, and that the type is known.
 */
export function parseEvent(value: unknown): ParsedEvent {
  if (isEnvelope(value)) return { ok: true, event: value };
  return { ok: false, reason: findEnvelopeFault(value) ?? "is not an event" };
}

/** The name under which `EVENT_TYPES` lists a source. */
export function sourceLabel(source: Source): SourceLabel {
  return source.kind === "webhook" ? `webhook/${source.provider}` : source.kind;
}
