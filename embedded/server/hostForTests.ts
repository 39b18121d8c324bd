/** Starts real hosts over the fixture app, on free ports and in folders of their own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseConfig, type HostConfig, type Variables } from "./config.ts";
import { startHost, type Host } from "./host.ts";

const FUNCTIONS_DIR = path.resolve(import.meta.dirname, "../fixtures/serverApp/convex");

/** Hosts and folders of one test file; `clean` stops and removes all of them. */
export class TestHosts {
  readonly #hosts = new Set<Host>();
  readonly #folders: string[] = [];
  readonly log: string[] = [];

  folder(): string {
    const folder = mkdtempSync(path.join(tmpdir(), "daybook-server-"));
    this.#folders.push(folder);
    return folder;
  }

  async start(variables: Variables = {}, changes: Partial<HostConfig> = {}): Promise<Host> {
    const parsed = parseConfig(
      {
        DAYBOOK_ENV: "development",
        PORT: "0",
        SITE_PORT: "0",
        DATA_DIR: this.folder(),
        DAYBOOK_SIMULATOR_PORT: "off",
        // The fixture's functions need no token.
        DAYBOOK_RATE_LIMIT_PERCENT: "100000",
        ...variables,
      },
      FUNCTIONS_DIR,
    );
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const writeLog = (line: string): void => {
      this.log.push(line);
    };
    const host = await startHost({ ...parsed.config, ...changes }, { writeLog });
    this.#hosts.add(host);
    return host;
  }

  async clean(): Promise<void> {
    await Promise.all([...this.#hosts].map((host) => host.stop()));
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** A token of the development provider. */
export async function tokenFor(host: Host, user: string, orgId?: string): Promise<string> {
  const response = await fetch(`${host.developmentIssuer ?? ""}/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(orgId === undefined ? { user } : { user, orgId }),
  });
  const body = (await response.json()) as { token: string };
  return body.token;
}
