/** What the faults that are set do to an answer. */
import type { Engine } from "../engine.ts";
import type { Fault } from "./faults.ts";
import { jsonAnswer } from "./http.ts";
import type { HttpAnswer } from "./http.ts";

/** An answer, and what the wire does to it. */
export interface WireAnswer {
  readonly answer: HttpAnswer;
  readonly transport: "send" | "cut" | "truncate";
}

const SERVER_ERROR = "An unknown error occurred. (A fault of the simulator.)";

/** The answer of `error` and `error_after`. */
export const serverError = { error: { message: SERVER_ERROR, type: "api_error" } };

/** Faults before which nothing is done. */
export function faultBefore(fault: Fault | undefined): WireAnswer | undefined {
  const should: Record<string, string> =
    fault?.shouldRetry === undefined ? {} : { "stripe-should-retry": String(fault.shouldRetry) };
  const refuse = (status: number, error: object, headers: Record<string, string> = {}): WireAnswer => ({
    answer: jsonAnswer(status, { error }, { ...should, ...headers }),
    transport: "send",
  });
  switch (fault?.kind) {
    case "drop_before":
      return { answer: jsonAnswer(500, {}), transport: "cut" };
    case "error":
      return refuse(500, serverError.error);
    case "conflict":
      return refuse(409, {
        code: "lock_timeout",
        message: "This object cannot be accessed right now because another API request is accessing it.",
        type: "invalid_request_error",
      });
    case "rate_limited":
      return refuse(
        429,
        {
          code: "rate_limit",
          message: "Too many requests hit the API too quickly.",
          type: "invalid_request_error",
        },
        {
          "retry-after": String(fault.retryAfterS ?? 1),
          ...(fault.shouldRetry === false ? {} : { "stripe-should-retry": "true" }),
        },
      );
    default:
      return undefined;
  }
}

/** Faults after what was asked for is done. */
export function faultAfter(fault: Fault | undefined, answer: HttpAnswer): WireAnswer {
  switch (fault?.kind) {
    case "drop_after":
      return { answer, transport: "cut" };
    case "truncated":
      return { answer, transport: "truncate" };
    case "bad_json":
      return {
        answer: { ...answer, body: "<html><title>502 Bad Gateway</title></html>" },
        transport: "send",
      };
    default:
      return { answer, transport: "send" };
  }
}

/** Waits as long as `slow` says. */
export async function slowDown(engine: Engine, fault: Fault | undefined): Promise<void> {
  if (fault?.kind !== "slow") return;
  await new Promise<void>((resolve) => {
    engine.clock.schedule(fault.delayMs ?? 0, resolve);
  });
}

/** Answers under the fault that meets this request; what is `run` is done at most once. */
export async function answerWithFaults(
  engine: Engine,
  method: string,
  path: string,
  run: () => Promise<HttpAnswer>,
): Promise<WireAnswer> {
  const fault = engine.faults.take(method, path);
  const before = faultBefore(fault);
  if (before !== undefined) return before;
  const answer = await run();
  await slowDown(engine, fault);
  return faultAfter(fault, fault?.kind === "error_after" ? jsonAnswer(500, serverError) : answer);
}
