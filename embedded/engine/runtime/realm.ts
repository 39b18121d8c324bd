/**
 * The global scope that functions see: a fresh V8 context per component instance, with Convex's syscalls, its
 * environment, and clocks, randomness and network that answer according to the running call.
 *
 * It keeps components apart and nondeterminism out of transactions. It is not a sandbox: the functions are the
 * operator's own code.
 */
import vm from "node:vm";
import { PRELUDE } from "./prelude.ts";

export type LogLevel = "DEBUG" | "LOG" | "INFO" | "WARN" | "ERROR";

export type SyscallAnswer = { ok: true; value: string } | { ok: false; message: string };

/** What the realm asks of the engine; every hook looks up the running call itself. */
export type RealmHooks = {
  syscall: (operation: string, args: string) => SyscallAnswer;
  asyncSyscall: (operation: string, args: string) => Promise<string>;
  /** Takes and gives objects that the realm shares with the host, such as a Blob. */
  jsSyscall: (operation: string, args: Readonly<Record<string, unknown>>) => Promise<unknown>;
  /** Frozen in queries and mutations. */
  now: () => number;
  random: () => number;
  /** Why the running call may not use a feature, or null. */
  refusal: (feature: string) => string | null;
  log: (level: LogLevel, values: unknown[]) => void;
};

/** Web platform objects that Convex's runtime has as well. */
const SHARED_GLOBALS = [
  "AbortController",
  "AbortSignal",
  "Blob",
  "CryptoKey",
  "DOMException",
  "Event",
  "EventTarget",
  "File",
  "FormData",
  "Headers",
  "ReadableStream",
  "Request",
  "Response",
  "TextDecoder",
  "TextDecoderStream",
  "TextEncoder",
  "TextEncoderStream",
  "TransformStream",
  "URL",
  "URLSearchParams",
  "WritableStream",
  "atob",
  "btoa",
  "structuredClone",
] as const;

/**
 * One set of binary types for functions and the platform objects above. With the context's own, an ArrayBuffer
 * that `crypto.subtle` or `TextEncoder` returns would fail the `instanceof` checks of `convex/values`.
 */
const SHARED_BINARY_TYPES = [
  "ArrayBuffer",
  "DataView",
  "BigInt64Array",
  "BigUint64Array",
  "Float32Array",
  "Float64Array",
  "Int8Array",
  "Int16Array",
  "Int32Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Uint16Array",
  "Uint32Array",
] as const;

/** Makes the realm of one component instance. */
export function createRealm(
  name: string,
  environment: Readonly<Record<string, string>>,
  hooks: RealmHooks,
): vm.Context {
  const host = globalThis as unknown as Record<string, unknown>;
  // An ordinary global object: looking up a global through Node's contextified one takes many times as long.
  const context = vm.createContext(vm.constants.DONT_CONTEXTIFY, {
    name,
    codeGeneration: { strings: false, wasm: false },
  });
  for (const shared of [...SHARED_GLOBALS, ...SHARED_BINARY_TYPES]) context[shared] = host[shared];
  const prelude = vm.runInContext(PRELUDE, context, { filename: "convex:prelude" }) as (
    hooks: RealmHooks,
    platform: object,
    environment: Readonly<Record<string, string>>,
  ) => void;
  const { fetch, crypto, queueMicrotask, setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
  const platform = { fetch, crypto, queueMicrotask, setTimeout, clearTimeout, setInterval, clearInterval };
  prelude(hooks, platform, environment);
  return context;
}
