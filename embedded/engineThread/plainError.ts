/** Errors across the line between the threads. */
import { HostError, PlatformError } from "../engine/errors.ts";
import { StorageFailure } from "../engine/storage/storageErrors.ts";
import type { PlainError } from "./messages.ts";

/** An error as data. */
export function toPlainError(error: unknown): PlainError {
  if (error instanceof HostError) return { kind: "host", code: error.code, message: error.message };
  if (error instanceof PlatformError) {
    return { kind: "platform", message: error.message, visible: error.visible };
  }
  if (error instanceof StorageFailure) return { kind: "storage", message: error.message };
  const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
  return { kind: "other", message, stack };
}

/** The error that the data describes. */
export function fromPlainError(plain: PlainError): Error {
  switch (plain.kind) {
    case "host":
      return new HostError(plain.code, plain.message);
    case "platform":
      return new PlatformError(plain.message, { visible: plain.visible });
    case "storage":
      return new StorageFailure(plain.message);
    case "other":
      return new Error(plain.message, { cause: plain.stack });
  }
}
