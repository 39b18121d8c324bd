/** Entry of the engine's thread. */
import { parentPort, workerData } from "node:worker_threads";
import { useCompileCache } from "../compileCache.ts";
import type { ThreadOptions } from "./messages.ts";

if (parentPort === null) throw new Error("the engine's worker needs a parent thread");
useCompileCache();
const { serve } = await import("./engineService.ts");
await serve(parentPort, workerData as ThreadOptions);
