/** What a rule of the business is: what forbids a member's command, and what it records. */
import type { Args } from "./argumentModel.ts";
import type { View } from "./fold.ts";
import type { Role } from "./policyModel.ts";
import type { Draft } from "./world.ts";

export type Violation = { code: string; field?: string };

export type Situation = {
  view: View;
  orgId: string;
  /** The caller. */
  userId: string;
  role: Role;
  args: Args;
  now: number;
  /** The token's own claim, as a provider's organisation. */
  claim: { issuer: string; providerOrgId: unknown; isTaken: boolean };
  /** The link that a state belongs to; absent for a state that nobody was given. */
  linkOf: (state: string) => string | undefined;
};

/** The prefix of the id that a field of a result holds, or what else it is. */
type ResultField = "bkg" | "svc" | "inv" | "exp" | "rdg" | "pay" | "rfd" | "lnk" | "token" | "hash" | "url";

export type Rule = {
  /** The stream that the command concerns and whose version a caller may expect; absent when it founds one. */
  stream?: (args: Args, caller: { orgId: string; userId: string }) => string;
  /** Roles that the rank rule speaks about. */
  concerned?: (situation: Situation) => Role[];
  /** Who asked for what is to be approved. */
  requester?: (situation: Situation) => string | undefined;
  /** Whether recent authentication is asked for, where it is not always. */
  needsStepUp?: (situation: Situation) => boolean;
  /** Everything that forbids the command; the server names any one of it. */
  violations: (situation: Situation) => Violation[];
  result: Readonly<Record<string, ResultField>>;
  events: (situation: Situation, result: Readonly<Record<string, string>>) => Draft[];
};

export const text = (args: Args, field: string): string => String(args[field]);

export function when(condition: boolean, code: string, field?: string): Violation[] {
  if (!condition) return [];
  return [field === undefined ? { code } : { code, field }];
}
