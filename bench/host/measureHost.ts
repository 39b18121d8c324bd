/** The host as a process of its own, and its clients in another one. */
import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { HostProcess, type HostOptions } from "../../tests/support/hostProcess.ts";
import type { Measured } from "../loops.ts";
import { FUNCTIONS_DIR } from "./benchEngine.ts";
import type { FanOut, FanOutTask, Task, WriteTask } from "./clientProcess.ts";

const CLIENTS = path.join(import.meta.dirname, "clientProcess.ts");
const FAN_OUT_COMMITS = 20;

async function inClientProcess(task: Task): Promise<unknown> {
  const child = fork(CLIENTS, [JSON.stringify(task)]);
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the clients ended with ${String(code)}`);
  });
  const [result] = (await Promise.race([once(child, "message"), ended])) as [unknown];
  ended.catch(() => undefined);
  return result;
}

/** Starts a host on the benchmark's functions and an empty folder. */
export async function launchHost(options: HostOptions = {}): Promise<HostProcess> {
  const functionsDir = FUNCTIONS_DIR;
  // Its clients have no tokens.
  const environment = { LOG_LEVEL: "info", DAYBOOK_RATE_LIMIT_PERCENT: "999999" };
  return await HostProcess.launch(environment, { functionsDir, ...options });
}

/** Durable single-document inserts. */
export async function measureWrites(
  host: HostProcess,
  task: Omit<WriteTask, "kind" | "url">,
): Promise<Measured> {
  return (await inClientProcess({ kind: "write", url: host.url, ...task })) as Measured;
}

/** How a commit reaches the subscribers of one query, and how often that query ran for each commit. */
export async function measureFanOut(
  host: HostProcess,
  subscribers: number,
): Promise<FanOut & { evaluationsPerCommit: number }> {
  const task: FanOutTask = { kind: "fanOut", url: host.url, subscribers, commits: FAN_OUT_COMMITS };
  const measured = (await inClientProcess(task)) as FanOut;
  // The first one filled the subscribers' screens.
  const evaluations = host.output.split("evaluated").length - 1;
  return { ...measured, evaluationsPerCommit: (evaluations - 1) / FAN_OUT_COMMITS };
}
