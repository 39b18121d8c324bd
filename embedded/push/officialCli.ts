/** Runs the official Convex CLI as a child process: never asks, and reaches for nothing but the given deployment. */
import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = path.join(
  path.dirname(fileURLToPath(import.meta.resolve("convex/package.json"))),
  "bin/main.js",
);

export type CliResult = { exitCode: number | null; stdout: string; stderr: string };

/** Resolves when the process ends. `signal` kills it. */
export async function runOfficialCli(
  args: readonly string[],
  options: { cwd: string; signal?: AbortSignal; onOutput?: (stdout: string, stderr: string) => void },
): Promise<CliResult> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: environmentOfCli(),
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    options.onOutput?.(stdout, stderr);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    options.onOutput?.(stdout, stderr);
  });
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on("error", (error) => {
      if (error.name !== "AbortError") reject(error);
    });
    child.on("close", resolve);
  });
  return { exitCode, stdout, stderr };
}

/**
 * Nothing of ours but where programs, temporary files and compiled code are: deployments, proxies and keys in the caller's
 * environment would lead the CLI elsewhere. `CI` keeps it from reporting crashes and from asking.
 */
function environmentOfCli(): Record<string, string> {
  const names = ["PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "NODE_COMPILE_CACHE"];
  const kept = names.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), CI: "1", NO_COLOR: "1" };
}
