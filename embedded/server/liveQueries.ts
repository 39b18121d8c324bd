/**
 * The query set of one socket over an engine subscription. Changes are staged when they arrive and applied at
 * the start of the next update, so that an update that is under way keeps one identity and one query set.
 */
import type { Identity, Subscription, Timestamp } from "../engine/contract.ts";
import { makeCall, type Presentation } from "./functionCalls.ts";
import { HttpProblem, newRequestId } from "./httpExchange.ts";
import { queryChanged, queryRemoved, type AddedQuery, type QuerySetChange } from "./syncMessages.ts";

const QUERIES_MAX = 4_096;

type LiveEntry = {
  added: AddedQuery;
  callId: string;
  journal: string | null;
  /** Token of the result that the client has; undefined before the first. */
  tokenSent: string | undefined;
};

/** What one client has subscribed to, and which results it has already. */
export class LiveQueries {
  readonly #subscription: Subscription;
  readonly #presentation: Presentation;
  readonly #entries = new Map<number, LiveEntry>();
  #staged: QuerySetChange[] = [];
  #identity: Identity = { kind: "anonymous" };

  constructor(subscription: Subscription, presentation: Presentation) {
    this.#subscription = subscription;
    this.#presentation = presentation;
  }

  stage(changes: readonly QuerySetChange[]): void {
    for (const change of changes) this.#staged.push(change);
  }

  /**
   * Applies what is staged, evaluates all queries at one snapshot and gives the texts of what changed for the
   * client. Throws HttpProblem on a change that the protocol or the identity does not allow.
   */
  async update(identity: Identity): Promise<{ ts: Timestamp; modifications: string[] }> {
    if (identity !== this.#identity) this.#changeIdentity(identity);
    const modifications = this.#applyStaged();
    const { ts, results } = await this.#subscription.refresh();
    for (const [queryId, result] of results) {
      const entry = this.#entries.get(queryId);
      if (entry === undefined || entry.tokenSent === result.token) continue;
      entry.tokenSent = result.token;
      entry.journal = result.journal;
      modifications.push(queryChanged(queryId, entry.callId, result, this.#presentation));
    }
    return { ts, modifications };
  }

  close(): void {
    this.#subscription.close();
  }

  /** Everything runs again: another caller may see other data. Tokens compare results of one call only. */
  #changeIdentity(identity: Identity): void {
    this.#identity = identity;
    for (const [queryId, entry] of this.#entries) {
      this.#subscription.remove(queryId);
      entry.tokenSent = undefined;
      this.#subscribe(queryId, entry);
    }
  }

  #applyStaged(): string[] {
    const removals: string[] = [];
    const staged = this.#staged;
    this.#staged = [];
    for (const change of staged) {
      if (change.type === "Remove") {
        if (this.#entries.delete(change.queryId)) this.#subscription.remove(change.queryId);
        removals.push(queryRemoved(change.queryId));
      } else this.#add(change);
    }
    return removals;
  }

  #add(added: AddedQuery): void {
    if (this.#entries.has(added.queryId))
      throw new HttpProblem(400, "BadRequest", "a query id is used twice");
    if (this.#entries.size >= QUERIES_MAX) {
      throw new HttpProblem(400, "TooManyQueries", `one client may have at most ${QUERIES_MAX} live queries`);
    }
    const entry = { added, callId: newRequestId(), journal: added.journal ?? null, tokenSent: undefined };
    this.#subscribe(added.queryId, entry);
    this.#entries.set(added.queryId, entry);
  }

  #subscribe(queryId: number, entry: LiveEntry): void {
    const { udfPath: path, args, componentPath } = entry.added;
    const call = makeCall({ path, args, componentPath }, this.#identity, entry.callId);
    this.#subscription.add(queryId, { call, journal: entry.journal });
  }
}
