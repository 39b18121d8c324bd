/** What lists have in common. */
import type { PaginationResult } from "convex/server";
import { v } from "convex/values";
import { PAGE_MAX } from "../access/arguments.ts";
import { actorValidator } from "../validators.ts";

/** Fields that every row carries. */
export const provenance = {
  version: v.number(),
  createdAt: v.number(),
  createdBy: actorValidator,
};

/**
 * A page with at most PAGE_MAX rows. Only a filtered live page can have grown beyond it between its bounds; what is
 * left of it then says, in Convex's words, that it has to be read in two.
 */
export function cutPage<Row>(result: PaginationResult<Row>): PaginationResult<Row> {
  if (result.page.length <= PAGE_MAX) return result;
  return { ...result, page: result.page.slice(0, PAGE_MAX), pageStatus: "SplitRequired" };
}

/** The same page with each row turned into its public form. */
export function mapPage<From, To>(
  result: PaginationResult<From>,
  map: (row: From) => To,
): PaginationResult<To> {
  return { ...result, page: result.page.map(map) };
}
