/** What commands return. */
import { v, type Infer, type PropertyValidators, type Validator } from "convex/values";
import { rejectedValidator, type Rejected } from "../access/errors.ts";
import type { Receipt } from "./ledger.ts";

const receiptValidator = v.object({
  orgId: v.string(),
  firstSeq: v.number(),
  lastSeq: v.number(),
  headHash: v.string(),
  eventIds: v.array(v.string()),
});

type Fields<Result extends PropertyValidators> = Infer<ReturnType<typeof v.object<Result>>>;

export type CommandResponse<Result extends PropertyValidators> =
  | {
      status: "committed";
      replayed: boolean;
      result: Fields<Result>;
      receipt: Infer<typeof receiptValidator>;
    }
  | Rejected;

/** The `returns` of a command whose result has these fields. */
export function responseValidator<Result extends PropertyValidators>(
  result: Result,
): Validator<CommandResponse<Result>, "required", string> {
  const validator: unknown = v.union(
    v.object({
      status: v.literal("committed"),
      replayed: v.boolean(),
      result: v.object(result),
      receipt: receiptValidator,
    }),
    rejectedValidator,
  );
  return validator as Validator<CommandResponse<Result>, "required", string>;
}

/** The answer of a command that took effect, now or at an earlier call with the same key. */
export function committed(
  orgId: string,
  replayed: boolean,
  result: Readonly<Record<string, string>>,
  receipt: Receipt,
): {
  status: "committed";
  replayed: boolean;
  result: Record<string, string>;
  receipt: Receipt & { orgId: string };
} {
  return { status: "committed", replayed, result: { ...result }, receipt: { orgId, ...receipt } };
}
