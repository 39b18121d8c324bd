/** Who calls, where and with which token: picked from what exists. */
import type { Pick } from "./garbage.ts";
import type { Intent } from "./intents.ts";
import { needsNoMembership, mayNeedStepUp, permissionOf } from "./policyModel.ts";
import type { Organization, Times, User, World } from "./world.ts";

/** Ids in due form that name nothing. */
export const NOWHERE = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

export type Scene = {
  world: World;
  intent: Intent;
  pick: Pick;
  now: number;
};

export function picker(picks: readonly number[]): Pick {
  let next = 0;
  return <Value>(list: readonly Value[]): Value => {
    const random = picks[next % picks.length] ?? 0;
    next += 1;
    const value = list[random % list.length];
    if (value === undefined && list.length === 0) throw new Error("picked from nothing");
    return value as Value;
  };
}

export function organizationsOf(world: World): Organization[] {
  return [...world.organizations.values()];
}

/** Mostly one of the first three: those that are founded on the way have few members and no bookings yet. */
export function pickOrganization({ world, pick }: Scene): Organization {
  const all = organizationsOf(world);
  const first = all.slice(0, 3);
  return pick([...all, ...first, ...first, ...first]);
}

export function activeUsers(world: World, { view }: Organization): User[] {
  return [...world.users.values()].filter(
    ({ userId }) => userId !== undefined && view.members.get(userId)?.status === "active",
  );
}

function mayCall(organization: Organization, name: string, { userId = "" }: User): boolean {
  const role = organization.view.members.get(userId)?.role;
  return role !== undefined && permissionOf(name, role) !== "no";
}

/** A subject; null is a caller without a token. */
export function pickCaller(
  { world, intent, pick }: Scene,
  organization: Organization,
  name: string,
): string | null {
  const members = activeUsers(world, organization);
  const able = needsNoMembership(name)
    ? members
    : members.filter((user) => mayCall(organization, name, user));
  if (intent.isLikely && able.length > 0) return pick(able).subject;
  const subjects = [...world.users.keys()];
  return pick([...subjects, ...subjects, null]);
}

export function foreignOrganizations(world: World, subject: string | null): string[] {
  return organizationsOf(world)
    .filter((organization) => activeUsers(world, organization).every((user) => user.subject !== subject))
    .map(({ orgId }) => orgId);
}

/** The token's claim and the organisation that the call then takes place in. */
export function pickClaim(
  { world, intent, pick }: Scene,
  organization: Organization,
  subject: string | null,
): { claim?: unknown; organization: Organization } {
  const { orgId } = organization;
  switch (intent.claim) {
    case "own":
      return { claim: pick([orgId, orgId, orgId, ...organization.view.links]), organization };
    case "none": {
      const { selected } = world.users.get(subject ?? "") ?? {};
      return { organization: world.organizations.get(selected ?? "") ?? organization };
    }
    case "foreign":
      return { claim: pick([...foreignOrganizations(world, subject), `org_${NOWHERE}`]), organization };
    case "nowhere":
      return { claim: `org_${NOWHERE}`, organization };
    case "odd":
      return { claim: pick([{ orgId }, 7, [orgId], "", null, true]), organization };
  }
}

/** Notes a token's times as used. */
function issue(user: User, times: Times): Times {
  user.issued.push(times);
  return times;
}

function hasEndedTokens({ sessionsValidFrom, userId = "" }: User, view: Organization["view"]): boolean {
  return sessionsValidFrom !== undefined || view.sessionsValidFrom.has(userId);
}

/**
 * What the token says of its time of issue. A likely caller whose older tokens were ended signs in again; an
 * adversary takes any token that they have ever had.
 */
export function pickSession(
  { world, intent, pick, now }: Scene,
  { view }: Organization,
  subject: string | null,
  name: string,
): Partial<Times> {
  const user = world.users.get(subject ?? "");
  if (user === undefined) return {};
  const hasEnded = hasEndedTokens(user, view);
  const nowS = Math.floor(now / 1000);
  // For what asks for recent authentication a likely caller proves who they are, and others take an older proof.
  if (mayNeedStepUp(name) && (intent.isLikely || user.issued.length === 0)) {
    return issue(user, { issuedAtS: nowS, authenticatedAtS: nowS });
  }
  const session = intent.isLikely && hasEnded && pick([true, true, false]) ? "now" : intent.session;
  if (session === "silent") return {};
  return issue(user, session === "seen" && user.issued.length > 0 ? pick(user.issued) : { issuedAtS: nowS });
}
