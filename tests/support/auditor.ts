/** The auditor's program, run by its command line: in this process, where many runs would take long to start. */
import { vi } from "vitest";
import { runCommandLine } from "../../audit/commandLine.ts";
import { run, type Ended } from "./hostProcess.ts";

/** Runs the program and takes what it writes; one at a time. */
export async function auditHere(args: readonly string[]): Promise<Ended> {
  const written = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      written[name] += String(chunk);
      return true;
    }),
  );
  try {
    return { exit: await runCommandLine(args), ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** Runs the program as a process of its own, as auditors do. */
export async function auditProcess(args: readonly string[]): Promise<Ended> {
  return await run(["audit/main.ts", ...args]);
}

/** Position and kind of the first damage; `not run` where there is no verdict. */
export type Verdict = readonly [seq: number, kind: string] | "intact" | "not run";

/** The verdict that `verify --json` writes. Throws where its exit code says another thing. */
export async function verdictOf(
  args: readonly string[],
  program: (args: readonly string[]) => Promise<Ended> = auditHere,
): Promise<Verdict> {
  const { exit, stdout } = await program(["verify", "--json", ...args]);
  if (exit === 2) return "not run";
  const said = JSON.parse(stdout) as { result: string; firstBadSeq: number; kind: string };
  if ((said.result === "intact") !== (exit === 0)) throw new Error(`exit code ${exit}: ${stdout}`);
  return exit === 0 ? "intact" : [said.firstBadSeq, said.kind];
}
