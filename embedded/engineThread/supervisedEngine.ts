/**
 * The engine in a thread of its own, started again when a function had to be stopped or the thread broke. The
 * database is on disk, so a new thread goes on where the last commit was; calls that the old one had not answered
 * are made again where that can't repeat an effect, and are answered with an error where it could.
 */
import type {
  AuthProvider,
  Call,
  Engine,
  EngineOptions,
  Identity,
  Inspection,
  Outcome,
  QueryResult,
  SessionRequest,
  Subscription,
  Timestamp,
} from "../engine/contract.ts";
import { PlatformError } from "../engine/errors.ts";
import { OutcomeWriter } from "../engine/execution/outcome.ts";
import type { Files } from "../engine/files/contract.ts";
import { HOST_LIMITS } from "../engine/limits.ts";
import { EngineThread, ThreadEnded } from "./engineThread.ts";
import { fromPlainResponse, toPlainRequest } from "./plainHttp.ts";
import { StoppedCalls } from "./stoppedCalls.ts";
import { SupervisedSubscription } from "./supervisedSubscription.ts";
import type { ThreadEnd } from "./threadWatch.ts";

type Timed = Outcome & { ts: Timestamp };

/** Whether a call may be made again after its thread ended with it unanswered. */
type Repeatable = (ended: ThreadEnded) => boolean;

const ALWAYS: Repeatable = () => true;
const NEVER: Repeatable = () => false;
const IF_UNDONE: Repeatable = ({ isUndone }) => isUndone;

const INTERRUPTED =
  "The host's function thread was restarted while this ran, and it may have taken effect; " +
  "look before you repeat it, or repeat it with the same idempotency key";

function shuttingDown(): PlatformError {
  return new PlatformError("The host is shutting down", { visible: true });
}

/** The contract's Engine, over threads. */
export class SupervisedEngine implements Engine {
  readonly inspection: Inspection;
  readonly files: Files;
  readonly #options: EngineOptions;
  readonly #outcomes: OutcomeWriter;
  readonly #stopped = new StoppedCalls();
  readonly #subscriptions = new Map<number, SupervisedSubscription>();
  readonly #failuresMs: number[] = [];
  #nextSubscription = 1;
  /** The thread that opened last; it may have ended. */
  #newest: EngineThread;
  /** The thread to ask: the newest, or the next one while that opens. */
  #present: Promise<EngineThread>;
  #closing: Promise<void> | null = null;

  private constructor(options: EngineOptions, first: EngineThread) {
    this.#options = options;
    this.#outcomes = new OutcomeWriter(options.redactErrors);
    this.#newest = first;
    this.#present = Promise.resolve(first);
    this.inspection = {
      components: () => first.opened.components,
      tables: (componentPath) => first.opened.tables[componentPath] ?? null,
      readTable: async (table, page) =>
        await this.#repeated(ALWAYS, (thread) => thread.request("readTable", [table, page])),
    };
    this.files = {
      admitUpload: (token) => this.#repeated(ALWAYS, (thread) => thread.request("admitUpload", [token])),
      // The bytes stay where they are, and the engine knows a file that it has stored already.
      commitUpload: (...upload) => this.#repeated(ALWAYS, (thread) => thread.request("commitUpload", upload)),
      find: (key) => this.#repeated(ALWAYS, (thread) => thread.request("findFile", [key])),
    };
  }

  /** Opens the engine in a thread. Rejects with a HostError as `openEngine` does. */
  static async open(options: EngineOptions): Promise<SupervisedEngine> {
    const later: { engine: SupervisedEngine | null } = { engine: null };
    const first = await openThread({ ...options, isReopened: false }, [], () => later.engine);
    later.engine = new SupervisedEngine(options, first);
    return later.engine;
  }

  query(call: Call, atTs?: Timestamp): Promise<Timed> {
    return this.#call(call, ALWAYS, (thread) => thread.request("query", [call, atTs]));
  }

  mutation(call: Call, session?: SessionRequest): Promise<Timed> {
    // With a session the engine knows a mutation that took effect, and answers as it did then.
    const repeatable = session === undefined ? IF_UNDONE : ALWAYS;
    return this.#call(call, repeatable, (thread) => thread.request("mutation", [call, session]));
  }

  action(call: Call): Promise<Outcome> {
    return this.#call(call, NEVER, (thread) => thread.request("action", [call]));
  }

  run(call: Call): Promise<Outcome> {
    return this.#call(call, NEVER, (thread) => thread.request("run", [call]));
  }

  async httpAction(request: Request, identity: Identity, requestId: string): Promise<Response | null> {
    const plain = await toPlainRequest(request);
    const answer = await this.#repeated(NEVER, (thread) =>
      thread.request("httpAction", [plain, identity, requestId]),
    );
    return answer === null ? null : fromPlainResponse(answer);
  }

  subscribe(onStale: () => void): Subscription {
    const number = this.#nextSubscription;
    this.#nextSubscription += 1;
    const host = {
      thread: () => this.#asked(),
      anyStopped: () => !this.#stopped.isEmpty,
      stoppedResult: (call: Call) => this.#stoppedResult(call),
    };
    const onClose = (): void => {
      this.#subscriptions.delete(number);
    };
    const subscription = new SupervisedSubscription(number, host, { onStale, onClose });
    this.#subscriptions.set(number, subscription);
    return subscription;
  }

  latestTs(): Timestamp {
    return this.#newest.latestTs();
  }

  authProviders(): readonly AuthProvider[] {
    return this.#newest.opened.authProviders;
  }

  close(): Promise<void> {
    this.#closing ??= this.#present.then(
      (thread) => thread.close(HOST_LIMITS.closeGraceMs),
      () => undefined,
    );
    return this.#closing;
  }

  /** A commit touched what a subscription of the present thread read. */
  stale(subscription: number): void {
    this.#subscriptions.get(subscription)?.stale();
  }

  /** The present thread ended: says why, and opens the next one. */
  ended(end: ThreadEnd): void {
    if (end.kind === "closed" || this.#closing !== null) return;
    const stoppedJobs = "call" in end ? [end.call.requestId] : [];
    if ("call" in end) this.#stopped.add(end);
    this.#report(end);
    this.#present = this.#mayGoOn(end) ? this.#reopen(stoppedJobs) : Promise.reject(brokenDown());
    // Whoever asks hears of it; nobody may be asking.
    this.#present.catch(() => undefined);
    for (const subscription of this.#subscriptions.values()) subscription.threadEnded();
  }

  /** The engine can't go on, here or in another thread. */
  fatal(failure: Error): void {
    this.#options.onFatal?.(failure);
  }

  async #reopen(stoppedJobs: readonly string[]): Promise<EngineThread> {
    try {
      this.#newest = await openThread({ ...this.#options, isReopened: true }, stoppedJobs, () => this);
      return this.#newest;
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      this.fatal(new Error(`The engine could not be opened again: ${cause.message}`, { cause }));
      throw cause;
    }
  }

  async #asked(): Promise<EngineThread> {
    if (this.#closing !== null) throw shuttingDown();
    return await this.#present;
  }

  async #call<T extends Outcome>(
    call: Call,
    repeatable: Repeatable,
    make: (thread: EngineThread) => Promise<T>,
  ): Promise<T | Timed> {
    for (;;) {
      const stopped = this.#stopped.errorFor(call);
      if (stopped !== null) return this.#failed(stopped);
      try {
        return await make(await this.#asked());
      } catch (error) {
        const { refusal, isUndone } = verdictOn(error, repeatable);
        // What stopped the thread itself is answered at the top of the loop, as having had no effect.
        const isAnswered = isUndone && this.#stopped.errorFor(call) !== null;
        if (refusal !== null && !isAnswered) return this.#failed(refusal);
      }
    }
  }

  async #repeated<T>(repeatable: Repeatable, make: (thread: EngineThread) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await make(await this.#asked());
      } catch (error) {
        const { refusal } = verdictOn(error, repeatable);
        if (refusal !== null) throw refusal;
      }
    }
  }

  #failed(error: Error): Timed {
    return { ...this.#outcomes.thrown(error), ts: this.latestTs() };
  }

  #stoppedResult(call: Call): QueryResult | null {
    const error = this.#stopped.errorFor(call);
    if (error === null) return null;
    return { outcome: this.#outcomes.thrown(error), journal: null, token: `stopped ${error.message}` };
  }

  /** Ends that no function explains are the host's own: a few in a row and it had better stop. */
  #mayGoOn(end: ThreadEnd): boolean {
    if (end.kind !== "broken") return true;
    const nowMs = Date.now();
    const recent = this.#failuresMs.filter((ms) => nowMs - ms < HOST_LIMITS.threadFailuresForgottenMs);
    this.#failuresMs.splice(0, this.#failuresMs.length, ...recent, nowMs);
    if (recent.length < HOST_LIMITS.threadFailuresMax) return true;
    this.fatal(new Error("The engine keeps breaking down"));
    return false;
  }

  #report(end: ThreadEnd): void {
    const message = "the engine's thread was ended and is started again";
    const { log } = this.#options;
    if ("call" in end) {
      const { path, component, requestId } = end.call;
      log({ level: "error", message, why: end.kind, function: path, component, requestId });
    } else if (end.kind === "broken") {
      log({ level: "error", message, why: end.error.message, stack: end.error.stack ?? "" });
    } else {
      log({ level: "error", message, why: "an action kept it from answering" });
    }
  }
}

function brokenDown(): PlatformError {
  return new PlatformError("The engine has broken down", { visible: true });
}

type Verdict = { refusal: PlatformError | null; isUndone: boolean };

/** What to answer an unanswered call with; null when it is made again. Throws what is no end of a thread. */
function verdictOn(error: unknown, repeatable: Repeatable): Verdict {
  if (!(error instanceof ThreadEnded)) throw error;
  const { end, isUndone } = error;
  if (end.kind === "closed") return { refusal: shuttingDown(), isUndone };
  const refusal = repeatable(error) ? null : new PlatformError(INTERRUPTED, { visible: true });
  return { refusal, isUndone };
}

function openThread(
  { log, onFatal, ...options }: EngineOptions,
  stoppedJobs: readonly string[],
  engine: () => SupervisedEngine | null,
): Promise<EngineThread> {
  return EngineThread.open(
    { ...options, stoppedJobs },
    {
      log,
      onStale: (subscription) => engine()?.stale(subscription),
      onEnd: (end) => engine()?.ended(end),
      onFatal: (failure) => engine()?.fatal(failure),
    },
  );
}
