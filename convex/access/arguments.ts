/**
 * Arguments at the door. Zod decides, so that a refusal has a code and names the field; it never echoes a value.
 */
import { z } from "zod";
import { Refusal } from "./errors.ts";

const PRINTABLE_NAME = /^[\w$.-]{1,64}$/;

/** Whether an object and all inside are plain: a smuggled prototype would hide keys from a strict schema. */
function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isPlain);
  if (typeof value !== "object" || value === null) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.values(value).every(isPlain);
}

/** The argument that holds something else than plain objects; null when none does. */
function smugglingField(args: unknown): string | null {
  if (isPlain(args)) return null;
  const fields = Object.entries(args ?? {});
  return printable(fields.find(([, value]) => !isPlain(value))?.[0]);
}

function printable(field = ""): string {
  return PRINTABLE_NAME.test(field) ? field : "arguments";
}

function fieldOf(issue: z.core.$ZodIssue): string {
  const path = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;
  return printable(path.map(String).join("."));
}

function messageOf(issue: z.core.$ZodIssue): string {
  return issue.code === "unrecognized_keys" ? "Unknown argument." : issue.message;
}

/** Parses arguments by a strict schema. Throws INVALID with the first bad field's name. */
export function parseArguments<Schema extends z.ZodType>(schema: Schema, args: unknown): z.output<Schema> {
  const smuggling = smugglingField(args);
  if (smuggling !== null) throw new Refusal("INVALID", { field: smuggling });
  const parsed = schema.safeParse(args);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue === undefined) throw new Refusal("INVALID", { field: "arguments" });
  throw new Refusal("INVALID", { field: fieldOf(issue), message: messageOf(issue) });
}

/** Largest page that a list returns, and its size when the client names none. */
export const PAGE_MAX = 200;
const PAGE_DEFAULT = 50;

const CURSOR_LENGTH_MAX = 8_192;
const cursor = z.string().max(CURSOR_LENGTH_MAX).nullable();

/**
 * Convex's `paginationOpts`. The page size is clamped, and so are the rows read: with an end cursor, or when a live
 * page runs again, Convex reads to that end whatever the page size says.
 */
export const paginationOpts = z
  .strictObject({
    numItems: z.int().min(1).default(PAGE_DEFAULT),
    cursor: cursor.default(null),
    endCursor: cursor.optional(),
    id: z.number().optional(),
    maximumRowsRead: z.number().optional(),
    maximumBytesRead: z.number().optional(),
  })
  .prefault({})
  .transform(({ numItems, cursor: from, endCursor }) => ({
    numItems: Math.min(numItems, PAGE_MAX),
    cursor: from,
    ...(endCursor === undefined ? {} : { endCursor }),
    maximumRowsRead: PAGE_MAX,
  }));

/** Page of a list that is addressed by sequence instead of a cursor. */
export const pageLimit = z
  .int()
  .min(1)
  .default(PAGE_DEFAULT)
  .transform((limit) => Math.min(limit, PAGE_MAX));
