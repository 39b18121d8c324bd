/** What one transaction has used of Convex's limits. */
import { PlatformError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

export type Counted =
  | "bytesRead"
  | "bytesWritten"
  | "databaseQueries"
  | "documentsRead"
  | "documentsWritten"
  | "functionsScheduled"
  | "scheduledFunctionArgsBytes";

const RULES: Record<Counted, { limit: number; refusal: string }> = {
  bytesRead: { limit: LIMITS.bytesReadMax, refusal: "Too many bytes read" },
  bytesWritten: { limit: LIMITS.bytesWrittenMax, refusal: "Too many bytes written" },
  databaseQueries: { limit: LIMITS.indexRangesReadMax, refusal: "Too many index ranges read" },
  documentsRead: { limit: LIMITS.documentsReadMax, refusal: "Too many documents read" },
  documentsWritten: { limit: LIMITS.documentsWrittenMax, refusal: "Too many documents written" },
  functionsScheduled: { limit: LIMITS.functionsScheduledMax, refusal: "Too many functions scheduled" },
  scheduledFunctionArgsBytes: {
    limit: LIMITS.scheduledArgsTotalBytesMax,
    refusal: "Too large total arguments of scheduled functions",
  },
};

/** Tighter limits that a caller puts on one nested call: totals that must not be passed. */
type Frame = Partial<Record<Counted, number>>;

/** Counts and refuses; the refusal names the limit. */
export class Counters {
  private readonly frames: Frame[] = [];
  private readonly used: Record<Counted, number> = {
    bytesRead: 0,
    bytesWritten: 0,
    databaseQueries: 0,
    documentsRead: 0,
    documentsWritten: 0,
    functionsScheduled: 0,
    scheduledFunctionArgsBytes: 0,
  };

  private add(what: Counted, amount: number): void {
    this.used[what] += amount;
    const { limit, refusal } = RULES[what];
    if (this.used[what] > limit) {
      throw new PlatformError(`${refusal} in a single function execution (limit: ${limit})`);
    }
    for (const frame of this.frames) {
      if (this.used[what] <= (frame[what] ?? Infinity)) continue;
      throw new PlatformError(`${refusal} in a nested call with transactionLimits (${what})`);
    }
  }

  /** Runs a nested call under the limits its caller set for it, on top of those that hold already. */
  async within<T>(limits: Readonly<Record<string, unknown>>, run: () => Promise<T>): Promise<T> {
    const frame: Frame = {};
    for (const what of Object.keys(RULES) as Counted[]) {
      const limit = limits[what];
      if (typeof limit === "number") frame[what] = this.used[what] + limit;
    }
    this.frames.push(frame);
    try {
      return await run();
    } finally {
      this.frames.splice(this.frames.indexOf(frame), 1);
    }
  }

  countRange(): void {
    this.add("databaseQueries", 1);
  }

  countRead(bytes: number): void {
    this.add("documentsRead", 1);
    this.add("bytesRead", bytes);
  }

  countWrite(bytes: number): void {
    this.add("documentsWritten", 1);
    this.add("bytesWritten", bytes);
  }

  countScheduled(argsBytes: number): void {
    if (argsBytes > LIMITS.scheduledArgsBytesMax) {
      throw new PlatformError(
        `Arguments of a scheduled function are too large (${argsBytes} bytes, limit: ${LIMITS.scheduledArgsBytesMax})`,
      );
    }
    this.add("functionsScheduled", 1);
    this.add("scheduledFunctionArgsBytes", argsBytes);
  }

  /** In the shape of `ctx.meta.getTransactionMetrics()`. */
  metrics(): Record<Counted, { used: number; remaining: number }> {
    const metric = (what: Counted): { used: number; remaining: number } => ({
      used: this.used[what],
      remaining: Math.max(0, RULES[what].limit - this.used[what]),
    });
    return {
      bytesRead: metric("bytesRead"),
      bytesWritten: metric("bytesWritten"),
      databaseQueries: metric("databaseQueries"),
      documentsRead: metric("documentsRead"),
      documentsWritten: metric("documentsWritten"),
      functionsScheduled: metric("functionsScheduled"),
      scheduledFunctionArgsBytes: metric("scheduledFunctionArgsBytes"),
    };
  }
}
