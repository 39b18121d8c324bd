/**
 * Who makes a request, and the count of those who are nobody: a call without a token takes one of its source's calls,
 * and so does one whose token is refused, which is also told to the log and the metrics.
 */
import type { IncomingMessage } from "node:http";
import type { Identity } from "../engine/contract.ts";
import type { Authenticator } from "./authentication.ts";
import { AuthenticationError } from "./authenticationError.ts";
import { HttpProblem, type Exchange, type Reply } from "./httpExchange.ts";
import type { Log } from "./logging.ts";
import type { Metrics } from "./metrics.ts";
import type { SourceLimit } from "./sourceLimit.ts";

/** Tells who calls, for every door of the host. */
export class Callers {
  readonly #authenticator: Authenticator;
  readonly #sources: SourceLimit;
  readonly #log: Log;
  readonly #metrics: Metrics;

  constructor(parts: { authenticator: Authenticator; sources: SourceLimit; log: Log; metrics: Metrics }) {
    this.#authenticator = parts.authenticator;
    this.#sources = parts.sources;
    this.#log = parts.log;
    this.#metrics = parts.metrics;
  }

  /** Where a request comes from, as it is counted. */
  sourceOf(request: IncomingMessage): string {
    return this.#sources.sourceOf(request);
  }

  /** The caller of a request. Throws AuthenticationError, or HttpProblem 429. */
  async ofRequest({ request, requestId }: Exchange): Promise<Identity> {
    const source = this.sourceOf(request);
    const identity = await this.verified(source, requestId, () =>
      this.#authenticator.fromHeader(request.headers.authorization),
    );
    if (identity.kind === "anonymous") this.#sources.take(source);
    return identity;
  }

  /** Verifies credentials; those that are refused are counted and noted. Throws as `ofRequest`. */
  async verified(
    source: string,
    requestId: string | undefined,
    verify: () => Promise<Identity> | Identity,
  ): Promise<Identity> {
    try {
      return await verify();
    } catch (error) {
      if (error instanceof AuthenticationError) {
        this.#sources.take(source);
        const { code, message } = error;
        this.#metrics.refused(code);
        const security = { outcome: "refused", function: "authentication", code, detail: message };
        const ofRequest = requestId === undefined ? {} : { requestId };
        this.#log({ level: "warn", component: "security", message: "refused", ...security, ...ofRequest });
      }
      throw error;
    }
  }

  /**
   * Runs an HTTP action for whoever showed no valid token. What is answered with 4xx counts, and so is refused without
   * being run once its source has had too many; what is answered otherwise, such as a provider's delivery whose
   * signature verifies, does not. Throws HttpProblem 429.
   */
  async countingRefusals(request: IncomingMessage, run: () => Promise<Reply>): Promise<Reply> {
    // Calls of functions and requests to actions do not take from one another.
    const source = `${this.sourceOf(request)} http`;
    this.#sources.take(source);
    let isRefused = true;
    try {
      const reply = await run();
      isRefused = isRefusal(reply.status);
      return reply;
    } catch (error) {
      isRefused = error instanceof HttpProblem && isRefusal(error.status);
      throw error;
    } finally {
      if (!isRefused) this.#sources.giveBack(source);
    }
  }

  /** Counts what an anonymous client does over a WebSocket. Throws HttpProblem 429. */
  countAnonymous(source: string, identity: Identity): void {
    if (identity.kind === "anonymous") this.#sources.take(source);
  }
}

function isRefusal(status: number): boolean {
  return status >= 400 && status < 500;
}
