/**
 * Promises that functions forget to await. One that is rejected would end the process; it is the function's
 * mistake, so it is logged instead. Any other unhandled rejection is the host's own and still ends it.
 */

type Listener = (reason: unknown) => void;

const listeners = new Set<Listener>();

function onUnhandledRejection(reason: unknown, promise: unknown): void {
  // Promises of functions are of their realm's class.
  if (promise instanceof Promise) throw reason;
  for (const listener of listeners) listener(reason);
}

/** Starts to report strays; call the result to stop. With two engines in one process both get the report. */
export function reportStrayRejections(listener: Listener): () => void {
  if (listeners.size === 0) process.on("unhandledRejection", onUnhandledRejection);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) process.off("unhandledRejection", onUnhandledRejection);
  };
}
