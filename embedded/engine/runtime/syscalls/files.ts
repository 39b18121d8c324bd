/** `ctx.storage`. */
import { PlatformError } from "../../errors.ts";
import type { Transaction } from "../../transaction/transaction.ts";
import type { JsonObject } from "../../values/json.ts";
import type { FunctionCall } from "../functionCall.ts";
import type { Runtime } from "../runtime.ts";

/** Arguments and answers of these syscalls are JavaScript values. */
export type JsSyscall = (
  runtime: Runtime,
  call: FunctionCall,
  args: Readonly<Record<string, unknown>>,
) => Promise<unknown>;

function storageId(args: Readonly<Record<string, unknown>>, operation: string): string {
  const id = args["storageId"];
  if (typeof id === "string") return id;
  throw new PlatformError(`${operation} requires a string storageId but received ${String(id)}`);
}

/** In the function's transaction; an action has none, so the read is one of its own. */
async function reading<T>(
  runtime: Runtime,
  call: FunctionCall,
  work: (transaction: Transaction) => T,
): Promise<T> {
  return call.isAction ? await runtime.actions.read(work) : work(call.transaction);
}

/** `storage.generateUploadUrl`. */
export async function generateUploadUrl(runtime: Runtime, call: FunctionCall): Promise<string> {
  if (!call.isAction) call.requireMutation();
  return JSON.stringify(await runtime.files.uploadUrl(call.component, call.nowMs));
}

/** `storage.getUrl`. */
export async function getUrl(runtime: Runtime, call: FunctionCall, args: JsonObject): Promise<string> {
  const id = storageId(args, "storage.getUrl");
  return JSON.stringify(
    await reading(runtime, call, (transaction) => runtime.files.url(transaction, call.component, id)),
  );
}

/** The deprecated `storage.getMetadata`. */
export async function getMetadata(runtime: Runtime, call: FunctionCall, args: JsonObject): Promise<string> {
  const id = storageId(args, "storage.getMetadata");
  return JSON.stringify(
    await reading(runtime, call, (transaction) => runtime.files.metadata(transaction, call.component, id)),
  );
}

/** `storage.delete`: in a mutation only if that commits. */
export async function remove(runtime: Runtime, call: FunctionCall, args: JsonObject): Promise<string> {
  const id = storageId(args, "storage.delete");
  const work = (transaction: Transaction): void => {
    runtime.files.remove(transaction, call.component, id);
  };
  if (call.isAction) await runtime.actions.write(work);
  else work(call.requireMutation());
  return "null";
}

/** The client library offers `store` and `get` to mutations as well, and the platform refuses them. */
export function inActionsOnly(method: "store" | "get"): () => never {
  return () => {
    throw new PlatformError(
      `ctx.storage.${method}() is not supported in queries and mutations yet. Please use an action` +
        (method === "get" ? "." : ", or ctx.storage.generateUploadUrl() to upload from a client."),
      { visible: true },
    );
  };
}

function requireAction(call: FunctionCall, method: "store" | "get"): void {
  if (!call.isAction) inActionsOnly(method)();
}

const storeBlob: JsSyscall = async (runtime, call, args) => {
  requireAction(call, "store");
  const { blob, options } = args;
  if (!(blob instanceof Blob)) {
    throw new PlatformError(
      "store() expects a Blob. If you are trying to store a Request, `await request.blob()` will give you the correct input.",
    );
  }
  const sha256 =
    typeof options === "object" && options !== null && "sha256" in options ? options.sha256 : undefined;
  if (sha256 !== undefined && typeof sha256 !== "string") {
    throw new PlatformError("The `sha256` option of `storage.store` must be a string");
  }
  return await runtime.files.store(call.component, blob, sha256);
};

const getBlob: JsSyscall = async (runtime, call, args) => {
  requireAction(call, "get");
  const id = storageId(args, "storage.get");
  const found = await runtime.actions.read((transaction) =>
    runtime.files.find(transaction, call.component, id),
  );
  return found === null ? null : await runtime.files.read(found);
};

export const JS_SYSCALLS: ReadonlyMap<string, JsSyscall> = new Map([
  ["storage/storeBlob", storeBlob],
  ["storage/getBlob", getBlob],
]);
