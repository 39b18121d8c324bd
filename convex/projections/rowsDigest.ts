/**
 * The digest of read models, made row by row so that it can be made in steps: SHA-256 over the digest so far and the
 * next line, a line being a table's name or a row's canonical JSON in UTF-8.
 */
import { canonicalize } from "../../ledger/canonicalJson.ts";
import { sha256Noble, toHex } from "../../ledger/hash.ts";
import type { AnyRow } from "./projection.ts";

/** The digest of nothing. */
export const EMPTY_DIGEST = toHex(sha256Noble(new TextEncoder().encode("daybook-read-models-v1\n")));

function withLine(digest: string, line: string): string {
  return toHex(sha256Noble(new TextEncoder().encode(`${digest}\n${line}`)));
}

/** The digest with a table begun. */
export function withTable(digest: string, table: string): string {
  return withLine(digest, table);
}

/** The digest with the next rows of the table. */
export function withRows(digest: string, rows: Iterable<AnyRow>): string {
  let next = digest;
  for (const row of rows) next = withLine(next, canonicalize(row));
  return next;
}
