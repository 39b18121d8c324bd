/**
 * Rate limits: per user over all organisations, per organisation, and per user and command class. A refused
 * call counts too. The limiter rolls back with a throw, so a limited call is answered, never thrown.
 */
import { MINUTE, RateLimiter, type RateLimitConfig } from "@convex-dev/rate-limiter";
import { components } from "../_generated/api.js";
import type { MutationCtx } from "../_generated/server.js";
import { environment } from "./environment.ts";
import { Refusal } from "./errors.ts";

/** Calls per minute, and as many at once. */
const CALLS_PER_MINUTE = {
  user: 6_000,
  organization: 30_000,
  command: 4_000,
  invitation: 600,
  /** Rows that one user's refusals may write to one organisation's security log. */
  refusal: 600,
} as const;

type LimitName = keyof typeof CALLS_PER_MINUTE;

/** Commands with a limit of their own class; the others share `command`. */
const CLASS_OF_COMMAND: Readonly<Record<string, LimitName>> = {
  "commands/members:invite": "invitation",
  "commands/members:acceptInvitation": "invitation",
};

const limiter = new RateLimiter(components.rateLimiter);

function configOf(name: LimitName): RateLimitConfig {
  const rate = Math.max(
    1,
    Math.floor((CALLS_PER_MINUTE[name] * environment().DAYBOOK_RATE_LIMIT_PERCENT) / 100),
  );
  return { kind: "token bucket", rate, period: MINUTE, capacity: rate };
}

type Status = Awaited<ReturnType<typeof limiter.limit>>;

/**
 * Takes one call of a bucket. A whole period fills any bucket, so a longer wait says that the clock was ahead
 * when the bucket was last used and has been set back: the bucket starts anew.
 */
async function take(ctx: MutationCtx, name: LimitName, key: string): Promise<Status> {
  const options = { key, config: configOf(name) };
  const status = await limiter.limit(ctx, name, options);
  if (status.ok || status.retryAfter <= options.config.period) return status;
  await limiter.reset(ctx, name, { key });
  return await limiter.limit(ctx, name, options);
}

async function consume(ctx: MutationCtx, name: LimitName, key: string): Promise<void> {
  const status = await take(ctx, name, key);
  if (!status.ok) throw new Refusal("RATE_LIMITED", { retryAfterMs: Math.ceil(status.retryAfter) });
}

/** Counts a call of a signed-in caller. `caller` is the user id, or a hash of the identity before there is one. */
export async function limitCaller(ctx: MutationCtx, command: string, caller: string): Promise<void> {
  await consume(ctx, "user", caller);
  await consume(ctx, CLASS_OF_COMMAND[command] ?? "command", `${caller} ${command}`);
}

/** Counts a call against its organisation. */
export async function limitOrganization(ctx: MutationCtx, orgId: string): Promise<void> {
  await consume(ctx, "organization", orgId);
}

function refusalKey(orgId: string, userId: string): string {
  return `${orgId} ${userId}`;
}

/** Whether one more refusal of this user may write a row to this organisation's security log. */
export async function mayRecordRefusal(ctx: MutationCtx, orgId: string, userId: string): Promise<boolean> {
  return (await take(ctx, "refusal", refusalKey(orgId, userId))).ok;
}

/** Removes what is counted of a user's refusals in an organisation. */
export async function forgetRefusalLimit(ctx: MutationCtx, orgId: string, userId: string): Promise<void> {
  await limiter.reset(ctx, "refusal", { key: refusalKey(orgId, userId) });
}

/** Removes what is counted of an organisation's calls. */
export async function forgetOrganizationLimit(ctx: MutationCtx, orgId: string): Promise<void> {
  await limiter.reset(ctx, "organization", { key: orgId });
}
