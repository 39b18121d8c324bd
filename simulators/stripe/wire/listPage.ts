/** Pages of lists: newest first, by cursor ids. */
import type { z } from "zod";
import { noSuch } from "./apiError.ts";
import { createdFilter, integer, text } from "./parameters.ts";

/** The parameters that every list takes; a list adds its own filters. */
export const pageParameters = {
  limit: integer(1, 100).optional(),
  starting_after: text().optional(),
  ending_before: text().optional(),
  created: createdFilter.optional(),
};

export interface PageParameters {
  readonly limit?: number | undefined;
  readonly starting_after?: string | undefined;
  readonly ending_before?: string | undefined;
  readonly created?: z.infer<typeof createdFilter> | undefined;
}

export interface ListPage<T> {
  readonly object: "list";
  readonly url: string;
  readonly has_more: boolean;
  readonly data: T[];
}

const LIMIT = 10;

function matches(created: number, filter: PageParameters["created"]): boolean {
  if (filter === undefined) return true;
  if (typeof filter === "number") return created === filter;
  const { gt = -1, gte = 0, lt = Infinity, lte = Infinity } = filter;
  return created > gt && created >= gte && created < lt && created <= lte;
}

/** A page of `kept`, which is in the order of creation. */
export function listPage<T extends { readonly id: string; readonly created: number }>(
  url: string,
  kind: string,
  kept: Iterable<T>,
  { limit = LIMIT, starting_after: after, ending_before: before, created }: PageParameters,
): ListPage<T> {
  const all = [...kept].reverse().filter((object) => matches(object.created, created));
  const positionOf = (id: string, param: string) => {
    const position = all.findIndex((object) => object.id === id);
    if (position < 0) throw noSuch(kind, id, param);
    return position;
  };
  if (before !== undefined) {
    const end = positionOf(before, "ending_before");
    const start = Math.max(0, end - limit);
    return { object: "list", url, has_more: start > 0, data: all.slice(start, end) };
  }
  const start = after === undefined ? 0 : positionOf(after, "starting_after") + 1;
  return { object: "list", url, has_more: all.length > start + limit, data: all.slice(start, start + limit) };
}
