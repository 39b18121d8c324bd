/** In the engine's thread: opens the engine and answers the main thread's messages, in the order they came. */
import type { MessagePort } from "node:worker_threads";
import type { Engine, Subscription } from "../engine/contract.ts";
import { Stopwatch } from "../engine/execution/stopwatch.ts";
import { openEngine } from "../engine/openEngine.ts";
import type { FromEngine, Method, Opened, Request, Requests, ThreadOptions, ToEngine } from "./messages.ts";
import { MessageBatch } from "./messageBatch.ts";
import { toPlainError } from "./plainError.ts";
import { fromPlainRequest, toPlainResponse } from "./plainHttp.ts";

/** How often the thread shows that its event loop turns. */
const HEARTBEAT_MS = 100;

type Handlers = { [M in Method]: (...args: Requests[M]["args"]) => Promise<Requests[M]["answer"]> };

/** Answers messages with an open engine. */
class EngineService {
  readonly #engine: Engine;
  readonly #send: (message: FromEngine) => void;
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #handlers: Handlers;

  constructor(engine: Engine, send: (message: FromEngine) => void) {
    this.#engine = engine;
    this.#send = send;
    this.#handlers = {
      query: (call, atTs) => engine.query(call, atTs),
      mutation: (call, session) => engine.mutation(call, session),
      action: (call) => engine.action(call),
      run: (call) => engine.run(call),
      httpAction: async (request, identity, requestId) => {
        const response = await engine.httpAction(fromPlainRequest(request), identity, requestId);
        return response === null ? null : await toPlainResponse(response);
      },
      refresh: (subscription) => this.#subscription(subscription).refresh(),
      readTable: (table, page) => engine.inspection.readTable(table, page),
      admitUpload: (token) => engine.files.admitUpload(token),
      commitUpload: (upload, content) => engine.files.commitUpload(upload, content),
      findFile: (key) => engine.files.find(key),
      close: async () => {
        await engine.close();
        return undefined;
      },
    };
  }

  receive(message: ToEngine): void {
    switch (message.kind) {
      case "request":
        void this.#answer(message);
        break;
      case "subscribe":
        this.#subscribe(message.subscription);
        break;
      case "add":
        this.#subscription(message.subscription).add(message.queryId, message.query);
        break;
      case "remove":
        this.#subscription(message.subscription).remove(message.queryId);
        break;
      case "unsubscribe":
        this.#subscription(message.subscription).close();
        this.#subscriptions.delete(message.subscription);
        break;
    }
  }

  async #answer<M extends Method>({ id, method, args }: Request<M>): Promise<void> {
    try {
      const answer = await this.#handlers[method](...args);
      this.#send({ kind: "answer", id, answer, ts: this.#engine.latestTs() });
    } catch (error) {
      this.#send({ kind: "failure", id, error: toPlainError(error), ts: this.#engine.latestTs() });
    }
  }

  #subscribe(subscription: number): void {
    const onStale = (): void => {
      this.#send({ kind: "stale", subscription, ts: this.#engine.latestTs() });
    };
    this.#subscriptions.set(subscription, this.#engine.subscribe(onStale));
  }

  #subscription(number: number): Subscription {
    const subscription = this.#subscriptions.get(number);
    if (subscription === undefined) throw new Error(`subscription ${number} is not open`);
    return subscription;
  }
}

function describe(engine: Engine): Opened {
  const components = engine.inspection.components();
  const tables = components.map(({ path }) => [path, engine.inspection.tables(path) ?? []] as const);
  return { authProviders: engine.authProviders(), components, tables: Object.fromEntries(tables) };
}

/** Opens the engine, says so or why not, and serves the port from then on. */
export async function serve(port: MessagePort, options: ThreadOptions): Promise<void> {
  // Before anything else runs, a function least of all: what is answered must be known to be.
  const outgoing = new MessageBatch<FromEngine>(
    (messages) => {
      port.postMessage(messages);
    },
    (flush) => {
      process.nextTick(flush);
    },
  );
  const send = (message: FromEngine): void => {
    outgoing.add(message);
  };
  // Listening from the start keeps the thread alive; nothing arrives before `opened` is sent.
  let service: EngineService | null = null;
  port.on("message", (messages: readonly ToEngine[]) => {
    for (const message of messages) service?.receive(message);
  });
  const stopwatch = new Stopwatch(options.watch);
  setInterval(() => {
    stopwatch.beat();
  }, HEARTBEAT_MS).unref();
  try {
    const engine = await openEngine({
      ...options,
      log: (record) => {
        send({ kind: "log", record });
      },
      onFatal: (failure) => {
        send({ kind: "fatal", error: toPlainError(failure) });
      },
    });
    service = new EngineService(engine, send);
    stopwatch.beat();
    send({ kind: "opened", opened: describe(engine), ts: engine.latestTs() });
  } catch (error) {
    send({ kind: "refused", error: toPlainError(error) });
  }
}
