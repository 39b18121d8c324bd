/** What a route's handler gets. */
import type { Work } from "../state/work.ts";
import type { FormFields } from "./parameters.ts";

export interface Call {
  readonly work: Work;
  /** The parameters of the body or the query, without `expand`. */
  readonly fields: FormFields;
  /** The id in the path; empty for lists and creations. */
  readonly id: string;
}

export type Handler = (call: Call) => object;
