/**
 * Runs inside every new realm, so that what functions catch are errors of their own realm and what they replace
 * are their own globals. Plain JavaScript, because the realm has no loader.
 */
export const PRELUDE = `(hooks, platform, environment) => {
  "use strict";
  const allow = (feature) => {
    const refusal = hooks.refusal(feature);
    if (refusal !== null) throw new Error(refusal);
  };

  const RealDate = Date;
  const now = () => hooks.now();
  RealDate.now = now;
  const HostDate = new Proxy(RealDate, {
    apply: () => new RealDate(now()).toString(),
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget === HostDate ? target : newTarget),
  });
  RealDate.prototype.constructor = HostDate;
  globalThis.Date = HostDate;
  globalThis.performance = { now, timeOrigin: 0 };
  Math.random = () => hooks.random();

  globalThis.Convex = {
    syscall(operation, args) {
      const answer = hooks.syscall(operation, args);
      if (answer.ok) return answer.value;
      throw new Error(answer.message);
    },
    // Async, so that what a function forgets to await is a promise of this realm.
    asyncSyscall: async (operation, args) => await hooks.asyncSyscall(operation, args),
    async jsSyscall(operation, args) {
      try {
        return await hooks.jsSyscall(operation, args);
      } catch (error) {
        throw new Error(error.message);
      }
    },
  };

  globalThis.fetch = async (...args) => {
    allow("fetch()");
    return await platform.fetch(...args);
  };
  // What a callback throws has no caller left: it is logged, and must not end the host.
  const guarded = (callback) => (...args) => {
    try {
      return callback(...args);
    } catch (error) {
      hooks.log("ERROR", ["Uncaught", error]);
    }
  };
  globalThis.queueMicrotask = (callback) => platform.queueMicrotask(guarded(callback));
  for (const timer of ["setTimeout", "setInterval"]) {
    globalThis[timer] = (callback, ...args) => {
      allow(timer);
      return platform[timer](guarded(callback), ...args);
    };
  }
  globalThis.clearTimeout = (id) => platform.clearTimeout(id);
  globalThis.clearInterval = (id) => platform.clearInterval(id);
  globalThis.crypto = Object.freeze({
    getRandomValues(array) {
      allow("crypto.getRandomValues()");
      return platform.crypto.getRandomValues(array);
    },
    randomUUID() {
      allow("crypto.randomUUID()");
      return platform.crypto.randomUUID();
    },
    get subtle() {
      allow("crypto.subtle");
      return platform.crypto.subtle;
    },
  });

  // Would stop the thread that all functions share, and without using it, which looks like a busy machine.
  Atomics.wait = () => {
    throw new TypeError("Atomics.wait cannot be called in this context");
  };

  const levels = { debug: "DEBUG", trace: "DEBUG", log: "LOG", info: "INFO", warn: "WARN", error: "ERROR" };
  const console = { time() {}, timeEnd() {}, timeLog() {} };
  for (const [method, level] of Object.entries(levels)) {
    console[method] = (...values) => hooks.log(level, values);
  }
  globalThis.console = console;
  globalThis.process = { env: Object.freeze({ ...environment }) };
  globalThis.self = globalThis;
}`;
