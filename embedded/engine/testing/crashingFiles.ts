/**
 * A host that is killed while it stores and deletes files: opens the engine on the data folder in argv and says on
 * its output, one JSON line each, what was acknowledged.
 */
import { openFixture } from "./testEngine.ts";

const [, , dataDir = ""] = process.argv;
const host = await openFixture("app", { dataDir });
const kept: string[] = [];

async function work(worker: number): Promise<void> {
  for (let round = 0; ; round += 1) {
    const text = `${worker}.${round} ${"x".repeat((round * 997) % 20_000)}`;
    const id = await host.action("files:store", { text });
    if (typeof id !== "string") throw new Error("no id");
    console.log(JSON.stringify({ stored: id, text }));
    kept.push(id);
    if (round % 3 === 0) continue;
    const removed = kept.shift() ?? "";
    console.log(JSON.stringify({ removing: removed }));
    await host.mutation("files:remove", { id: removed });
    console.log(JSON.stringify({ removed }));
  }
}

await Promise.all([1, 2, 3, 4].map(work));
