/** The embedded host's engine on the bench's functions, in this process and on a folder. */
import type { Engine } from "../../embedded/engine/contract.ts";
import { openEngine } from "../../embedded/engine/openEngine.ts";
import { FUNCTIONS_DIR } from "./measureHost.ts";

export async function openBenchEngine(dataDir: string): Promise<Engine> {
  return await openEngine({
    functionsDir: FUNCTIONS_DIR,
    dataDir,
    environment: {},
    publicUrl: "http://127.0.0.1:3210",
    fileBytesMax: 0,
    redactErrors: false,
    log: () => undefined,
  });
}
