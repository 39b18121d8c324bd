/** A project of its own, a host that runs it, and the official CLI between them. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Host } from "../server/host.ts";
import { TestHosts } from "../server/hostForTests.ts";
import { runOfficialCli, type CliResult } from "./officialCli.ts";

const FIXTURE = path.resolve(import.meta.dirname, "../fixtures/pushApp/convex");
const NODE_MODULES = path.resolve(import.meta.dirname, "../../node_modules");

const TYPESCRIPT = {
  compilerOptions: {
    target: "ES2022",
    lib: ["ES2022", "DOM"],
    module: "ESNext",
    moduleResolution: "Bundler",
    allowImportingTsExtensions: true,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  },
};

/** Projects and hosts of one test file; `clean` removes them all. */
export class CliProjects {
  readonly #hosts = new TestHosts();

  /** A folder as a developer has it, with the fixture as its convex/ folder. */
  project(): string {
    const folder = this.#hosts.folder();
    cpSync(FIXTURE, path.join(folder, "convex"), { recursive: true });
    mkdirSync(path.join(folder, "node_modules"), { recursive: true });
    for (const name of ["convex", "typescript"]) {
      symlinkSync(path.join(NODE_MODULES, name), path.join(folder, "node_modules", name), "junction");
    }
    const manifest = { name: "project", type: "module", dependencies: { convex: "1.48.0" } };
    writeFileSync(path.join(folder, "package.json"), JSON.stringify(manifest));
    writeFileSync(path.join(folder, "convex/tsconfig.json"), JSON.stringify(TYPESCRIPT));
    return folder;
  }

  /** Starts a host on a project's convex/ folder. */
  async start(project: string, variables: Readonly<Record<string, string>> = {}): Promise<Host> {
    return await this.#hosts.start(variables, { functionsDir: path.join(project, "convex") });
  }

  async clean(): Promise<void> {
    await this.#hosts.clean();
  }
}

/** Runs `convex <args>` in a project against a host. */
export async function convex(
  project: string,
  host: Pick<Host, "url" | "adminKey">,
  args: readonly string[],
  options: Omit<Parameters<typeof runOfficialCli>[1], "cwd"> = {},
): Promise<CliResult> {
  const target = ["--url", host.url, "--admin-key", host.adminKey ?? ""];
  return await runOfficialCli([...args, ...target], { ...options, cwd: project });
}
