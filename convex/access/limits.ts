/**
 * Rate limits: per user over all organisations, per user and class of commands, and per organisation. A call is
 * counted before anything of it is decided, so one that is refused counts too, and a limit tells nothing about roles
 * or ids; one that is over a limit counts nowhere. The limiter rolls back with a throw, so a limited call is answered, never thrown.
 */
import { MINUTE, RateLimiter, type RateLimitConfig } from "@convex-dev/rate-limiter";
import { components } from "../_generated/api.js";
import type { MutationCtx } from "../_generated/server.js";
import { environment } from "./environment.ts";
import { Refusal } from "./errors.ts";
import { limitClassOf, type LimitClass } from "./policy.ts";

/** Calls per minute, and as many at once. */
const CALLS_PER_MINUTE = {
  user: 6_000,
  organization: 30_000,
  command: 4_000,
  status: 2_400,
  chat: 1_200,
  payment: 600,
  invitation: 600,
  checkpoint: 60,
} as const satisfies Record<LimitClass | "user" | "organization", number>;

type LimitName = keyof typeof CALLS_PER_MINUTE;

type Bucket = { name: LimitName; key: string };

const limiter = new RateLimiter(components.rateLimiter);

/**
 * A call takes this many tokens, so that a bucket gains a whole number of them each millisecond: fractions would be
 * rounded, and the time that a refusal names would be a millisecond too short or too long now and then.
 */
const TOKENS_PER_CALL = MINUTE;

function configOf(name: LimitName): RateLimitConfig {
  const calls = Math.max(
    1,
    Math.floor((CALLS_PER_MINUTE[name] * environment().DAYBOOK_RATE_LIMIT_PERCENT) / 100),
  );
  const rate = calls * TOKENS_PER_CALL;
  return { kind: "token bucket", rate, period: MINUTE, capacity: rate };
}

type Status = Awaited<ReturnType<typeof limiter.limit>>;

/**
 * Takes one call of a bucket. A whole period fills any bucket, so a longer wait says that the clock was ahead
 * when the bucket was last used and has been set back: the bucket starts anew.
 */
async function take(ctx: MutationCtx, { name, key }: Bucket): Promise<Status> {
  const options = { key, count: TOKENS_PER_CALL, config: configOf(name) };
  const status = await limiter.limit(ctx, name, options);
  if (status.ok || status.retryAfter <= MINUTE) return status;
  await limiter.reset(ctx, name, { key });
  return await limiter.limit(ctx, name, options);
}

/** How long until a bucket has a call, in milliseconds; takes nothing. */
async function waitFor(ctx: MutationCtx, { name, key }: Bucket): Promise<number> {
  const status = await limiter.check(ctx, name, { key, count: TOKENS_PER_CALL, config: configOf(name) });
  return status.ok || status.retryAfter > MINUTE ? 0 : status.retryAfter;
}

/** Puts a call back that was taken in this transaction. */
async function giveBack(ctx: MutationCtx, { name, key }: Bucket): Promise<void> {
  await limiter.limit(ctx, name, { key, count: -TOKENS_PER_CALL, config: configOf(name) });
}

/**
 * Takes one call of each bucket. When one has none, all of them and those that were `taken` for the same call stay
 * as they were, and the refusal names the moment from which on each has one: it is true however often somebody asks.
 */
async function takeAll(
  ctx: MutationCtx,
  buckets: readonly Bucket[],
  taken: readonly Bucket[] = [],
): Promise<Refusal | null> {
  const mine = [...taken];
  for (const bucket of buckets) {
    if ((await take(ctx, bucket)).ok) {
      mine.push(bucket);
      continue;
    }
    for (const each of mine) await giveBack(ctx, each);
    const waits = await Promise.all([...taken, ...buckets].map((each) => waitFor(ctx, each)));
    return new Refusal("RATE_LIMITED", { retryAfterMs: Math.ceil(Math.max(...waits)) });
  }
  return null;
}

function bucketsOfCaller(command: string, caller: string): Bucket[] {
  const name = limitClassOf(command);
  return [
    { name: "user", key: caller },
    { name, key: name === "command" ? `${caller} ${command}` : caller },
  ];
}

/**
 * Counts a call of a signed-in caller, whatever organisation it is for, and returns RATE_LIMITED when it is one too
 * many. `caller` is the user id, or a hash of the identity before there is one.
 */
export async function limitCaller(
  ctx: MutationCtx,
  command: string,
  caller: string,
): Promise<Refusal | null> {
  return await takeAll(ctx, bucketsOfCaller(command, caller));
}

/** Counts a call that `limitCaller` let through against the organisation too, once it is known; likewise. */
export async function limitOrganization(
  ctx: MutationCtx,
  command: string,
  caller: string,
  orgId: string,
): Promise<Refusal | null> {
  return await takeAll(ctx, [{ name: "organization", key: orgId }], bucketsOfCaller(command, caller));
}

/** Removes what is counted of an organisation's calls. */
export async function forgetOrganizationLimit(ctx: MutationCtx, orgId: string): Promise<void> {
  await limiter.reset(ctx, "organization", { key: orgId });
}
