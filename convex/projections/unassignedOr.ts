/**
 * Two assignees' rows in one ordered page: "mine or nobody's". No single index range holds both, and two
 * paginated queries cannot share a cursor, so this one place filters within the organisation's range. The scan is
 * bounded: a page may come back short, never late.
 */
import type { FilterBuilder, NamedTableInfo, OrderedQuery, PaginationOptions } from "convex/server";
import type { DataModel } from "../_generated/dataModel.js";

type Bookings = NamedTableInfo<DataModel, "bookings">;

/** Most rows that a page scans to find the ones to show. */
const SCAN_MAX = 4_000;

/** Options for a filtered page: it may scan further than it may be long, but not to an end that the client names. */
export function filteredPageOptions(options: PaginationOptions): PaginationOptions {
  return options.endCursor === undefined ? { ...options, maximumRowsRead: SCAN_MAX } : options;
}

export function unassignedOr(bookings: OrderedQuery<Bookings>, userId: string): OrderedQuery<Bookings> {
  return bookings.filter((q: FilterBuilder<Bookings>) =>
    q.or(q.eq(q.field("assigneeId"), userId), q.eq(q.field("assigneeId"), null)),
  );
}
