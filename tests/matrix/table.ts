/** Reads tests/authorization-matrix.md. A blank or unknown cell, or a row of another length, is an error. */
import { CODES, type Code } from "../../convex/access/errors.ts";
import { ROLES, type Role } from "../../ledger/event.ts";

/** Actor, and for two of them whose the booking is. */
export const COLUMNS = [
  "owner",
  "manager",
  "staff",
  "staff:other",
  "staff:free",
  "freelancer",
  "freelancer:other",
  "freelancer:free",
  "guest",
  "auditor",
  "removed",
  "anon",
] as const;
export type Column = (typeof COLUMNS)[number];

export type Cell =
  { kind: "allowed"; conditions: readonly string[] } | { kind: "refused"; code: Code } | { kind: "n/a" };

export type MatrixRow = {
  name: string;
  /** Types of the events that an allowed call appends, in order. */
  events: readonly string[];
  cells: Readonly<Record<Column, Cell>>;
  /** Roles that get through when frozen and closed; undefined where no organisation is needed. */
  frozen: readonly Role[] | undefined;
  closed: readonly Role[] | undefined;
};

export type Matrix = {
  rows: readonly MatrixRow[];
  /** Condition to the code of its refusal; null when it is about what an answer shows. */
  conditions: ReadonlyMap<string, Code | null>;
};

const REFUSALS: Readonly<Record<string, Code>> = {
  ".": "FORBIDDEN",
  "0": "NOT_FOUND",
  org: "NO_ACTIVE_ORG",
  "401": "UNAUTHENTICATED",
};

function parseCell(text: string): Cell {
  if (text === "n/a") return { kind: "n/a" };
  const code = REFUSALS[text];
  if (code !== undefined) return { kind: "refused", code };
  if (!/^\+(c\d+)*$/.test(text)) throw new Error(`not a cell: "${text}"`);
  return { kind: "allowed", conditions: text.match(/c\d+/g) ?? [] };
}

function parseList(text: string): string[] {
  return text === "-" ? [] : text.split(" ");
}

function parseRoles(text: string): Role[] | undefined {
  if (text === "n/a") return undefined;
  return parseList(text).map((name) => {
    const role = ROLES.find((known) => known === name);
    if (role === undefined) throw new Error(`not a role: "${name}"`);
    return role;
  });
}

/** The rows of the table whose first heading is `first`, without heading and rule. */
export function tableOf(markdown: string, first: string): { heading: string[]; rows: string[][] } {
  const lines = markdown.split("\n");
  const at = lines.findIndex((line) => line.startsWith(`| ${first} `));
  const rest = lines.slice(at + 2);
  const end = rest.findIndex((line) => !line.startsWith("|"));
  const cellsOf = (line = ""): string[] =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  return { heading: cellsOf(lines[at]), rows: rest.slice(0, end === -1 ? undefined : end).map(cellsOf) };
}

function parseRow(cells: readonly string[]): MatrixRow {
  const [name = "", events = "", ...rest] = cells;
  if (rest.length !== COLUMNS.length + 2) throw new Error(`${name}: ${rest.length} cells`);
  if (events === "") throw new Error(`${name}: no events named`);
  const parsed = COLUMNS.map((column, index): [Column, Cell] => [column, parseCell(rest[index] ?? "")]);
  const [frozen = "", closed = ""] = rest.slice(COLUMNS.length);
  return {
    name,
    events: parseList(events),
    cells: Object.fromEntries(parsed) as Record<Column, Cell>,
    frozen: parseRoles(frozen),
    closed: parseRoles(closed),
  };
}

function parseConditionCode(text: string): Code | null {
  if (text === "-") return null;
  const code = CODES.find((known) => known === text);
  if (code === undefined) throw new Error(`not a code: "${text}"`);
  return code;
}

/** Parses the document. Throws on whatever is not in due form. */
export function parseMatrix(markdown: string): Matrix {
  const { heading, rows } = tableOf(markdown, "function");
  const expected = ["function", "events", ...COLUMNS, "frozen", "closed"];
  if (heading.join() !== expected.join()) throw new Error(`other columns: ${heading.join()}`);
  const conditions = tableOf(markdown, "condition").rows.map(
    ([id = "", , , , code = ""]): [string, Code | null] => [id, parseConditionCode(code)],
  );
  return { rows: rows.map(parseRow), conditions: new Map(conditions) };
}
