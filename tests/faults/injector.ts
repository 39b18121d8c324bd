/** The test's side of shim.c: compiles it, and sets faults and the clock of the host it is loaded into. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readSync, rmSync, writeFileSync, writeSync, mkdtempSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import path from "node:path";

const SOURCE = path.join(import.meta.dirname, "shim.c");
const CALLS = { write: 1, sync: 2, truncate: 3, read: 4 } as const;

/** `struct control` of shim.c. */
const CLOCK_BYTES = 8;
const RULE_BYTES = 64;
const RULES = 4;
const RULE = { call: 0, error: 4, skip: 8, left: 12, injected: 16, suffix: 24 } as const;
const SUFFIX_BYTES_MAX = RULE_BYTES - RULE.suffix;
const FOR_EVER = 0x7fffffff;

export type Fault = {
  call: keyof typeof CALLS;
  /** End of the file's path. */
  file: string;
  /** Or a transfer of only half the bytes. */
  error: "ENOSPC" | "EIO" | "short";
  /** Calls that pass before the first fault; 0 unless given. */
  skip?: number;
  /** How many fail; all unless given. */
  times?: number;
};

let shimFolder: string | undefined;

/** The library, compiled on first use. Throws with the compiler's words where there is none. */
function shim(): string {
  const library = (folder: string): string => path.join(folder, "shim.so");
  if (shimFolder !== undefined) return library(shimFolder);
  const folder = mkdtempSync(path.join(tmpdir(), "daybook-shim-"));
  const flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"];
  execFileSync(process.env["CC"] ?? "cc", [...flags, "-o", library(folder), SOURCE, "-ldl"], {
    stdio: "inherit",
  });
  shimFolder = folder;
  return library(folder);
}

/** Call after all tests of a file. */
export function removeShim(): void {
  if (shimFolder !== undefined) rmSync(shimFolder, { recursive: true, force: true });
  shimFolder = undefined;
}

/** Faults of one host process at a time. */
export class Injector {
  /** What a host must be started with. */
  readonly environment: Record<string, string>;
  readonly #folder: string;
  readonly #file: number;

  constructor() {
    this.#folder = mkdtempSync(path.join(tmpdir(), "daybook-faults-"));
    const control = path.join(this.#folder, "control");
    writeFileSync(control, Buffer.alloc(CLOCK_BYTES + RULES * RULE_BYTES));
    this.#file = openSync(control, "r+");
    this.environment = { LD_PRELOAD: shim(), DAYBOOK_FAULTS: control };
  }

  /** From now on these calls fail, in place of those before; counts from zero. */
  inject(...faults: readonly Fault[]): void {
    if (faults.length > RULES) throw new Error(`at most ${RULES} kinds of faults at a time`);
    this.clear();
    writeSync(this.#file, Buffer.concat(faults.map(ruleOf)), 0, null, CLOCK_BYTES);
  }

  /** Everything succeeds again. Returns how many calls failed. */
  clear(): number {
    const injected = this.injected;
    writeSync(this.#file, Buffer.alloc(RULES * RULE_BYTES), 0, null, CLOCK_BYTES);
    return injected;
  }

  /** How many calls failed since `inject`. */
  get injected(): number {
    const rules = Buffer.alloc(RULES * RULE_BYTES);
    readSync(this.#file, rules, 0, rules.length, CLOCK_BYTES);
    let sum = 0;
    for (let at = RULE.injected; at < rules.length; at += RULE_BYTES) sum += rules.readUInt32LE(at);
    return sum;
  }

  /** Sets the wall clock so far from the real one; the monotonic clock goes on evenly. */
  setClock(offsetMs: number): void {
    const offset = Buffer.alloc(CLOCK_BYTES);
    offset.writeBigInt64LE(BigInt(offsetMs));
    writeSync(this.#file, offset, 0, null, 0);
  }

  remove(): void {
    closeSync(this.#file);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function ruleOf({ call, file, error, skip = 0, times = FOR_EVER }: Fault): Buffer {
  const rule = Buffer.alloc(RULE_BYTES);
  rule.writeUInt32LE(CALLS[call], RULE.call);
  rule.writeInt32LE(error === "short" ? 0 : constants.errno[error], RULE.error);
  rule.writeInt32LE(skip, RULE.skip);
  rule.writeInt32LE(times, RULE.left);
  if (rule.write(file, RULE.suffix) !== file.length || file.length >= SUFFIX_BYTES_MAX) {
    throw new Error(`the end of a path may have at most ${SUFFIX_BYTES_MAX - 1} bytes`);
  }
  return rule;
}
