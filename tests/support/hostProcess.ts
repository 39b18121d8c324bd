/** The embedded host as its users run it: a process of its own, on free ports and a folder of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import getPort from "get-port";

const ROOT = path.join(import.meta.dirname, "../..");
const START_TIMEOUT_MS = 30_000;

export type HostOptions = {
  /** Runs another convex/ folder than the repository's. */
  functionsDir?: string;
  /** Options of Node itself. */
  nodeOptions?: readonly string[];
};

export class HostProcess {
  readonly url: string;
  readonly siteUrl: string;
  readonly dataDir: string;
  /** What the process wrote so far, both streams. */
  output = "";
  #child: ChildProcess | undefined;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #command: readonly string[];

  private constructor(
    ports: { api: number; site: number },
    dataDir: string,
    environment: Record<string, string>,
    { functionsDir, nodeOptions = [] }: HostOptions,
  ) {
    this.url = `http://127.0.0.1:${ports.api}`;
    this.siteUrl = `http://127.0.0.1:${ports.site}`;
    this.dataDir = dataDir;
    const functions = functionsDir === undefined ? [] : ["--functions", functionsDir];
    this.#command = [...nodeOptions, "embedded/main.ts", "start", ...functions];
    this.#environment = {
      DAYBOOK_ENV: "development",
      PORT: String(ports.api),
      SITE_PORT: String(ports.site),
      DATA_DIR: dataDir,
      // Payments are taken by the tests that ask for them: "0" is any free port.
      DAYBOOK_SIMULATOR_PORT: "off",
      ...environment,
    };
  }

  /** Starts a host on new data. `environment` adds to or overrides its variables. */
  static async launch(
    environment: Record<string, string> = {},
    options: HostOptions = {},
  ): Promise<HostProcess> {
    const dataDir = mkdtempSync(path.join(tmpdir(), "daybook-host-"));
    const ports = { api: await getPort(), site: await getPort() };
    const host = new HostProcess(ports, dataDir, environment, options);
    await host.start();
    return host;
  }

  /** Starts it again on the same data and ports; resolves when it answers. `environment` is for this run only. */
  async start(environment: Record<string, string> = {}): Promise<void> {
    const child = this.spawn(environment);
    this.#child = child;
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the host did not start:\n${this.output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** Another process on the same configuration, whatever comes of it. */
  spawn(environment: Record<string, string> = {}): ChildProcess {
    const inherited = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("DAYBOOK_")),
    );
    const child = spawn(process.execPath, this.#command, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...inherited, ...this.#environment, ...environment },
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    return child;
  }

  async #answers(): Promise<boolean> {
    return await fetch(`${this.url}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    this.#child = undefined;
    return await exitOf(child, signal);
  }

  /** Waits until the process ends by itself. */
  async exit(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) throw new Error("the host does not run");
    const code = await exitOf(child);
    this.#child = undefined;
    return code;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("the host does not run");
    return pid;
  }

  /** Ends the process and removes its data. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  adminKey(): string {
    return this.secret("DAYBOOK_ADMIN_KEY");
  }

  /** One of the secrets that development made for itself. */
  secret(name: "DAYBOOK_ADMIN_KEY" | "DAYBOOK_STRIPE_WEBHOOK_SECRETS" | "simulatorKey"): string {
    const secrets = JSON.parse(readFileSync(path.join(this.dataDir, "development.json"), "utf8")) as Record<
      typeof name,
      string
    >;
    return secrets[name];
  }

  /** Runs a command of the host's command line on its data folder. */
  async maintain(...args: string[]): Promise<Ended> {
    return await run(["embedded/main.ts", ...args], { DATA_DIR: this.dataDir });
  }

  /** The value of one of the host's metrics without labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const value = new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1];
    if (value === undefined) throw new Error(`no metric ${name}:\n${text}`);
    return Number(value);
  }

  /** A token of the development provider. */
  async token(user: string, orgId?: unknown, authenticatedAgoS?: number): Promise<string> {
    const response = await fetch(`${this.url}/dev/token`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      // JSON leaves out what is undefined.
      body: JSON.stringify({ user, orgId, authenticatedAgoS }),
    });
    if (!response.ok) throw new Error(`no token: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { token: string }).token;
  }
}

export type Ended = { exit: number | null; stdout: string; stderr: string };

/** Runs one of the repository's programs to its end. */
export async function run(args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const closed = new Promise((resolve) => child.once("close", resolve));
  const exit = await exitOf(child);
  await closed;
  return { exit, stdout, stderr };
}

/** The exit code of a process, after an optional signal; null when a signal ended it. */
export async function exitOf(child: ChildProcess, signal?: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  if (signal !== undefined) child.kill(signal);
  return await exit;
}
