/** The engine in this process, on the benchmark's functions. */
import path from "node:path";
import type { Engine } from "../../embedded/engine/contract.ts";
import { openEngine } from "../../embedded/engine/openEngine.ts";

export const FUNCTIONS_DIR = path.join(import.meta.dirname, "../app/convex");

/** Opens the engine on a data folder. */
export async function openBenchEngine(dataDir: string): Promise<Engine> {
  return await openEngine({
    functionsDir: FUNCTIONS_DIR,
    dataDir,
    publicUrl: "http://host.invalid",
    fileBytesMax: 0,
    environment: {},
    redactErrors: false,
    log: () => undefined,
  });
}
