/** What callers outside get to see of a result. */
import type { Outcome } from "../contract.ts";
import { describeFailure, type Failure } from "../errors.ts";

/** In production a plain error says nothing: its message may hold what the caller must not learn. */
const REDACTED = "Server Error";

/** Writes results as outcomes, redacted where the options say so. */
export class OutcomeWriter {
  private readonly redact: boolean;

  constructor(redact: boolean) {
    this.redact = redact;
  }

  success(value: string, logLines: readonly string[]): Outcome {
    return { ok: true, value, logLines: this.lines(logLines) };
  }

  failure({ message, visible, data }: Failure, logLines: readonly string[]): Outcome {
    return {
      ok: false,
      message: this.redact && !visible ? REDACTED : message,
      logLines: this.lines(logLines),
      ...(data === undefined ? {} : { errorData: data }),
    };
  }

  /** For what was thrown before any function ran. */
  thrown(error: unknown): Outcome {
    return this.failure(describeFailure(error), []);
  }

  write(
    result: { logLines: readonly string[] } & ({ ok: true; value: string } | { ok: false; failure: Failure }),
  ): Outcome {
    return result.ok
      ? this.success(result.value, result.logLines)
      : this.failure(result.failure, result.logLines);
  }

  /** Console output is for the operator; in production clients get none of it, as on the platform. */
  private lines(logLines: readonly string[]): string[] {
    return this.redact ? [] : [...logLines];
  }
}
