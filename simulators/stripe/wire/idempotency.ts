/**
 * Idempotency keys, by (API key, account, key). The first answer is saved once something began, whatever it says, and
 * repeated for 24 hours with `Idempotent-Replayed: true`; the same key with other parameters or for another endpoint
 * is refused, and so is one whose first request still runs.
 */
import { createHash } from "node:crypto";
import { StripeApiError } from "./apiError.ts";
import type { IdempotentAnswer, SimulatorState } from "../state/simulatorState.ts";

const KEPT_MS = 24 * 60 * 60 * 1000;
const KEY_LENGTH_MAX = 255;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

export interface KeyedRequest {
  readonly apiKey: string;
  readonly accountId: string;
  readonly key: string;
  /** Method and path. */
  readonly endpoint: string;
  /** The parameters as they were sent. */
  readonly body: string;
  readonly requestId: string;
  readonly nowMs: number;
}

/** What to do with a request that has a key: repeat an answer, or make one. */
export type KeyedStart =
  | { readonly kind: "replay"; readonly answer: IdempotentAnswer }
  | {
      readonly kind: "run";
      /** Saves the answer for repetitions, in the same moment as what was done. */
      save(answer: { status: number; body: string }): void;
      /** The first request is over: repetitions are answered, or nothing was saved and the key is free. */
      end(): void;
    };

function prune(answers: Map<string, IdempotentAnswer>, nowMs: number): void {
  for (const [place, { startedMs }] of answers) if (startedMs + KEPT_MS <= nowMs) answers.delete(place);
}

const mismatch = (message: string) =>
  new StripeApiError(400, message, { type: "idempotency_error", isSaved: false });

function assertSame(kept: IdempotentAnswer, { endpoint, key }: KeyedRequest, fingerprint: string): void {
  const hint = `Try using a key other than '${key}' if you meant to execute a different request.`;
  if (kept.endpoint !== endpoint) {
    throw mismatch(
      "Keys for idempotent requests can only be used for the same endpoint they were first used for " +
        `('${endpoint}' vs '${kept.endpoint}'). ${hint}`,
    );
  }
  if (kept.fingerprint !== fingerprint) {
    throw mismatch(
      `Keys for idempotent requests can only be used with the same parameters they were first used with. ${hint}`,
    );
  }
}

/**
 * Looks a key up, and takes it when it is new.
 * @param running keys whose first request is not answered yet.
 * @throws StripeApiError 400 `idempotency_error` for other parameters or another endpoint, 409
 * `idempotency_key_in_use` while the first request runs, 400 for a key of more than 255 characters.
 */
export function startKeyed(state: SimulatorState, running: Set<string>, request: KeyedRequest): KeyedStart {
  const { key, endpoint, nowMs, requestId } = request;
  const answers = state.idempotentAnswers;
  prune(answers, nowMs);
  if (key.length === 0 || key.length > KEY_LENGTH_MAX) {
    throw mismatch("Idempotency keys have 1 to 255 characters.");
  }
  const place = sha256(JSON.stringify([request.apiKey, request.accountId, key]));
  const fingerprint = sha256(request.body);
  const kept = answers.get(place);
  if (kept !== undefined) assertSame(kept, request, fingerprint);
  if (running.has(place)) {
    throw new StripeApiError(
      409,
      "There is currently another in-progress request using this Idempotent Key (that probably means you submitted " +
        `twice, and the other request is still going through): ${key}. Please try again later.`,
      { code: "idempotency_key_in_use", isSaved: false },
    );
  }
  if (kept !== undefined) return { kind: "replay", answer: kept };
  running.add(place);
  return {
    kind: "run",
    save(answer) {
      answers.set(place, { ...answer, fingerprint, endpoint, startedMs: nowMs, requestId });
    },
    end() {
      running.delete(place);
    },
  };
}
