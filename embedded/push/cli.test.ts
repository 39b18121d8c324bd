/** The official CLI, as a developer runs it, against a host. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Host } from "../server/host.ts";
import { CliProjects, convex } from "./cliForTests.ts";
import type { CliResult } from "./officialCli.ts";

const projects = new CliProjects();
let project: string;
let host: Host;
let client: ConvexHttpClient;

beforeAll(async () => {
  project = projects.project();
  host = await projects.start(project, { DAYBOOK_ORG_CLAIM: "tenant" });
  client = new ConvexHttpClient(host.url, { logger: false });
});

afterAll(async () => {
  await projects.clean();
});

async function run(...args: string[]): Promise<CliResult> {
  return await convex(project, host, args);
}

/** Without the CLI, where what is done is not what is tested. */
async function add(text: string): Promise<void> {
  await client.mutation(makeFunctionReference<"mutation">("notes:add"), { text });
}

describe("run", () => {
  test("calls queries, mutations, actions and internal functions and prints what they return", async () => {
    expect(await run("run", "notes:add", '{"text":"first"}')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^"[0-9a-z]{32}"\n$/) as string,
    });
    expect(await run("run", "notes:count")).toMatchObject({ exitCode: 0, stdout: "1\n" });
    expect(await run("run", "notes:shout", '{"text":"hey"}')).toMatchObject({
      exitCode: 0,
      stdout: '"HEY"\n',
    });
    expect(await run("run", "notes:secret")).toMatchObject({ exitCode: 0, stdout: '"internal"\n' });
  });

  test("calls functions of a component instance", async () => {
    const make = ["run", "marks:make", '{"kind":"x"}', "--component"];
    expect(await run(...make, "tally")).toMatchObject({ exitCode: 0, stdout: "1\n" });
    expect(await run(...make, "second")).toMatchObject({ exitCode: 0, stdout: "1\n" });
    expect(await run("run", "marks:hidden", "--component", "tally")).toMatchObject({
      exitCode: 0,
      stdout: '"only the tally knows"\n',
    });
  });

  test("fails with the function's error, and for a function that does not exist", async () => {
    const crashed = await run("run", "notes:crash");
    expect(crashed.exitCode).toBe(1);
    expect(crashed.stderr).toContain("out of ink");
    const missing = await run("run", "notes:missing");
    expect(missing.exitCode).toBe(1);
    expect(missing.stderr).toContain("Could not find");
  });
});

test("every command fails with a key that is not the host's", async () => {
  const stranger = { url: host.url, adminKey: "not-the-key" };
  const unchecked = ["--typecheck", "disable"];
  for (const args of [
    ["run", "notes:secret"],
    ["codegen", ...unchecked],
    ["deploy", ...unchecked],
    ["env", "set", "A", "b"],
  ]) {
    const { exitCode, stdout } = await convex(project, stranger, args);
    expect([args, exitCode, stdout]).toEqual([args, 1, ""]);
  }
});

describe("data", () => {
  test("lists the tables of the app and of a component", async () => {
    expect(await run("data")).toMatchObject({ exitCode: 0, stdout: "drafts\nnotes\n" });
    expect(await run("data", "--component", "tally")).toMatchObject({ exitCode: 0, stdout: "marks\n" });
  });

  test("prints rows, newest first unless asked otherwise, as many as asked for", async () => {
    for (const text of ["second", "third"]) await add(text);
    const texts = async (...args: string[]): Promise<string[]> => {
      const { exitCode, stdout } = await run("data", "notes", "--format", "jsonLines", ...args);
      expect(exitCode).toBe(0);
      return [...stdout.matchAll(/"text": "(\w+)"/g)].map(([, text]) => text ?? "");
    };
    expect(await texts("--limit", "2")).toEqual(["third", "second"]);
    expect((await texts("--order", "asc")).slice(-2)).toEqual(["second", "third"]);
    expect((await run("data", "notes")).stdout).toMatch(/\| 6n +\| "second"/);
  });

  test("says when a table is empty or unknown, and fails for an unknown component", async () => {
    for (const table of ["drafts", "unknown"]) {
      const empty = await run("data", table);
      expect(empty).toMatchObject({ exitCode: 0, stdout: "" });
      expect(empty.stderr).toContain("no documents");
    }
    const failed = await run("data", "--component", "nobody");
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain('Component "nobody" not found.');
  });
});

describe("env", () => {
  test("shows what the functions see of the host's environment", async () => {
    const list = await run("env", "list", "--include-values");
    expect(list.exitCode).toBe(0);
    expect(list.stdout).toContain("DAYBOOK_ORG_CLAIM=tenant\n");
    expect(list.stdout).not.toContain("PATH=");
    expect(await run("env", "get", "DAYBOOK_ORG_CLAIM")).toMatchObject({ exitCode: 0, stdout: "tenant\n" });
    expect((await run("env", "get", "PATH")).stderr).toContain("not found");
  });

  test("is not changed from here: the host's own environment is the place", async () => {
    for (const args of [
      ["set", "DAYBOOK_ORG_CLAIM", "other"],
      ["remove", "DAYBOOK_ORG_CLAIM"],
    ]) {
      const refused = await run("env", ...args);
      expect(refused.exitCode).toBe(1);
      expect(refused.stderr).toContain("Change DAYBOOK_ORG_CLAIM there and restart it.");
    }
    expect((await run("env", "get", "DAYBOOK_ORG_CLAIM")).stdout).toBe("tenant\n");
  });
});

describe("logs", () => {
  test("prints what functions log while it runs, and what they logged before", async () => {
    await expect(client.query(makeFunctionReference<"query">("notes:crash"))).rejects.toThrow("out of ink");
    await add("before");
    const stop = new AbortController();
    let started = false;
    const logs = await convex(project, host, ["logs", "--history", "1000", "--success"], {
      signal: stop.signal,
      onOutput: (stdout) => {
        if (!started && stdout.includes("'before'")) {
          started = true;
          void add("during");
        }
        if (/'during'[\s\S]*executed in/.test(stdout)) stop.abort();
      },
    });
    expect(logs.stdout).toMatch(/\[CONVEX M\(notes:add\)\] \[LOG\] 'adding' 'before'/);
    expect(logs.stdout).toMatch(/\[CONVEX M\(notes:add\)\] \[LOG\] 'adding' 'during'/);
    expect(logs.stdout).toMatch(/\[CONVEX M\(notes:add\)\] Function executed in \d+ ms/);
    expect(logs.stdout).toMatch(/\[CONVEX Q\(notes:crash\)\] .*out of ink/);
  });
});

describe("codegen", () => {
  test("writes the types of the app and its components", async () => {
    expect(await run("codegen")).toMatchObject({ exitCode: 0 });
    const api = readFileSync(path.join(project, "convex/_generated/api.d.ts"), "utf8");
    expect(api).toContain("export declare const components: {\n  tally:");
    expect(api).toContain("second:");
    const component = readFileSync(path.join(project, "convex/tally/_generated/component.ts"), "utf8");
    expect(component).toMatch(
      /marks: \{\s+make: FunctionReference<\s*"mutation",\s*"internal",\s*\{ kind: string \},/,
    );
    expect(component).not.toContain("hidden");
  });
});

test("logs with a wrong admin key ends, and says why", async () => {
  const other = { url: host.url, adminKey: `${host.adminKey ?? ""}x` };
  const result = await convex(project, other, ["logs"]);
  expect(result.exitCode).not.toBe(0);
  expect(result.stderr).toContain("the admin key is not this host's");
});

describe.each([
  ["dev --once", ["dev", "--once"], "Convex functions ready!"],
  ["deploy", ["deploy"], "Deployed Convex functions"],
])("%s", (_name, command, success) => {
  let own: string;
  let ownHost: Host;
  const push = async (...options: readonly string[]): Promise<CliResult> =>
    await convex(own, ownHost, [...command, ...options]);

  beforeAll(async () => {
    own = projects.project();
    ownHost = await projects.start(own);
  });

  test("confirms what the host runs", async () => {
    const pushed = await push();
    expect(pushed.stderr).toContain(success);
    expect(pushed.exitCode).toBe(0);
  });

  test("is refused after a change, with what differs and what to do", async () => {
    appendFileSync(
      path.join(own, "convex/notes.ts"),
      'export const added = queryGeneric({ args: {}, handler: () => "new" });\n',
    );
    const pushed = await push("--typecheck", "disable");
    expect(pushed.exitCode).toBe(1);
    expect(pushed.stderr).not.toContain(success);
    expect(pushed.stderr).toContain("function notes:added is pushed, and does not run");
    expect(pushed.stderr).toContain("Restart the host with this folder");
  });
});

test("a push of code that does not type-check fails", async () => {
  const other = projects.project();
  writeFileSync(path.join(other, "convex/broken.ts"), 'export const wrong: number = "text";\n');
  const pushed = await convex(other, host, ["deploy"]);
  expect(pushed.exitCode).toBe(1);
  expect(pushed.stdout + pushed.stderr).toContain("TS2322");
});

describe("a push from another folder than the host's", () => {
  test("is confirmed as long as it is the same code, to the bodies of functions and what they import", async () => {
    const other = projects.project();
    const deploy = ["deploy", "--typecheck", "disable"];
    expect(await convex(other, host, deploy)).toMatchObject({ exitCode: 0 });

    for (const [file, before, after] of [
      ["notes.ts", '"internal"', '"replaced"'],
      ["tally/marks.ts", "only the tally knows", "everybody knows"],
    ] as const) {
      const changed = path.join(other, "convex", file);
      const text = readFileSync(changed, "utf8");
      writeFileSync(changed, text.replace(before, after));
      const pushed = await convex(other, host, deploy);
      writeFileSync(changed, text);
      expect(pushed.exitCode).toBe(1);
      expect(pushed.stderr).toContain("the code pushed is not that of");
    }
  });
});
