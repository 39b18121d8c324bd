/** Code that runs inside the context of `evaluationWorker.ts`. Plain JavaScript, because the context has no loader. */

/**
 * Stand-ins for what modules may touch while they load. Convex refuses syscalls, network and timers at that time
 * too; classes are there to be extended or kept, and refuse to be made.
 */
export const STAND_INS = `(environmentText) => {
  "use strict";
  const refuse = (name) => function () { throw new Error(name + " unsupported at import time"); };
  const define = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  const syscalls = { syscall: refuse("Convex functions are"), asyncSyscall: refuse("Convex functions are"), jsSyscall: refuse("Convex functions are") };
  define("Convex", syscalls);
  define("process", { env: JSON.parse(environmentText) });
  const quiet = () => undefined;
  define("console", { log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet, trace: quiet, time: quiet, timeEnd: quiet });
  for (const name of ["fetch", "setTimeout", "setInterval", "queueMicrotask", "structuredClone", "atob", "btoa"]) define(name, refuse(name));
  for (const name of ["clearTimeout", "clearInterval"]) define(name, quiet);
  for (const name of ["AbortController", "Blob", "DOMException", "Event", "EventTarget", "File", "FormData", "Headers", "ReadableStream", "Request", "Response", "TransformStream", "URL", "URLSearchParams", "WritableStream"]) {
    define(name, refuse(name));
  }
  const binary = (text) => unescape(encodeURIComponent(text.toWellFormed()));
  define("TextEncoder", class { encode(text = "") { return Uint8Array.from(binary(String(text)), (unit) => unit.charCodeAt(0)); } });
  define("TextDecoder", class { decode(bytes = new Uint8Array()) { return decodeURIComponent(escape(String.fromCharCode(...bytes))); } });
  define("crypto", { subtle: {}, getRandomValues: refuse("crypto.getRandomValues"), randomUUID: refuse("crypto.randomUUID") });
}`;

/** What the joined script declares, as JSON text: the analysis that Convex's backend makes of a push. */
export const DESCRIBE = `(pushed) => {
  "use strict";
  let loading = "the push";
  const typeOf = (value) => value.isQuery ? "Query" : value.isMutation ? "Mutation" : value.isAction ? "Action" : null;
  const returnsOf = (value) => { const text = value.exportReturns(); return text === "null" ? null : text; };
  const functionsOf = (exports) => {
    const functions = [];
    for (const [name, value] of Object.entries(exports)) {
      if ((typeof value !== "object" && typeof value !== "function") || value === null) continue;
      const udfType = typeOf(value);
      if (udfType === null) continue;
      functions.push({ name, pos: null, udfType, visibility: { kind: value.isInternal === true ? "internal" : "public" }, args: value.exportArgs(), returns: returnsOf(value) });
    }
    return functions;
  };
  const moduleOf = (path, exports) => {
    const main = exports.default;
    const isRouter = path === "http.js" && main !== undefined && main.isRouter === true;
    const isCrons = path === "crons.js" && main !== undefined && typeof main.export === "function";
    return {
      functions: functionsOf(exports),
      httpRoutes: isRouter ? main.getRoutes().map(([path, method]) => ({ route: { path, method }, pos: null })) : null,
      cronSpecs: isCrons ? Object.entries(JSON.parse(main.export())) : null,
      sourceMapped: null,
    };
  };
  try {
    const functions = {};
    for (const [path, load] of Object.entries(pushed.modules)) {
      loading = path;
      functions[path] = moduleOf(path, load());
    }
    loading = "schema";
    const schema = pushed.schema === null ? null : JSON.parse(pushed.schema().default.export());
    loading = "convex.config";
    const definition = pushed.definition === null ? null : pushed.definition().default.export();
    loading = "auth.config";
    const providers = pushed.authConfig === null ? null : pushed.authConfig().default.providers;
    return JSON.stringify({ ok: true, value: { functions, schema, definition, authProviders: providers } });
  } catch (error) {
    return JSON.stringify({ ok: false, problem: loading + " failed to load: " + String(error && error.message || error) });
  }
}`;
