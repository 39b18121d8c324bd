/** What the model expects of a query. */
export type Answer =
  /** With the fields that an INVALID may name. */
  | { kind: "refused"; code: string; fields: readonly string[] }
  /** A list that is read page by page. */
  | { kind: "rows"; rows: readonly object[]; order?: { by: string; direction: 1 | -1 } }
  /** A list whose rows are the server's own: only their order, and whose ids they hold, is known. */
  | { kind: "list"; order: { by: string; direction: 1 | -1 } }
  | { kind: "row"; row: object | null }
  | { kind: "head"; seq: number }
  | { kind: "events"; count: number }
  /** Whatever the check lets through, or a refusal with this code. */
  | { kind: "fits"; fits: (value: unknown) => boolean; orElse?: string };

export function refusal(code: string, fields: readonly string[] = []): Answer {
  return { kind: "refused", code, fields };
}
