/** Who of the operators acts, as the ledger and the security log name them: a role or shift, never a person. */
import { v } from "convex/values";
import { Refusal } from "./errors.ts";

export const operatorName = v.optional(v.string());

const OPERATOR_NAME = /^[a-z][a-z0-9-]{0,31}$/;
const DEFAULT_OPERATOR = "operator";

/** The operator's name in due form. Throws INVALID. */
export function parseOperator(operator: string | undefined): string {
  const name = operator ?? DEFAULT_OPERATOR;
  if (!OPERATOR_NAME.test(name)) throw new Refusal("INVALID", { field: "operator" });
  return name;
}
