/** The README's client code, as it stands there, against a running host. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exitOf, HostProcess } from "../support/hostProcess.ts";

const ROOT = path.join(import.meta.dirname, "../..");
/** Inside the project, so that packages resolve; git ignores it. */
const FOLDER = path.join(ROOT, `.daybook-readme-${process.pid}`);

let host: HostProcess;

beforeAll(async () => {
  host = await HostProcess.launch();
  mkdirSync(FOLDER);
});
afterAll(async () => {
  await host.remove();
  rmSync(FOLDER, { recursive: true, force: true });
});

test("the client code founds an organisation and sees its bookings", async () => {
  const readme = readFileSync(path.join(ROOT, "README.md"), "utf8");
  const [, code = ""] = /```ts\n(.*?)```/s.exec(readme) ?? [];
  expect(code).toContain("http://127.0.0.1:3210");
  const file = path.join(FOLDER, "client.ts");
  const token = await host.token("alice");
  writeFileSync(
    file,
    `const token = ${JSON.stringify(token)};\n${code
      .replace("./convex/", "../convex/")
      .replace("http://127.0.0.1:3210", host.url)}\nconsole.log(created.status);`,
  );
  const child = spawn(process.execPath, [file], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  await new Promise<void>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.includes("committed") && output.includes("isDone: true")) resolve();
    });
  });
  await exitOf(child, "SIGKILL");
  expect(output).toContain("page: []");
});
