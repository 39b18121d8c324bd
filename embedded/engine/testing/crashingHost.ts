/**
 * A host that is killed: opens the engine on the data folder in argv, starts an action that never ends, says so on
 * its output and waits to be killed.
 */
import { openFixture } from "./testEngine.ts";

const [, , dataDir = ""] = process.argv;
const host = await openFixture("app", { dataDir });
const id = await host.mutation("jobs:planAction", { name: "started once" });
const deeds = await host.watch("jobs:deeds");
await deeds.until((value) => (value as string[]).includes("started once"));
await host.mutation("notes:add", { room: "crash", text: "acknowledged" });
console.log(JSON.stringify({ id }));
setInterval(() => undefined, 60_000);
