/** The matrix's world on the test library, at a time that stands still but for what a test turns. */
import markdown from "../authorization-matrix.md?raw";
import { vi } from "vitest";
import { openTestBackend } from "../support/testBackend.ts";
import { parseMatrix, type Matrix } from "./table.ts";
import { buildWorld, type World } from "./world.ts";

export function readMatrix(): Matrix {
  return parseMatrix(markdown);
}

/**
 * Builds the world in a deployment that declares the claim of authentication's time, so that every demand for recent
 * authentication counts. The clock is false until `vi.useRealTimers`, and what is planned stays planned: a job that came
 * later, or an effect's next attempt, would change the world between two cells.
 */
export async function openTestWorld(): Promise<World> {
  vi.stubEnv("DAYBOOK_AUTH_TIME_CLAIM", "daybook_auth_time");
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] });
  vi.setSystemTime(Date.UTC(2030, 0, 1));
  return await buildWorld(openTestBackend(), (time) => {
    vi.setSystemTime(Math.ceil(time / 1000) * 1000);
    return Promise.resolve();
  });
}
