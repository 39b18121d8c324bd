/**
 * The state as one JSON file. It is written to a file beside it, flushed, and renamed over the old one, so that a
 * crash leaves the old state or the new one and never half of one.
 */
import { open, readFile, rename } from "node:fs/promises";
import path from "node:path";
import type { SimulatorState } from "./simulatorState.ts";

const FORMAT = "daybook-stripe-simulator/1";
const MAP = "$map";

const encodeMap = (_key: string, value: unknown): unknown =>
  value instanceof Map ? { [MAP]: [...(value as Map<unknown, unknown>)] } : value;

function decodeMap(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !(MAP in value)) return value;
  const entries = value[MAP];
  // Metadata may have a key of this name; its values are texts.
  return Array.isArray(entries) ? new Map(entries as [unknown, unknown][]) : value;
}

/** A file that is there but holds no state; its message says what to do. */
export class StateFileError extends Error {}

const isMissing = (error: unknown) => error instanceof Error && "code" in error && error.code === "ENOENT";

/**
 * Reads the state of an earlier run.
 * @returns undefined when there is no such file.
 * @throws StateFileError when it holds anything else than a state.
 */
export async function readState(file: string): Promise<SimulatorState | undefined> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const { format, state } = JSON.parse(text, decodeMap) as { format?: unknown; state?: SimulatorState };
    if (format === FORMAT && state?.accounts instanceof Map) return state;
  } catch (error) {
    throw new StateFileError(`${file} is not JSON. Move it away to start with nothing.`, { cause: error });
  }
  throw new StateFileError(`${file} is not of the format ${FORMAT}. Move it away to start with nothing.`);
}

async function writeAtomically(file: string, text: string): Promise<void> {
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.new`);
  const handle = await open(beside, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, file);
}

/** Writes the state; calls that come while a write runs share the next one. */
export interface StateWriter {
  /** Resolves when a state that is no older than this call is on disk. */
  save(): Promise<void>;
  /** Resolves when what was to be saved at the time of the call is on disk. */
  settled(): Promise<void>;
}

/** Keeps `state` in `file`, or nowhere. */
export function createStateWriter(file: string | undefined, state: SimulatorState): StateWriter {
  if (file === undefined) return { save: () => Promise.resolve(), settled: () => Promise.resolve() };
  let running: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  const write = () => writeAtomically(file, JSON.stringify({ format: FORMAT, state }, encodeMap));
  return {
    save() {
      waiting ??= running
        .catch(() => undefined)
        .then(() => {
          waiting = undefined;
          running = write();
          return running;
        });
      return waiting;
    },
    settled: () => waiting ?? running,
  };
}
