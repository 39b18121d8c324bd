/** The worker of `evaluation.ts`. Takes a joined script, answers with JSON text. */
import vm from "node:vm";
import { parentPort, workerData } from "node:worker_threads";
import { DESCRIBE, STAND_INS } from "./evaluationScripts.ts";

const { script, globalName, environment } = workerData as {
  script: string;
  globalName: string;
  environment: string;
};

/** A context of the language alone: no object of the worker's realm goes in, so no path leads out. */
function evaluate(): string {
  const context = vm.createContext(Object.create(null) as object, {
    codeGeneration: { strings: false, wasm: false },
    microtaskMode: "afterEvaluate",
  });
  vm.runInContext(`(${STAND_INS})(${JSON.stringify(environment)})`, context, {
    filename: "convex:stand-ins",
  });
  vm.runInContext(script, context, { filename: "convex:push" });
  return String(vm.runInContext(`(${DESCRIBE})(${globalName})`, context, { filename: "convex:describe" }));
}

function problemOf(error: unknown): string {
  const message: unknown =
    typeof error === "object" && error !== null && "message" in error ? error.message : error;
  return JSON.stringify({ ok: false, problem: String(message) });
}

let result: string;
try {
  result = evaluate();
} catch (error) {
  result = problemOf(error);
}
parentPort?.postMessage(result);
