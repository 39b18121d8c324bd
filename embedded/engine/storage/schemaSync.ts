/**
 * Brings tables and indexes in line with the app's schemas, at start, in one transaction: tables → indexes
 * (dropped, added, filled) → documents of tables whose validator changed. A refusal changes nothing.
 */
import { HostError } from "../errors.ts";
import type { IndexJson, TableJson } from "../loader/functions.ts";
import type { App, Component } from "../loader/loadApp.ts";
import { validatorProblem } from "../validation/validator.ts";
import { textField } from "../values/json.ts";
import { SYSTEM_TABLES, type Table } from "./catalog.ts";
import { checkSchemaLimits } from "./schemaLimits.ts";
import type { Store } from "./store.ts";

const TIE_BREAKERS = ["_creationTime", "_id"];
const BUILT_IN = "by_creation_time";

function tableLabel({ component, name }: Table): string {
  return component === "" ? `table "${name}"` : `table "${name}" of component ${component}`;
}

/** Makes the table's indexes exactly the wanted ones. */
export function syncIndexes(store: Store, table: Table, wanted: readonly IndexJson[]): void {
  const fieldsByName = new Map(
    wanted.map(({ indexDescriptor, fields }) => [indexDescriptor, [...fields, ...TIE_BREAKERS]]),
  );
  for (const index of [...table.indexes.values()]) {
    if (index.name === BUILT_IN) continue;
    const fields = fieldsByName.get(index.name);
    if (JSON.stringify(fields) !== JSON.stringify(index.fields)) store.catalog.dropIndex(table, index);
  }
  for (const [name, fields] of fieldsByName) {
    if (!table.indexes.has(name)) store.backfill(table, store.catalog.addIndex(table, name, fields));
  }
}

/** The first field named in a validator's problem; the whole document otherwise. */
function fieldOf(problem: string): string {
  const field = /Path: \.(\S+)|field `([^`]+)`/.exec(problem);
  return field?.[1] ?? field?.[2] ?? "(the document itself)";
}

function checkDocuments(store: Store, table: Table): void {
  const { validator } = table;
  const text = validator === null ? null : JSON.stringify(validator);
  if (text === store.checkedValidator(table)) return;
  if (validator !== null) {
    const tableNameOf = (id: string): string | null => store.catalog.tableNameOf(table.component, id);
    for (const document of store.documents(table)) {
      const { _id, _creationTime, ...fields } = document;
      const problem = validatorProblem(validator, fields, tableNameOf);
      if (problem === null) continue;
      throw new HostError(
        "SCHEMA_MISMATCH",
        `The schema does not fit the stored documents: ${tableLabel(table)}, field ${fieldOf(problem)}, ` +
          `for example document ${textField(document, "_id")}. ${problem}\n` +
          "Change the schema so that it accepts what is stored, or start the version that wrote it and migrate.",
      );
    }
  }
  store.setCheckedValidator(table, text);
}

function syncTable(store: Store, component: Component, declared: TableJson, enforced: boolean): Table {
  const table = store.catalog.ensure(component.path, declared.tableName);
  table.validator = enforced ? declared.documentType : null;
  syncIndexes(store, table, declared.indexes);
  return table;
}

/** Applies every component's schema. Call inside a write transaction. Throws HostError SCHEMA_MISMATCH or FUNCTIONS_INVALID. */
export function syncSchemas(store: Store, app: App): void {
  const tables: Table[] = [];
  for (const component of app.values()) {
    for (const name of SYSTEM_TABLES) store.catalog.ensure(component.path, name);
    const enforced = component.schema?.schemaValidation ?? false;
    const declarations = component.schema?.tables ?? [];
    checkSchemaLimits(component.path, declarations, enforced);
    for (const declared of declarations) {
      tables.push(syncTable(store, component, declared, enforced));
    }
  }
  // Only now does every table have its number, which `v.id` needs.
  for (const table of tables) checkDocuments(store, table);
}
