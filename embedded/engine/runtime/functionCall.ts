/** One running function: what its syscalls may see and do. Found through AsyncLocalStorage by everything it awaits. */
import type { Identity } from "../contract.ts";
import { PlatformError } from "../errors.ts";
import type { FunctionKind } from "../loader/functions.ts";
import type { QueryStream } from "../transaction/queryStream.ts";
import type { Transaction } from "../transaction/transaction.ts";
import type { LogLines } from "./logLines.ts";
import type { JsonObject } from "../values/json.ts";
import { RandomStream } from "./randomness.ts";

export const ANONYMOUS: Identity = { kind: "anonymous" };

export type RequestMetadata = { requestId: string; scheduledFunctionId: string | null };

/** What a top-level function and the functions it calls in its transaction share. */
export type Execution = {
  identity: Identity;
  request: RequestMetadata;
  logs: LogLines;
  /** A result that looked at the clock goes stale without any write. */
  usedClock: boolean;
  /** A result that did not look at its caller is the same for every caller. */
  usedIdentity: boolean;
  /** After a timeout nothing of it may touch the transaction any more. */
  abandoned: boolean;
  /** The end cursor of an earlier run, which keeps a page's bounds. */
  journal: string | null;
  nextJournal: string | null;
};

type CallOptions = {
  kind: FunctionKind;
  component: string;
  path: string;
  /** Null in actions. */
  transaction: Transaction | null;
  execution: Execution;
  parent: FunctionCall | null;
};

/** The running function. */
export class FunctionCall {
  readonly kind: FunctionKind;
  readonly component: string;
  readonly path: string;
  readonly execution: Execution;
  readonly depth: number;
  readonly nowMs: number;
  readonly random: RandomStream;
  readonly streams = new Map<number, QueryStream>();
  nextStreamId = 1;
  /** What it was called with. */
  args: JsonObject = {};
  hasPaginated = false;
  private readonly caller: Identity;
  private readonly transactionOrNull: Transaction | null;
  private ended = false;
  /** While a nested call holds the transaction, later syscalls of this function queue behind it. */
  private busy: Promise<void> | null = null;

  constructor({ kind, component, path, transaction, execution, parent }: CallOptions) {
    this.kind = kind;
    this.component = component;
    this.path = path;
    this.execution = execution;
    this.transactionOrNull = transaction;
    // Across a component's border the caller stays unknown.
    const inherited = parent === null ? execution.identity : parent.caller;
    this.caller = parent === null || parent.component === component ? inherited : ANONYMOUS;
    this.depth = parent === null ? 1 : parent.depth + 1;
    this.nowMs = transaction === null ? Date.now() : transaction.nowMs;
    this.random = new RandomStream(parent === null ? null : parent.random);
  }

  /** Who calls. Asking for it is noted. */
  get identity(): Identity {
    this.execution.usedIdentity = true;
    return this.caller;
  }

  /** The transaction of a query or mutation. */
  get transaction(): Transaction {
    if (this.transactionOrNull === null) throw new PlatformError("The database is not available in actions");
    return this.transactionOrNull;
  }

  get isAction(): boolean {
    return this.transactionOrNull === null;
  }

  requireMutation(): Transaction {
    if (this.kind !== "mutation") throw new PlatformError("Only mutations can write to the database");
    return this.transaction;
  }

  end(): void {
    this.ended = true;
  }

  /** Throws when the function has returned: a promise it forgot to await must not reach the next transaction. */
  requireRunning(): void {
    if (!this.ended && !this.execution.abandoned) return;
    throw new PlatformError(`${this.path} has already finished; await every promise it makes`);
  }

  /** Runs a syscall, after those before it when one of them still holds the transaction. */
  inOrder(holdsTransaction: boolean, run: () => string | Promise<string>): Promise<string> {
    if (this.isAction || (this.busy === null && !holdsTransaction)) return startNow(run);
    const before = this.busy ?? Promise.resolve();
    const result = before.then(() => {
      this.requireRunning();
      return run();
    });
    const settled: Promise<void> = result.then(
      () => undefined,
      () => undefined,
    );
    const tail = settled.then(() => {
      if (this.busy === tail) this.busy = null;
    });
    this.busy = tail;
    return result;
  }

  /** Resolves when no nested call of this function is running any more. */
  async drain(): Promise<void> {
    while (this.busy !== null) await this.busy;
  }
}

function startNow(run: () => string | Promise<string>): Promise<string> {
  try {
    return Promise.resolve(run());
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}
