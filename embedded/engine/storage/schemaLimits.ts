/** Convex's limits on a schema: names, tables and indexes. */
import { HostError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { IndexJson, TableJson } from "../loader/functions.ts";
import type { ValidatorJson } from "../validation/validator.ts";

const BUILT_IN_INDEXES: ReadonlySet<string> = new Set(["by_id", "by_creation_time"]);

/** Why a text can't be the name of a table, an index or an indexed field, in Convex's words, or null. */
export function identifierProblem(name: string): string | null {
  if (name === "") return "Identifier cannot be empty";
  const [first = ""] = name;
  if (!/[A-Za-z_]/.test(first)) {
    return `Invalid first character '${first}' in ${name}: Identifiers must start with an alphabetic character or underscore`;
  }
  const odd = /[^A-Za-z0-9_]/u.exec(name)?.[0];
  if (odd !== undefined) {
    return `Identifier ${name} has invalid character '${odd}': Identifiers can only contain alphanumeric characters or underscores`;
  }
  if (name.length > LIMITS.identifierLengthMax) {
    return `Identifier is too long (${name.length} > maximum ${LIMITS.identifierLengthMax})`;
  }
  return /^_+$/.test(name) ? `Identifier ${name} cannot have exclusively underscores` : null;
}

/** Whether a document that fits the validator can have a value at the path. */
function canContain(validator: ValidatorJson | null, path: readonly string[]): boolean {
  const [name, ...rest] = path;
  if (validator === null || name === undefined) return true;
  switch (validator.type) {
    case "any":
    case "record":
      return true;
    case "union":
      return validator.value.some((member) => canContain(member, path));
    case "object": {
      const field = Object.hasOwn(validator.value, name) ? validator.value[name] : undefined;
      return field !== undefined && canContain(field.fieldType, rest);
    }
    default:
      return false;
  }
}

function fieldProblem(index: IndexJson, field: string): string | null {
  if (field === "_creationTime" || field === "_id") {
    return `the index "${index.indexDescriptor}" names ${field}, which every index has at its end already`;
  }
  return (
    field
      .split(".")
      .map(identifierProblem)
      .find((problem) => problem !== null) ?? null
  );
}

function indexProblem(index: IndexJson, documentType: ValidatorJson | null): string | null {
  const { indexDescriptor: name, fields } = index;
  if (name.startsWith("_") || BUILT_IN_INDEXES.has(name)) return `the index name "${name}" is reserved`;
  const problem = identifierProblem(name);
  if (problem !== null) return problem;
  if (fields.length === 0) return `the index "${name}" has no fields`;
  if (fields.length > LIMITS.fieldsPerIndexMax) {
    return `the index "${name}" has ${fields.length} fields (limit: ${LIMITS.fieldsPerIndexMax})`;
  }
  if (new Set(fields).size < fields.length) return `the index "${name}" names a field twice`;
  for (const field of fields) {
    const wrong = fieldProblem(index, field);
    if (wrong !== null) return wrong;
    if (!canContain(documentType, field.split("."))) {
      return `the index "${name}" is invalid because it references the field ${field} that does not exist.`;
    }
  }
  return null;
}

function tableProblem({ tableName, indexes, documentType }: TableJson, enforced: boolean): string | null {
  if (tableName.startsWith("_")) return "table names that start with an underscore are the system's";
  const problem = identifierProblem(tableName);
  if (problem !== null) return problem;
  if (indexes.length > LIMITS.indexesPerTableMax) {
    return `it has ${indexes.length} indexes (limit: ${LIMITS.indexesPerTableMax})`;
  }
  const names = new Set(indexes.map(({ indexDescriptor }) => indexDescriptor));
  if (names.size < indexes.length) return "two of its indexes have the same name";
  for (const index of indexes) {
    const wrong = indexProblem(index, enforced ? documentType : null);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** `enforced`: documents are held to the schema. Throws HostError FUNCTIONS_INVALID, which names table and index. */
export function checkSchemaLimits(component: string, tables: readonly TableJson[], enforced: boolean): void {
  const where = component === "" ? "" : ` of component ${component}`;
  if (tables.length > LIMITS.tablesMax) {
    throw new HostError(
      "FUNCTIONS_INVALID",
      `The schema${where} has ${tables.length} tables (limit: ${LIMITS.tablesMax})`,
    );
  }
  for (const table of tables) {
    const problem = tableProblem(table, enforced);
    if (problem === null) continue;
    throw new HostError("FUNCTIONS_INVALID", `In table "${table.tableName}"${where} ${problem}`);
  }
}
