import { describe, expect, test } from "vitest";
import type { Role } from "../../ledger/event.ts";
import { Refusal } from "./errors.ts";
import {
  conditionFor,
  POLICY,
  POLICY_FINGERPRINT,
  policyRow,
  requireRelation,
  type Condition,
  type Relation,
} from "./policy.ts";

/** The code of a refusal, or `allowed`. */
function outcome(run: () => unknown): string {
  try {
    run();
    return "allowed";
  } catch (error) {
    if (error instanceof Refusal) return error.rejection.code;
    throw error;
  }
}

describe("a function without a row", () => {
  test.each(["commands/bookings:erase", "constructor", "__proto__", "hasOwnProperty", ""])(
    "INV-08 %j is FORBIDDEN for everybody",
    (name) => {
      expect(outcome(() => policyRow(name))).toBe("FORBIDDEN");
      expect(outcome(() => conditionFor(name, "owner"))).toBe("FORBIDDEN");
    },
  );
});

describe("a role in a row", () => {
  test("gets the condition that the row names", () => {
    expect(conditionFor("commands/bookings:start", "staff")).toBe("assigned");
    expect(conditionFor("projections/bookings:list", "freelancer")).toBe("assignedWithoutPrice");
    expect(conditionFor("commands/members:invite", "manager")).toBe("belowOwnRank");
  });

  test("that the row does not name is FORBIDDEN", () => {
    expect(outcome(() => conditionFor("commands/bookings:start", "freelancer"))).toBe("FORBIDDEN");
    expect(outcome(() => conditionFor("commands/organizations:rename", "manager"))).toBe("FORBIDDEN");
  });

  test("of a function for everybody signed in is no member's permission", () => {
    expect(outcome(() => conditionFor("commands/organizations:create", "owner"))).toBe("FORBIDDEN");
  });

  test("a frozen organisation is read by owner and auditor only, and written by the owner who lifts and by who begins an export or a reading or asks for a checkpoint", () => {
    const open = Object.entries(POLICY).filter(([, row]) => "whenFrozen" in row);
    const reads = [
      "projections/organizations:current",
      "projections/auditLog:list",
      "projections/auditLog:range",
      "projections/securityLog:list",
      "projections/alerts:list",
      "projections/deliveries:list",
      "projections/ledger:head",
      "projections/ledger:events",
      "projections/ledger:checkpoint",
      "projections/ledger:checkpoints",
      "projections/ledger:inclusionProof",
      "projections/ledger:consistencyProof",
      "projections/ledger:streamAt",
      "projections/ledger:rowDigests",
    ];
    const requestCheckpoint = "commands/ledger:requestCheckpoint";
    const writes = [
      "commands/organizations:unfreeze",
      "commands/ledger:beginExport",
      "commands/auditLog:beginReading",
      requestCheckpoint,
    ];
    expect(open.map(([name]) => name)).toEqual([...writes, ...reads]);
    const [unfreeze, beginExport, beginReading, request, ...readers] = open.map(([, row]) => row);
    expect(unfreeze).toMatchObject({ whenFrozen: ["owner"], frozenBy: ["owner"] });
    for (const row of [beginExport, beginReading, request]) {
      expect(row).toMatchObject({ frozenBy: ["owner", "operator"] });
    }
    for (const row of readers) expect(row).toMatchObject({ whenFrozen: ["owner", "auditor"] });
    const closed = Object.entries(POLICY).filter(([, row]) => "whenClosed" in row);
    expect(closed.map(([name]) => name)).toEqual([requestCheckpoint, ...reads]);
    for (const [, row] of closed) expect(row).toMatchObject({ whenClosed: ["owner", "auditor"] });
  });
});

describe("the object's own relation", () => {
  const caller = (role: Role): { userId: string; role: Role } => ({ userId: "usr_1", role });
  const held = (condition: Condition, relation: Relation, role: Role = "staff"): string =>
    outcome(() => {
      requireRelation(condition, caller(role), relation);
    });

  const mine = { assigneeId: "usr_1" };
  const others = { assigneeId: "usr_2" };
  const nobodys = { assigneeId: null };
  const missing = {};

  test.each([
    ["always", mine, "allowed"],
    ["always", missing, "allowed"],
    ["assigned", mine, "allowed"],
    ["assigned", others, "NOT_FOUND"],
    ["assigned", nobodys, "NOT_FOUND"],
    ["assigned", missing, "NOT_FOUND"],
    ["assignedWithoutPrice", mine, "allowed"],
    ["assignedWithoutPrice", nobodys, "NOT_FOUND"],
    ["assignedWithoutPrice", missing, "NOT_FOUND"],
    ["assignedOrUnassigned", mine, "allowed"],
    ["assignedOrUnassigned", nobodys, "allowed"],
    ["assignedOrUnassigned", others, "NOT_FOUND"],
    ["assignedOrUnassigned", missing, "NOT_FOUND"],
  ] as const)("%s of %j is %s", (condition, relation, expected) => {
    expect(held(condition, relation)).toBe(expected);
  });

  test("the rank rule holds for every role concerned", () => {
    const ranked = (role: Role, ...rolesConcerned: Role[]): string =>
      held("belowOwnRank", { rolesConcerned }, role);
    expect(ranked("manager", "staff", "guest")).toBe("allowed");
    expect(ranked("manager", "staff", "manager")).toBe("FORBIDDEN");
    expect(ranked("manager", "auditor")).toBe("FORBIDDEN");
    expect(ranked("owner", "owner", "auditor")).toBe("allowed");
    expect(ranked("manager")).toBe("allowed");
  });
});

test("the fingerprint of the table is 16 lower-case hexadecimal digits", () => {
  expect(POLICY_FINGERPRINT).toMatch(/^[0-9a-f]{16}$/);
});
