/** The second implementation, `audit/verify.py`, asked for many verdicts in one process. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { AuditCase } from "../../ledger/testing/auditCase.ts";

const SCRIPT = join(import.meta.dirname, "..", "verify.py");
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** What `verify.py cases` answers: `kind` says of what. Byte strings are in hexadecimal but a bundle's, in base 64. */
export type PythonCase =
  | ({ readonly kind: "bundle"; readonly bytes: string } & AuditCase)
  | { readonly kind: "receipt"; readonly receipt: string; readonly policy: string }
  | {
      readonly kind: "checkpoint";
      readonly checkpoint: string;
      readonly logs: readonly string[];
      readonly witnesses: readonly string[];
    }
  | {
      readonly kind: "signature";
      readonly signature: string;
      readonly message: string;
      readonly publicKey: string;
    };

export interface PythonRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `verify.py` without leaving compiled files behind. */
export function runPython(args: readonly string[], input = ""): PythonRun {
  const options = { input, encoding: "utf8", maxBuffer: OUTPUT_BYTES_MAX } as const;
  const { status, stdout, stderr, error } = spawnSync("python3", ["-B", SCRIPT, ...args], options);
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** The second implementation's answers, in the order of the cases. */
export function askPython(cases: readonly PythonCase[]): unknown[] {
  const { status, stdout, stderr } = runPython(
    ["cases"],
    cases.map((each) => `${JSON.stringify(each)}\n`).join(""),
  );
  if (status !== 0) throw new Error(`verify.py ended with ${String(status)}: ${stderr}`);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}
