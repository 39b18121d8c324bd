/** The operator's command line against a running host. */
import { spawn } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { exitOf } from "../support/hostProcess.ts";
import { defineService, FIRST_PAGE, foundOrganization, refusalOf } from "../support/scene.ts";

const ROOT = path.join(import.meta.dirname, "../..");

let backend: HostBackend;

beforeAll(async () => {
  backend = await openHostBackend();
});
afterAll(async () => {
  await backend.close();
});

type Ended = { exit: number | null; stdout: string; stderr: string };

async function run(args: readonly string[], variables: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, ["embedded/main.ts", ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, DATA_DIR: backend.host.dataDir, DAYBOOK_URL: backend.host.url, ...variables },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return { exit: await exitOf(child), stdout, stderr };
}

test("freeze and unfreeze act on one organisation of a running host, and say what they did", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const frozen = await run(["freeze", orgId, "--reason", "security_incident", "--operator", "on-call"]);
  expect(frozen).toMatchObject({ exit: 0, stderr: "" });
  expect(JSON.parse(frozen.stdout)).toEqual({ status: "committed", seq: 3 });
  const page = { paginationOpts: FIRST_PAGE };
  expect((await refusalOf(owner.client.query(api.projections.services.list, page))).code).toBe("ORG_FROZEN");
  const status = await run(["organization", orgId]);
  expect(JSON.parse(status.stdout)).toMatchObject({ status: "frozen", frozenBy: "operator" });
  const again = await run(["freeze", orgId, "--reason", "other"]);
  expect(again).toMatchObject({ exit: 1, stdout: "" });
  expect(again.stderr).toContain("INVALID_TRANSITION");
  expect((await run(["unfreeze", orgId])).exit).toBe(0);
  await defineService(owner.client);
});

test("what can't run says why: a reason that is none, a wrong key, no host", async () => {
  const { orgId } = await foundOrganization(backend);
  expect((await run(["freeze", orgId, "--reason", "whim"])).stderr).toContain("security_incident");
  const wrong = await run(["unfreeze", orgId], { DAYBOOK_ADMIN_KEY: "x".repeat(40) });
  expect(wrong).toMatchObject({ exit: 2, stdout: "" });
  const nobody = await run(["organization", orgId], { DAYBOOK_URL: "http://127.0.0.1:9" });
  expect(nobody.exit).toBe(2);
  expect(nobody.stderr).toContain("No host answers");
});
