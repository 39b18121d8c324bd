/** Convex's validators, interpreted over Convex JSON, with its wording of what does not fit. */
import { specialKeyOf, type Json, type JsonObject } from "../values/json.ts";
import { showValidator, showValue } from "./describe.ts";

export type FieldJson = { fieldType: ValidatorJson; optional: boolean };

/** What `exportArgs`, `exportReturns` and a schema's export hold. */
export type ValidatorJson =
  | { type: "any" | "null" | "number" | "bigint" | "commitTs" | "boolean" | "string" | "bytes" }
  | { type: "literal"; value: Json }
  | { type: "id"; tableName: string }
  | { type: "array"; value: ValidatorJson }
  | { type: "record"; keys: ValidatorJson; values: FieldJson }
  | { type: "union"; value: ValidatorJson[] }
  | { type: "object"; value: Record<string, FieldJson> };

/** Name of the table that an id belongs to, or null. */
export type TableNameOf = (id: string) => string | null;

type Kind = "null" | "boolean" | "number" | "string" | "bigint" | "bytes" | "array" | "object" | "undefined";

function kindOf(value: Json): Kind {
  if (value === null) return "null";
  if (typeof value === "boolean" || typeof value === "number" || typeof value === "string") {
    return typeof value as "boolean" | "number" | "string";
  }
  if (Array.isArray(value)) return "array";
  switch (specialKeyOf(value)) {
    case "$integer":
    case "$commitTs":
      return "bigint";
    case "$float":
      return "number";
    case "$bytes":
      return "bytes";
    case "$undefined":
      return "undefined";
    case null:
      return "object";
  }
}

function noMatch(validator: ValidatorJson, value: Json, path: string): string {
  const where = path === "" ? "" : `Path: ${path}\n`;
  return `Value does not match validator.\n${where}Value: ${showValue(value)}\nValidator: ${showValidator(validator)}`;
}

function checkId(tableName: string, value: Json, path: string, tableNameOf: TableNameOf): string | null {
  const validator: ValidatorJson = { type: "id", tableName };
  const found = typeof value === "string" ? tableNameOf(value) : null;
  if (found === null) return noMatch(validator, value, path);
  if (found === tableName) return null;
  const where = path === "" ? "" : `\nPath: ${path}`;
  return (
    `Found ID ${showValue(value)} from table \`${found}\`, which does not match the table name in validator ` +
    `\`${showValidator(validator)}\`.${where}`
  );
}

function checkObject(
  validator: Extract<ValidatorJson, { type: "object" }>,
  object: JsonObject,
  path: string,
  tableNameOf: TableNameOf,
): string | null {
  const context = (): string => {
    const where = path === "" ? "" : `Path: ${path}\n`;
    return `\n\n${where}Object: ${showValue(object)}\nValidator: ${showValidator(validator)}`;
  };
  for (const [name, field] of Object.entries(validator.value)) {
    if (!Object.hasOwn(object, name)) {
      if (field.optional) continue;
      return (
        `Object is missing the required field \`${name}\`. Consider wrapping the field validator in ` +
        `\`v.optional(...)\` if this is expected.${context()}`
      );
    }
    const problem = validatorProblem(field.fieldType, object[name] ?? null, tableNameOf, `${path}.${name}`);
    if (problem !== null) return problem;
  }
  for (const name of Object.keys(object)) {
    if (!Object.hasOwn(validator.value, name)) {
      return `Object contains extra field \`${name}\` that is not in the validator.${context()}`;
    }
  }
  return null;
}

function checkRecord(
  validator: Extract<ValidatorJson, { type: "record" }>,
  record: JsonObject,
  path: string,
  tableNameOf: TableNameOf,
): string | null {
  for (const [name, value] of Object.entries(record)) {
    const problem =
      validatorProblem(validator.keys, name, tableNameOf, path) ??
      validatorProblem(validator.values.fieldType, value, tableNameOf, `${path}.${name}`);
    if (problem !== null) return problem;
  }
  return null;
}

function checkArray(
  item: ValidatorJson,
  array: Json[],
  path: string,
  tableNameOf: TableNameOf,
): string | null {
  for (const [position, element] of array.entries()) {
    const problem = validatorProblem(item, element, tableNameOf, `${path}[${position}]`);
    if (problem !== null) return problem;
  }
  return null;
}

type Composite = Extract<ValidatorJson, { type: "array" | "object" | "record" }>;

function checkComposite(
  validator: Composite,
  value: Json,
  path: string,
  tableNameOf: TableNameOf,
): string | null {
  const kind = validator.type === "array" ? "array" : "object";
  if (kindOf(value) !== kind) return noMatch(validator, value, path);
  switch (validator.type) {
    case "array":
      return checkArray(validator.value, value as Json[], path, tableNameOf);
    case "object":
      return checkObject(validator, value as JsonObject, path, tableNameOf);
    case "record":
      return checkRecord(validator, value as JsonObject, path, tableNameOf);
  }
}

function fitsOne(
  members: readonly ValidatorJson[],
  value: Json,
  path: string,
  tableNameOf: TableNameOf,
): boolean {
  return members.some((member) => validatorProblem(member, value, tableNameOf, path) === null);
}

/** Says how `value` fails the validator, in Convex's words, or null when it fits. */
export function validatorProblem(
  validator: ValidatorJson,
  value: Json,
  tableNameOf: TableNameOf,
  path = "",
): string | null {
  let fits: boolean;
  switch (validator.type) {
    case "any":
      return null;
    case "id":
      return checkId(validator.tableName, value, path, tableNameOf);
    case "array":
    case "object":
    case "record":
      return checkComposite(validator, value, path, tableNameOf);
    case "literal":
      fits = JSON.stringify(value) === JSON.stringify(validator.value);
      break;
    case "union":
      fits = fitsOne(validator.value, value, path, tableNameOf);
      break;
    default:
      fits = kindOf(value) === (validator.type === "commitTs" ? "bigint" : validator.type);
  }
  return fits ? null : noMatch(validator, value, path);
}
