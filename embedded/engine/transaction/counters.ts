/** What one transaction has used of Convex's limits. */
import { PlatformError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { convexSize, convexSizeBound, showBytes } from "../values/convexSize.ts";
import type { Json } from "../values/json.ts";

export type Counted =
  | "bytesRead"
  | "bytesWritten"
  | "databaseQueries"
  | "documentsRead"
  | "documentsWritten"
  | "functionsScheduled"
  | "scheduledFunctionArgsBytes";

const READ_HELP =
  "Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a " +
  "selective index range expressions.";

/** Limits with Convex's words for what is beyond them. */
const RULES: Record<Counted, { limit: number; refusal: (limit: number) => string }> = {
  bytesRead: {
    limit: LIMITS.bytesReadMax,
    refusal: (limit) =>
      `Too many bytes read in a single function execution (limit: ${limit} bytes). ${READ_HELP}`,
  },
  bytesWritten: {
    limit: LIMITS.bytesWrittenMax,
    refusal: (limit) => `Too many bytes written in a single function execution (limit: ${limit} bytes)`,
  },
  databaseQueries: {
    limit: LIMITS.indexRangesReadMax,
    refusal: (limit) => `Too many reads in a single function execution (limit: ${limit}). ${READ_HELP}`,
  },
  documentsRead: {
    limit: LIMITS.documentsReadMax,
    refusal: (limit) =>
      `Too many documents read in a single function execution (limit: ${limit}). ${READ_HELP}`,
  },
  documentsWritten: {
    limit: LIMITS.documentsWrittenMax,
    refusal: (limit) => `Too many writes in a single function execution (limit: ${limit})`,
  },
  functionsScheduled: {
    limit: LIMITS.functionsScheduledMax,
    refusal: (limit) => `Too many functions scheduled by this mutation (limit: ${limit})`,
  },
  scheduledFunctionArgsBytes: {
    limit: LIMITS.scheduledArgsTotalBytesMax,
    refusal: (limit) =>
      `Too large total size of the arguments of scheduled functions from this mutation (limit: ${limit} bytes)`,
  },
};

const COUNTED = Object.keys(RULES) as Counted[];

/** What a failed nested call gives back; what it read stays read. */
const UNDONE_BY_ROLLBACK = [
  "bytesWritten",
  "documentsWritten",
  "functionsScheduled",
  "scheduledFunctionArgsBytes",
] as const satisfies Counted[];

/** A limit that a caller puts on one nested call: a total that must not be passed, and how much it allowed. */
type Frame = Partial<Record<Counted, { total: number; allowed: number }>>;

export type Metric = { used: number; remaining: number };

/** A transaction read or wrote too much. A page ends there instead of failing. */
export class TransactionLimitError extends PlatformError {}

/** Counts and refuses; the refusal names the limit. */
export class Counters {
  private readonly frames: Frame[] = [];
  /** Documents whose size is not yet counted. It takes parsing, so it waits until the total could matter. */
  private unmeasured: string[] = [];
  private unmeasuredBound = 0;
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
    for (const frame of this.frames) {
      const { total = Infinity, allowed = 0 } = frame[what] ?? {};
      if (this.used[what] > total) throw new TransactionLimitError(RULES[what].refusal(allowed));
    }
    const { limit, refusal } = RULES[what];
    if (this.used[what] > limit) throw new TransactionLimitError(refusal(limit));
  }

  private measure(): void {
    const texts = this.unmeasured;
    this.unmeasured = [];
    this.unmeasuredBound = 0;
    const sizes = texts.map((text) => convexSize(JSON.parse(text) as Json));
    this.add(
      "bytesRead",
      sizes.reduce((sum, size) => sum + size, 0),
    );
  }

  /** What is left of a limit, by the tightest that holds. */
  private limitOf(what: Counted): number {
    return Math.min(RULES[what].limit, ...this.frames.map((frame) => frame[what]?.total ?? Infinity));
  }

  /** Runs a nested call under the limits its caller set for it, on top of those that hold already. */
  async within<T>(limits: Readonly<Record<string, unknown>>, run: () => Promise<T>): Promise<T> {
    const frame: Frame = {};
    for (const what of COUNTED) {
      const allowed = limits[what];
      if (typeof allowed !== "number") continue;
      if (what === "bytesRead") this.measure();
      frame[what] = { total: this.used[what] + allowed, allowed };
    }
    this.frames.push(frame);
    try {
      return await run();
    } finally {
      this.frames.splice(this.frames.indexOf(frame), 1);
    }
  }

  /** Remembers what is used; the function that is returned takes back what was written since. */
  savepoint(): () => void {
    const before = { ...this.used };
    return () => {
      for (const what of UNDONE_BY_ROLLBACK) this.used[what] = before[what];
    };
  }

  countRange(): void {
    this.add("databaseQueries", 1);
  }

  /** Counts a document by its JSON text. */
  countRead(text: string): void {
    this.add("documentsRead", 1);
    this.unmeasured.push(text);
    this.unmeasuredBound += convexSizeBound(text);
    if (this.used.bytesRead + this.unmeasuredBound > this.limitOf("bytesRead")) this.measure();
  }

  countWrite(bytes: number): void {
    this.add("documentsWritten", 1);
    this.add("bytesWritten", bytes);
  }

  countScheduled(argsBytes: number): void {
    if (argsBytes > LIMITS.scheduledArgsBytesMax) {
      const [actual, limit] = [showBytes(argsBytes), showBytes(LIMITS.scheduledArgsBytesMax)];
      throw new PlatformError(
        `Arguments of a scheduled function are too large (actual: ${actual}, limit: ${limit})`,
      );
    }
    this.add("functionsScheduled", 1);
    this.add("scheduledFunctionArgsBytes", argsBytes);
  }

  /** In the shape of `ctx.meta.getTransactionMetrics()`. */
  metrics(): Record<Counted, Metric> {
    this.measure();
    const metric = (what: Counted): Metric => ({
      used: this.used[what],
      remaining: this.limitOf(what) - this.used[what],
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
