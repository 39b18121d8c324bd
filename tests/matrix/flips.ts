/**
 * Every way in which one rule of the policy table can be turned into another that means something else. A flip that
 * no test of its row notices is a hole in the matrix.
 */
import { POLICY, type Condition, type PolicyRow } from "../../convex/access/policy.ts";
import { ROLES, type Role } from "../../ledger/event.ts";

export type Flip = {
  name: string;
  title: string;
  /** Whose rule it is, where it is one role's. */
  role: Role | undefined;
  /** The row after the flip; undefined where the row is taken away. */
  row: PolicyRow | undefined;
};

type MemberRow = Extract<PolicyRow, { level: "member" }>;

function toggled(list: readonly Role[] | undefined, role: Role): Role[] {
  return (list ?? []).includes(role) ? (list ?? []).filter((each) => each !== role) : [...(list ?? []), role];
}

/** Other conditions that a role could have in a row, where they would mean something else. */
function otherConditions(name: string, role: Role, condition: Condition): Condition[] {
  // An owner outranks everybody, so for owners the rank rule and none are the same.
  if (condition === "belowOwnRank") return role === "owner" ? [] : ["always"];
  if (condition === "notRequester") return ["always"];
  if (!/bookings:(?!request)|payments:(?:request$|get|payerSecret)/.test(name)) return [];
  const ofBookings: Condition[] = ["always", "assigned", "assignedOrUnassigned"];
  // A command shows no price.
  const meaningful = name.startsWith("projections/bookings")
    ? [...ofBookings, "assignedWithoutPrice" as const]
    : ofBookings;
  return meaningful.filter((each) => each !== condition);
}

function flipsOfRoles(name: string, row: MemberRow): Flip[] {
  return ROLES.flatMap((role) => {
    const { [role]: condition, ...others } = row.roles;
    if (condition === undefined) {
      return [{ name, title: `${role} in`, role, row: { ...row, roles: { ...others, [role]: "always" } } }];
    }
    const out: Flip = { name, title: `${role} out`, role, row: { ...row, roles: others } };
    const changed = otherConditions(name, role, condition).map((each) => ({
      name,
      title: `${role} ${condition} → ${each}`,
      role,
      row: { ...row, roles: { ...others, [role]: each } },
    }));
    return [out, ...changed];
  });
}

function flipsOfLifecycle(name: string, row: MemberRow): Flip[] {
  const whenFrozen = ROLES.map((role) => ({
    name,
    title: `${role} when frozen`,
    role,
    row: { ...row, whenFrozen: toggled(row.whenFrozen, role) },
  }));
  const whenClosed = ROLES.map((role) => ({
    name,
    title: `${role} when closed`,
    role,
    row: { ...row, whenClosed: toggled(row.whenClosed, role) },
  }));
  const holds = (["owner", "operator", "integrity"] as const).filter(() => row.frozenBy !== undefined);
  const frozenBy = holds.map((hold): Flip => {
    const list = row.frozenBy ?? [];
    const changed = list.includes(hold) ? list.filter((each) => each !== hold) : [...list, hold];
    return { name, title: `frozen by ${hold}`, role: undefined, row: { ...row, frozenBy: changed } };
  });
  return [...whenFrozen, ...whenClosed, ...frozenBy];
}

function flipsOfStepUp(name: string, row: MemberRow): Flip[] {
  const { stepUp, ...without } = row;
  const always = { maxAgeMs: 600_000, enforced: "always" } as const;
  if (stepUp === undefined) return [];
  const { forRoles, ...forAll } = stepUp;
  const flips: Flip[] = [
    { name, title: "no step-up", role: undefined, row: without },
    {
      name,
      title: "step-up a millisecond later",
      role: undefined,
      row: { ...row, stepUp: { ...stepUp, maxAgeMs: stepUp.maxAgeMs + 1 } },
    },
    {
      name,
      title: "step-up a millisecond earlier",
      role: undefined,
      row: { ...row, stepUp: { ...stepUp, maxAgeMs: stepUp.maxAgeMs - 1 } },
    },
  ];
  if (forRoles === undefined) return flips;
  const roles = forRoles.map((role): Flip => {
    return {
      name,
      title: `no step-up for ${role}`,
      role,
      row: { ...row, stepUp: { ...stepUp, forRoles: toggled(forRoles, role) } },
    };
  });
  const every: Flip = {
    name,
    title: "step-up for every role",
    role: undefined,
    row: { ...row, stepUp: { ...always, ...forAll } },
  };
  return [...flips, ...roles, every];
}

function flipsOf(name: string, row: PolicyRow): Flip[] {
  const gone: Flip = { name, title: "no row", role: undefined, row: undefined };
  if (row.level === "signedIn") return [gone];
  return [gone, ...flipsOfRoles(name, row), ...flipsOfLifecycle(name, row), ...flipsOfStepUp(name, row)];
}

/** All flips of the table, row by row. */
export function allFlips(): Flip[] {
  return Object.entries(POLICY).flatMap(([name, row]) => flipsOf(name, row));
}

/** Runs under the flipped table. The table of the tests' own copy of the policy module changes, and is put back. */
export async function underFlip<T>({ name, row }: Flip, run: () => Promise<T>): Promise<T> {
  const table: Record<string, PolicyRow | undefined> = POLICY;
  const kept = table[name];
  if (row === undefined) Reflect.deleteProperty(table, name);
  else table[name] = row;
  try {
    return await run();
  } finally {
    table[name] = kept;
  }
}
