/**
 * Regenerates every `_generated` folder under convex/ with the official CLI, without a running deployment.
 * With `--check` nothing is written: the folders are generated in a copy, and the exit code says whether they differ.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Command } from "commander";
import { openAnalysisEndpoint } from "../embedded/push/analysisEndpoint.ts";
import { runOfficialCli } from "../embedded/push/officialCli.ts";

const REPOSITORY = path.resolve(import.meta.dirname, "..");
const FUNCTIONS = "convex";
const GENERATED = "_generated";

/** What the functions are made of: their folder, what they import from outside it, and what the CLI reads. */
export const SOURCES = [FUNCTIONS, "ledger", "package.json", "tsconfig.json"];

/** Runs `convex codegen` in a project's folder. Throws with the CLI's own words when it fails. */
export async function generate(project: string): Promise<void> {
  const problems: unknown[] = [];
  const endpoint = await openAnalysisEndpoint({}, (_message, error) => problems.push(error));
  try {
    const { url, adminKey } = endpoint;
    const result = await runOfficialCli(
      ["codegen", "--url", url, "--admin-key", adminKey, "--typecheck", "disable"],
      { cwd: project },
    );
    if (result.exitCode === 0) return;
    throw new Error(`convex codegen failed:\n${result.stderr}`, { cause: problems[0] });
  } finally {
    await endpoint.close();
  }
}

/** Generates in a copy of the project and names every generated file that differs, is missing or is left over. */
export async function staleFiles(project: string): Promise<string[]> {
  const copy = mkdtempSync(path.join(os.tmpdir(), "daybook-codegen-"));
  try {
    for (const source of SOURCES)
      cpSync(path.join(project, source), path.join(copy, source), { recursive: true });
    symlinkSync(path.join(REPOSITORY, "node_modules"), path.join(copy, "node_modules"), "junction");
    await generate(copy);
    const committed = generatedFiles(project);
    const fresh = generatedFiles(copy);
    const names = new Set([...committed.keys(), ...fresh.keys()]);
    return [...names].filter((name) => committed.get(name) !== fresh.get(name)).sort();
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Path in the project → text, of every file in a generated folder. */
function generatedFiles(project: string): Map<string, string> {
  const entries = readdirSync(path.join(project, FUNCTIONS), { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && path.basename(entry.parentPath) === GENERATED)
    .map((entry) => path.join(entry.parentPath, entry.name));
  return new Map(files.map((file) => [path.relative(project, file), readFileSync(file, "utf8")]));
}

async function main(check: boolean): Promise<void> {
  if (!check) {
    await generate(REPOSITORY);
    process.stdout.write("The generated files are up to date.\n");
    return;
  }
  const stale = await staleFiles(REPOSITORY);
  if (stale.length === 0) {
    process.stdout.write("The generated files are what the functions say.\n");
    return;
  }
  const list = stale.map((name) => `  ${name}\n`).join("");
  process.stderr.write(`Generated files differ from what the functions say:\n${list}Run npm run codegen.\n`);
  process.exitCode = 1;
}

if (import.meta.main) {
  const program = new Command("codegen")
    .description("regenerate convex/**/_generated with the official CLI")
    .option("--check", "write nothing; fail when the committed files differ");
  program.parse();
  await main(program.opts<{ check?: boolean }>().check === true);
}
