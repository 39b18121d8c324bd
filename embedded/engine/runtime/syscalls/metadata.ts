/** What `ctx.auth` and `ctx.meta` answer. */
import { int64ToJson } from "../../values/json.ts";
import type { FunctionCall } from "../functionCall.ts";
import type { Runtime } from "../runtime.ts";

/** `ctx.auth.getUserIdentity()`; null in components. */
export function getUserIdentity(_runtime: Runtime, call: FunctionCall): string {
  const { identity } = call;
  if (call.component !== "" || identity.kind === "anonymous") return "null";
  return JSON.stringify(identity.kind === "user" ? identity.attributes : identity.actingAs);
}

/** Nanoseconds of the newest commit that the transaction sees. */
export function getSnapshotTs(_runtime: Runtime, call: FunctionCall): string {
  return JSON.stringify(int64ToJson(call.transaction.snapshotTs));
}

/** What the transaction has used of its limits. */
export function getTransactionMetrics(_runtime: Runtime, call: FunctionCall): string {
  return JSON.stringify(call.transaction.counters.metrics());
}

/** The running function's own name. */
export function getFunctionMetadata(_runtime: Runtime, call: FunctionCall): string {
  return JSON.stringify({ name: call.path, componentPath: call.component });
}

/** This host. */
export function getDeploymentMetadata(): string {
  return JSON.stringify({ name: "embedded", region: null, class: "s16" });
}

/** The request that led here; addresses of clients stay in the server. */
export function getRequestMetadata(_runtime: Runtime, call: FunctionCall): string {
  const { requestId, scheduledFunctionId } = call.execution.request;
  const { identity } = call;
  const authToken = identity.kind === "user" ? identity.token : null;
  return JSON.stringify({ ip: null, userAgent: null, requestId, scheduledFunctionId, authToken });
}
