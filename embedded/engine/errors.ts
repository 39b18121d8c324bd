/** The engine's errors, and how whatever a function threw becomes an outcome's message. */
import { LIMITS } from "./limits.ts";
import type { Json } from "./values/json.ts";

export type HostErrorCode =
  | "DATA_LOCKED"
  | "DATA_CORRUPT"
  | "DATA_NEWER"
  | "SCHEMA_MISMATCH"
  | "FUNCTIONS_INVALID"
  | "ENVIRONMENT_INVALID"
  | "NOT_SUPPORTED"
  | "STORAGE_FAILED";

/** Why the host does not start. The message says what to do about it. */
export class HostError extends Error {
  override readonly name = "HostError";
  readonly code: HostErrorCode;

  constructor(code: HostErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * A refusal by the platform itself (limits, validators, bad ids). Functions see its message in a plain Error.
 * `visible` ones reach callers even where plain errors are redacted.
 */
export class PlatformError extends Error {
  override readonly name = "PlatformError";
  readonly visible: boolean;
  /** Convex JSON; makes the error a ConvexError for functions and clients. */
  readonly data: Json | undefined;

  constructor(message: string, options: { visible?: boolean; data?: Json } = {}) {
    super(message);
    this.visible = options.visible ?? false;
    this.data = options.data;
  }
}

/** The one wording for features the host leaves out. */
export function notSupported(feature: string): PlatformError {
  return new PlatformError(`${feature} is not supported by the embedded host`, { visible: true });
}

/** For a query or mutation that has used up its own time. */
export function functionTimedOut(): PlatformError {
  return new PlatformError(
    `Function execution timed out (maximum duration: ${LIMITS.functionTimeMs / 1000}s)`,
  );
}

export type Failure = { message: string; data?: Json; visible: boolean; stack: string | null };

type Thrown = {
  name?: unknown;
  message?: unknown;
  data?: unknown;
  stack?: unknown;
  ConvexErrorSymbol?: unknown;
};

function parseData(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function describeThrown(thrown: object): Failure {
  const { name, message, data, stack, ConvexErrorSymbol } = thrown as Thrown;
  const stackText = typeof stack === "string" ? stack : null;
  if (ConvexErrorSymbol !== undefined && typeof data === "string") {
    return {
      message: `Uncaught ConvexError: ${data}`,
      data: parseData(data),
      visible: true,
      stack: stackText,
    };
  }
  const label = typeof name === "string" && name !== "" ? name : "Error";
  const text = typeof message === "string" ? message : "";
  return { message: `Uncaught ${label}: ${text}`, visible: false, stack: stackText };
}

/** `thrown` may come from a function's realm, so `instanceof Error` says nothing about it. Never throws. */
export function describeFailure(thrown: unknown): Failure {
  if (thrown instanceof PlatformError) {
    const { message, data, visible } = thrown;
    return { message, visible, stack: null, ...(data === undefined ? {} : { data }) };
  }
  try {
    if (typeof thrown === "object" && thrown !== null) return describeThrown(thrown);
    return { message: `Uncaught ${String(thrown)}`, visible: false, stack: null };
  } catch {
    // A getter of what was thrown threw in its turn.
    return { message: "Uncaught Error: (it can't be described)", visible: false, stack: null };
  }
}
