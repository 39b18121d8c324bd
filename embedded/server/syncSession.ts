/**
 * One client's WebSocket. The order is what makes it right:
 *
 * 1. Messages are handled one at a time in the order they came; only calls run on beside them, mutations one
 *    after the other, each with the identity that stood when it arrived.
 * 2. A MutationResponse goes out before the Transition that shows its effect, and that Transition always
 *    follows: the client resolves the mutation when it has both.
 * 3. A Transition ends at the client's newest versions, and the next one starts exactly there.
 *
 * Anything malformed ends this socket only: FatalError when the client must not come back with the same
 * message, a close with a reason when it should reconnect.
 */
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Engine, Identity, Outcome, Timestamp } from "../engine/contract.ts";
import type { Authenticator } from "./authentication.ts";
import { AuthenticationError } from "./authenticationError.ts";
import type { Callers } from "./callers.ts";
import { makeCall, type Presentation } from "./functionCalls.ts";
import { HttpProblem, newRequestId, type Report } from "./httpExchange.ts";
import { Inbox } from "./inbox.ts";
import { MalformedJson, parseJsonText } from "./json.ts";
import { LiveQueries } from "./liveQueries.ts";
import type { Log } from "./logging.ts";
import { Outbox } from "./outbox.ts";
import {
  authError,
  clientMessage,
  fatalError,
  ping,
  response,
  transition,
  type ClientMessage,
  type ClientMessageOf,
  type StateVersion,
} from "./syncMessages.ts";
import { TaskQueue } from "./taskQueue.ts";

const PING_INTERVAL_MS = 15_000;
const SILENCE_MAX_MS = 120_000;
/** Arguments of the calls that wait for their turn. */
const CALLS_BYTES_MAX = 32 * 1024 * 1024;
/** Longer ones a timer would take for none. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export type SyncParts = {
  engine: Engine;
  authenticator: Authenticator;
  callers: Callers;
  presentation: Presentation;
  report: Report;
  log: Log;
  onTransition: () => void;
};

/** Lives as long as its socket. */
export class SyncSession {
  readonly #socket: WebSocket;
  readonly #parts: SyncParts;
  readonly #source: string;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #queries: LiveQueries;
  readonly #mutations = new TaskQueue({
    concurrency: 1,
    waitingMax: 1_000,
    waitingBytesMax: CALLS_BYTES_MAX,
  });
  readonly #actions = new TaskQueue({
    concurrency: 64,
    waitingMax: 1_000,
    waitingBytesMax: CALLS_BYTES_MAX,
  });
  readonly #heartbeat: NodeJS.Timeout;

  #sessionId: string | undefined;
  #clockSkewMs: number | undefined;
  #identity: Identity = { kind: "anonymous" };
  #expiry: NodeJS.Timeout | undefined;
  /** Newest versions that the client has told. */
  #client = { querySet: 0, identity: 0 };
  /** Where the last Transition ended. */
  #sent: StateVersion = { querySet: 0, identity: 0, ts: 0n };
  #updateWanted = false;
  #updating = false;
  /** Commit of the newest mutation that was answered and whose Transition has not been sent. */
  #owedTs: Timestamp | undefined;
  #ended = false;
  #heardAtMs = Date.now();

  /** `stream` is what the socket reads from and writes to, `source` where it comes from. */
  constructor(socket: WebSocket, stream: Duplex, source: string, parts: SyncParts) {
    this.#source = source;
    this.#socket = socket;
    this.#parts = parts;
    this.#inbox = new Inbox(socket, (text) => this.#guarded(() => this.#handle(text)));
    this.#outbox = new Outbox(socket, stream);
    const subscription = parts.engine.subscribe(() => {
      this.#wantUpdate();
    });
    this.#queries = new LiveQueries(subscription, parts.presentation);
    this.#heartbeat = setInterval(() => {
      this.#beat();
    }, PING_INTERVAL_MS);
    socket.on("message", (data, isBinary) => {
      this.#receive(data, isBinary);
    });
    socket.on("pong", () => (this.#heardAtMs = Date.now()));
    // What went wrong (a frame too large, a reset connection) is also the reason of the close that follows.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#release();
    });
  }

  /**
   * Takes no more messages, lets the running mutation answer, and asks the client to reconnect; what was not
   * answered it sends again then. Resolves when the client has closed its side too.
   */
  async shutDown(): Promise<void> {
    this.#ended = true;
    this.#inbox.close();
    this.#mutations.clear();
    this.#actions.clear();
    await this.#mutations.idle();
    const closed = new Promise<void>((resolve) => this.#socket.once("close", resolve));
    if (this.#socket.readyState === this.#socket.CLOSED) return;
    // A paused socket would not hear the client's answer.
    this.#socket.resume();
    this.#socket.close(1012, "InternalServerError: the server is shutting down");
    await closed;
  }

  get mutationsQueued(): number {
    return this.#mutations.waiting;
  }

  /** Cuts the connection. */
  terminate(): void {
    this.#socket.terminate();
  }

  #receive(data: unknown, isBinary: boolean): void {
    if (this.#ended) return;
    this.#heardAtMs = Date.now();
    if (isBinary) {
      this.#fatal("messages must be text");
      return;
    }
    this.#inbox.receive(String(data));
  }

  async #handle(text: string): Promise<void> {
    const parsed = clientMessage.safeParse(parseJsonText(text));
    if (!parsed.success) {
      const field = parsed.error.issues[0]?.path.join(".") ?? "";
      this.#fatal(`the message is malformed${field === "" ? "" : ` at ${field}`}`);
      return;
    }
    const message = parsed.data;
    if ((message.type === "Connect") === (this.#sessionId !== undefined)) {
      this.#fatal("a connection starts with exactly one Connect message");
      return;
    }
    await this.#react(message);
  }

  async #react(message: ClientMessage): Promise<void> {
    if (!this.#mayDo(message)) return;
    switch (message.type) {
      case "Connect":
        this.#connect(message);
        return;
      case "ModifyQuerySet":
        this.#modifyQuerySet(message);
        return;
      case "Authenticate":
        await this.#authenticate(message);
        return;
      case "Mutation":
        await this.#enqueueMutation(message);
        return;
      case "Action":
        await this.#enqueueAction(message);
        return;
      case "Event":
        return;
    }
  }

  /** False when the session is over, because whoever sends this is nobody and has sent too much. */
  #mayDo({ type }: ClientMessage): boolean {
    if (type !== "Mutation" && type !== "Action" && type !== "ModifyQuerySet") return true;
    try {
      this.#parts.callers.countAnonymous(this.#source, this.#identity);
      return true;
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error;
      this.#end(1013, "TooManyRequests: try again later");
      return false;
    }
  }

  #connect(message: ClientMessageOf<"Connect">): void {
    this.#sessionId = message.sessionId;
    if (message.clientTs !== undefined && message.clientTs !== null) {
      this.#clockSkewMs = Math.round(message.clientTs - Date.now());
    }
    // The client has seen data that this host does not have, as after restoring an older backup.
    if ((message.maxObservedTimestamp ?? 0n) > this.#parts.engine.latestTs()) {
      this.#end(1011, "InternalServerError: the client has seen a newer state than the server has");
    }
  }

  #modifyQuerySet(message: ClientMessageOf<"ModifyQuerySet">): void {
    const { baseVersion, newVersion, modifications } = message;
    if (baseVersion !== this.#client.querySet || newVersion <= baseVersion) {
      this.#fatal("the query set version does not follow");
      return;
    }
    this.#client.querySet = newVersion;
    this.#queries.stage(modifications);
    this.#wantUpdate();
  }

  async #authenticate(message: ClientMessageOf<"Authenticate">): Promise<void> {
    const { baseVersion } = message;
    if (baseVersion !== this.#client.identity) {
      this.#fatal("the identity version does not follow");
      return;
    }
    try {
      this.#identity = await this.#parts.callers.verified(this.#source, undefined, () =>
        this.#identityFrom(message),
      );
    } catch (error) {
      if (error instanceof HttpProblem) {
        this.#end(1013, "TooManyRequests: try again later");
        return;
      }
      if (!(error instanceof AuthenticationError)) throw error;
      this.#outbox.send(authError(error.message, baseVersion, true));
      this.#end(1000, "Unauthenticated");
      return;
    }
    this.#client.identity = baseVersion + 1;
    this.#watchExpiry();
    this.#wantUpdate();
  }

  /** A socket on which nothing happens ends with its token too. */
  #watchExpiry(): void {
    clearTimeout(this.#expiry);
    const leftMs = this.#parts.authenticator.msUntilExpiry(this.#identity);
    if (leftMs === Infinity) return;
    this.#expiry = setTimeout(
      () => {
        if (this.#mayRunFor(this.#identity)) this.#watchExpiry();
      },
      Math.min(Math.max(leftMs, 0), TIMER_MS_MAX),
    );
  }

  async #identityFrom(message: ClientMessageOf<"Authenticate">): Promise<Identity> {
    const { authenticator } = this.#parts;
    switch (message.tokenType) {
      case "None":
        return { kind: "anonymous" };
      case "User":
        return await authenticator.user(message.value ?? "");
      case "Admin":
        return authenticator.admin(message.value ?? "", message.impersonating);
    }
  }

  async #enqueueMutation(message: ClientMessageOf<"Mutation">): Promise<void> {
    const identity = this.#identity;
    const callId = newRequestId();
    const { requestId } = message;
    const call = makeCall({ ...message, path: message.udfPath }, identity, callId);
    const session = { sessionId: this.#sessionId ?? "", requestId };
    await this.#mutations.add(call.args.length, async () => {
      await this.#guarded(async () => {
        await this.#outbox.roomForResponse();
        if (!this.#mayRunFor(identity)) return;
        const outcome = await this.#parts.engine.mutation(call, session);
        const ids = { requestId, callId };
        this.#sendResponse(response("MutationResponse", ids, outcome, this.#parts.presentation));
        if (!outcome.ok) return;
        this.#owedTs = outcome.ts;
        this.#wantUpdate();
      });
    });
  }

  async #enqueueAction(message: ClientMessageOf<"Action">): Promise<void> {
    const identity = this.#identity;
    const callId = newRequestId();
    const call = makeCall({ ...message, path: message.udfPath }, identity, callId);
    await this.#actions.add(call.args.length, async () => {
      await this.#guarded(async () => {
        await this.#outbox.roomForResponse();
        if (!this.#mayRunFor(identity)) return;
        const outcome: Outcome = await this.#parts.engine.action(call);
        const ids = { requestId: message.requestId, callId };
        this.#sendResponse(response("ActionResponse", ids, outcome, this.#parts.presentation));
      });
    });
  }

  #sendResponse(text: string): void {
    this.#outbox.send(text);
    this.#endIfUnread();
  }

  #wantUpdate(): void {
    this.#updateWanted = true;
    void this.#guarded(() => this.#updateWhileWanted());
  }

  async #updateWhileWanted(): Promise<void> {
    if (this.#updating) return;
    this.#updating = true;
    try {
      while (this.#updateWanted) {
        await this.#outbox.roomForTransition();
        if (this.#ended) return;
        this.#updateWanted = false;
        await this.#update();
      }
    } finally {
      this.#updating = false;
    }
  }

  async #update(): Promise<void> {
    const identity = this.#identity;
    const start = this.#sent;
    const newest = { ...this.#client };
    if (!this.#mayRunFor(identity)) return;
    const { ts, modifications } = await this.#queries.update(identity);
    // Data must not reach a caller whose token ran out while it was computed.
    if (!this.#mayRunFor(identity)) return;
    const versionsChanged = newest.querySet !== start.querySet || newest.identity !== start.identity;
    if (modifications.length === 0 && !versionsChanged && this.#owedTs === undefined) return;
    this.#sent = { ...newest, ts };
    if (this.#owedTs !== undefined && ts >= this.#owedTs) this.#owedTs = undefined;
    const clock = { nowMs: Date.now(), clockSkewMs: this.#clockSkewMs };
    this.#outbox.sendTransition(transition(start, this.#sent, modifications, clock));
    this.#parts.onTransition();
    this.#endIfUnread();
  }

  /** False when the session is over; an expired token ends it, so that the client fetches a new one. */
  #mayRunFor(identity: Identity): boolean {
    if (this.#ended) return false;
    if (!this.#parts.authenticator.hasExpired(identity)) return true;
    this.#outbox.send(authError("the token has expired", this.#client.identity - 1, false));
    this.#end(1000, "Unauthenticated");
    return false;
  }

  #beat(): void {
    // A paused socket hears nothing; then it must at least still take what is sent.
    const aliveAtMs = this.#socket.isPaused ? this.#outbox.progressAtMs : this.#heardAtMs;
    if (Date.now() - aliveAtMs > SILENCE_MAX_MS) {
      this.#socket.terminate();
      return;
    }
    if (this.#endIfUnread()) return;
    this.#outbox.send(ping);
    if (this.#outbox.isOpen) this.#socket.ping();
  }

  /** Whether the session is over. The close frame comes after what waits; a client that never gets there is cut off. */
  #endIfUnread(): boolean {
    const { trouble } = this.#outbox;
    if (trouble === undefined || this.#ended) return this.#ended;
    this.#parts.log({ level: "warn", component: "sync", message: `closing a WebSocket: ${trouble}` });
    this.#end(1008, trouble);
    return true;
  }

  /** An unexpected error is the host's fault: the client reconnects and sends again what was not answered. */
  async #guarded(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (error instanceof HttpProblem || error instanceof MalformedJson) {
        this.#fatal(error.message);
        return;
      }
      if (this.#ended) return;
      this.#parts.report("a WebSocket session failed", error);
      this.#end(1011, "InternalServerError");
    }
  }

  #fatal(message: string): void {
    this.#outbox.send(fatalError(message));
    this.#end(1008, "the client sent something malformed");
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.close(code, reason);
    this.#release();
  }

  #release(): void {
    this.#ended = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#expiry);
    this.#inbox.close();
    this.#mutations.clear();
    this.#actions.clear();
    this.#queries.close();
  }
}
