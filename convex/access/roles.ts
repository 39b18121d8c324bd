/** Rank of roles. The auditor stands outside: only an owner grants or removes it. */
import type { Role } from "../../ledger/event.ts";

const RANK: Record<Exclude<Role, "auditor">, number> = {
  owner: 3,
  manager: 2,
  staff: 1,
  freelancer: 0,
  guest: 0,
};

/** Whether `actor` outranks `other`. Nobody but an owner outranks an auditor; owners reach owners too. */
export function outranks(actor: Role, other: Role): boolean {
  if (actor === "owner") return true;
  if (actor === "auditor" || other === "auditor") return false;
  return RANK[actor] > RANK[other];
}
