/** Every syscall that functions can make, by its name in convex@1.48. */
import { notSupported } from "../../errors.ts";
import type { JsonObject } from "../../values/json.ts";
import type { FunctionCall } from "../functionCall.ts";
import type { Runtime } from "../runtime.ts";
import * as database from "./database.ts";
import * as files from "./files.ts";
import * as functions from "./functions.ts";
import * as metadata from "./metadata.ts";

/** Takes the parsed argument, returns JSON text. */
export type SyncSyscall = (runtime: Runtime, call: FunctionCall, args: JsonObject) => string;
export type AsyncSyscall = (
  runtime: Runtime,
  call: FunctionCall,
  args: JsonObject,
) => string | Promise<string>;

function missing(feature: string): AsyncSyscall {
  return () => {
    throw notSupported(feature);
  };
}

export const SYNC_SYSCALLS: ReadonlyMap<string, SyncSyscall> = new Map<string, SyncSyscall>([
  ["1.0/queryStream", database.queryStream],
  ["1.0/queryCleanup", database.queryCleanup],
  ["1.0/db/normalizeId", database.normalizeId],
  ["1.0/getSnapshotTs", metadata.getSnapshotTs],
]);

export const ASYNC_SYSCALLS: ReadonlyMap<string, AsyncSyscall> = new Map<string, AsyncSyscall>([
  ["1.0/queryStreamNext", database.queryStreamNext],
  ["1.0/queryPage", database.queryPage],
  ["1.0/get", database.get],
  ["1.0/insert", database.insert],
  ["1.0/shallowMerge", database.shallowMerge],
  ["1.0/replace", database.replace],
  ["1.0/remove", database.remove],
  ["1.0/count", database.count],
  ["1.0/runUdf", functions.runUdf],
  ["1.0/createFunctionHandle", functions.createFunctionHandle],
  ["1.0/schedule", functions.schedule],
  ["1.0/cancel_job", functions.cancelJob],
  ["1.0/actions/query", functions.fromAction("query")],
  ["1.0/actions/mutation", functions.fromAction("mutation")],
  ["1.0/actions/action", functions.fromAction("action")],
  ["1.0/actions/schedule", functions.scheduleFromAction],
  ["1.0/actions/cancel_job", functions.cancelFromAction],
  ["1.0/actions/vectorSearch", missing("Vector search")],
  ["1.0/getUserIdentity", metadata.getUserIdentity],
  ["1.0/getTransactionMetrics", metadata.getTransactionMetrics],
  ["1.0/getFunctionMetadata", metadata.getFunctionMetadata],
  ["1.0/getDeploymentMetadata", metadata.getDeploymentMetadata],
  ["1.0/getRequestMetadata", metadata.getRequestMetadata],
  ["1.0/signJwt", missing("ctx.auth.signJwt")],
  ["1.0/auditLog", missing("Audit logging to the platform")],
  ["1.0/storageGetUrl", files.getUrl],
  ["1.0/storageGetMetadata", files.getMetadata],
  ["1.0/storageDelete", files.remove],
  ["1.0/storageGenerateUploadUrl", files.generateUploadUrl],
  ["1.0/storageStore", files.inActionsOnly("store")],
  ["1.0/storageGet", files.inActionsOnly("get")],
  ["1.0/createServiceToken", missing("The platform's service tokens")],
  ["1.0/getServiceUrl", missing("The platform's service tokens")],
]);
