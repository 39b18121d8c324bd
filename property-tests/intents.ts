/**
 * What the random streams are made of. An intent is plain data drawn by fast-check; which user, organisation and
 * object it means is decided when its turn comes, from what exists by then (`resolve.ts`).
 */
import fc from "fast-check";
import { QUERIES } from "./policyModel.ts";

export type Intent = {
  kind:
    | "command"
    | "replay"
    | "changedReplay"
    | "foreign"
    | "garbage"
    | "query"
    | "cursor"
    | "operator"
    | "provider"
    | "advance";
  command: string;
  query: string;
  /** Whether a caller and an object are looked for that make an acceptance probable. */
  isLikely: boolean;
  claim: "own" | "none" | "foreign" | "nowhere" | "odd";
  /** What the token says of its time of issue; `seen` is a token that was used before. */
  session: "silent" | "now" | "seen";
  version: "absent" | "right" | "stale" | "ahead";
  key: string;
  picks: number[];
};

const PICKS = 24;
const PICK_MAX = 0xffff;

function weighted<const Value>(weights: readonly (readonly [number, Value])[]): fc.Arbitrary<Value> {
  return fc.oneof(...weights.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
}

const kind = weighted([
  [62, "command"],
  [8, "replay"],
  [5, "changedReplay"],
  [6, "foreign"],
  [12, "garbage"],
  [8, "query"],
  [8, "cursor"],
  [5, "operator"],
  [26, "provider"],
  [4, "advance"],
]);

const command = weighted([
  [14, "commands/payments:request"],
  [3, "commands/payments:cancel"],
  [24, "commands/payments:requestRefund"],
  [12, "commands/payments:approveRefund"],
  [4, "commands/payments:declineRefund"],
  [3, "commands/stripeAccount:beginLink"],
  [3, "commands/stripeAccount:completeLink"],
  [1, "commands/stripeAccount:unlink"],
  [2, "commands/ledger:requestCheckpoint"],
  [2, "commands/session:selectOrganization"],
  [1, "commands/session:revokeOthers"],
  [1, "commands/organizations:create"],
  [2, "commands/organizations:rename"],
  [5, "commands/members:invite"],
  [5, "commands/members:acceptInvitation"],
  [5, "commands/members:changeRole"],
  [2, "commands/members:remove"],
  [2, "commands/members:suspend"],
  [2, "commands/members:reinstate"],
  [1, "commands/members:revokeSessions"],
  [1, "commands/members:leave"],
  [1, "commands/organizations:freeze"],
  [2, "commands/organizations:unfreeze"],
  [1, "commands/organizations:close"],
  [2, "commands/organizations:linkProvider"],
  [1, "commands/organizations:unlinkProvider"],
  [2, "commands/ledger:beginExport"],
  [3, "commands/auditLog:beginReading"],
  [2, "commands/members:revokeInvitation"],
  [3, "commands/services:define"],
  [2, "commands/services:retire"],
  [20, "commands/bookings:request"],
  [12, "commands/bookings:confirm"],
  [6, "commands/bookings:start"],
  [5, "commands/bookings:complete"],
  [5, "commands/bookings:markNoShow"],
  [6, "commands/bookings:reschedule"],
  [8, "commands/bookings:assign"],
  [4, "commands/bookings:unassign"],
  [4, "commands/bookings:cancel"],
]);

const intent: fc.Arbitrary<Intent> = fc.record({
  kind,
  command,
  query: fc.constantFrom(...QUERIES),
  isLikely: weighted([
    [7, true],
    [1, false],
  ]),
  claim: weighted([
    [24, "own"],
    [8, "none"],
    [1, "foreign"],
    [1, "nowhere"],
    [1, "odd"],
  ]),
  session: weighted([
    [5, "silent"],
    [3, "now"],
    [2, "seen"],
  ]),
  version: weighted([
    [10, "absent"],
    [4, "right"],
    [1, "stale"],
    [1, "ahead"],
  ]),
  key: fc.oneof(fc.ulid(), fc.uuid()),
  picks: fc.array(fc.nat(PICK_MAX), { minLength: PICKS, maxLength: PICKS }),
});

/** A stream of this many intents. Without bias: small numbers would mean the same few people and objects. */
export function stream(length: number): fc.Arbitrary<Intent[]> {
  return fc.noBias(fc.array(intent, { minLength: length, maxLength: length, size: "max" }));
}
