import { expect, test } from "vitest";
import { ROLES, type Role } from "../../ledger/event.ts";
import { outranks } from "./roles.ts";

/** Whom each role may invite, change or remove. */
const REACHES: Record<Role, readonly Role[]> = {
  owner: ["owner", "manager", "staff", "freelancer", "guest", "auditor"],
  manager: ["staff", "freelancer", "guest"],
  staff: ["freelancer", "guest"],
  freelancer: [],
  guest: [],
  auditor: [],
};

const PAIRS = ROLES.flatMap((actor) => ROLES.map((other) => ({ actor, other })));

test.each(PAIRS)("whether $actor outranks $other", ({ actor, other }) => {
  expect(outranks(actor, other)).toBe(REACHES[actor].includes(other));
});
