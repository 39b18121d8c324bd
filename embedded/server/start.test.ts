import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type AddressInfo, type Server } from "node:net";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { HostError } from "../engine/errors.ts";
import { checkpointKey } from "../../tests/support/checkpointKeys.ts";
import { TestHosts } from "./hostForTests.ts";

const hosts = new TestHosts();
const children: ChildProcess[] = [];

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await hosts.clean();
});

const MAIN = path.resolve(import.meta.dirname, "../main.ts");
const FUNCTIONS = path.resolve(import.meta.dirname, "../fixtures/serverApp/convex");

type Ended = { code: number | null; out: string; err: string };
type Running = { child: ChildProcess; printed: (text: string) => Promise<string>; ended: Promise<Ended> };

/** Runs the command line as `npm start` does. */
function run(variables: Record<string, string>): Running {
  const child = spawn(process.execPath, [MAIN, "start", "--functions", FUNCTIONS], {
    env: { PATH: process.env["PATH"], ...variables },
  });
  children.push(child);
  let [out, err] = ["", ""];
  child.stderr.on("data", (part: Buffer) => (err += part.toString()));
  const watchers = new Set<() => void>();
  child.stdout.on("data", (part: Buffer) => {
    out += part.toString();
    for (const check of watchers) check();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => {
      resolve({ code, out, err });
    });
  });
  const printed = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (out.includes(text)) resolve(out);
      };
      watchers.add(check);
      check();
      void ended.then(() => {
        reject(new Error(`ended before it printed: ${err}`));
      });
    });
  return { child, printed, ended };
}

async function occupy(): Promise<{ server: Server; port: string }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: String((server.address() as AddressInfo).port) };
}

describe("the command line", () => {
  test("refuses a bad configuration with exit code 1, every problem, and no stack trace", async () => {
    const { code, err } = await run({ DAYBOOK_ENV: "production", PORT: "x" }).ended;
    expect(code).toBe(1);
    for (const name of ["PORT", "DAYBOOK_AUTH_ISSUER", "DAYBOOK_AUTH_AUDIENCE", "DAYBOOK_FINGERPRINT_KEY"]) {
      expect(err).toContain(name);
    }
    expect(err).not.toMatch(/^\s+at /m);
  });

  test("names the port that is in use, with exit code 1 and no stack trace", async () => {
    const { server, port } = await occupy();
    const { code, err } = await run({
      DAYBOOK_ENV: "development",
      DATA_DIR: hosts.folder(),
      PORT: port,
      SITE_PORT: "0",
    }).ended;
    server.close();
    expect([code, err]).toEqual([1, expect.stringContaining(`PORT ${port} is in use`) as string]);
    expect(err).not.toMatch(/^\s+at /m);
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "says where everything is, and ends with 0 on %s",
    async (signal) => {
      const dataDir = hosts.folder();
      const variables = { DAYBOOK_ENV: "development", DATA_DIR: dataDir, PORT: "0", SITE_PORT: "0" };
      const { child, printed, ended } = run(variables);
      const out = await printed("Ctrl+C");
      expect(out).toContain(dataDir);
      expect(out).toContain("development");
      const issuer = /(http:\/\/127\.0\.0\.1:\d+\/dev)\/token/.exec(out)?.[1] ?? "";
      expect((await fetch(issuer.replace("/dev", "/healthz"))).status).toBe(200);

      const second = await run(variables).ended;
      expect([second.code, second.err]).toEqual([1, expect.stringContaining(dataDir) as string]);
      expect(second.err).not.toMatch(/^\s+at /m);

      child.kill(signal);
      const { code, err } = await ended;
      expect([code, err]).toEqual([0, ""]);
    },
  );

  test("a second signal ends it at once, with another code than 0, though a request is under way", async () => {
    const variables = { DAYBOOK_ENV: "development", DATA_DIR: hosts.folder(), PORT: "0", SITE_PORT: "0" };
    const { child, printed, ended } = run(variables);
    const port = /http:\/\/127\.0\.0\.1:(\d+)\/dev/.exec(await printed("Ctrl+C"))?.[1];
    const underWay = createConnection({ host: "127.0.0.1", port: Number(port) });
    underWay.on("error", () => undefined);
    await new Promise((resolve) => {
      underWay.once("data", resolve);
      underWay.write(
        "POST /api/query HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n",
      );
    });
    child.kill("SIGTERM");
    await printed("Stopping.");
    child.kill("SIGTERM");
    expect((await ended).code).toBe(1);
    underWay.destroy();
  });
});

describe("startHost", () => {
  test("names PORT or SITE_PORT when it is in use, and leaves the other free", async () => {
    const { server, port } = await occupy();
    await expect(hosts.start({ PORT: port })).rejects.toThrow(`PORT ${port} is in use`);
    const free = await occupy();
    free.server.close();
    await expect(hosts.start({ PORT: free.port, SITE_PORT: port })).rejects.toThrow(
      `SITE_PORT ${port} is in use`,
    );
    const host = await hosts.start({ PORT: free.port });
    expect(host.url).toBe(`http://127.0.0.1:${free.port}`);
    server.close();
  });

  test("refuses data that another host has open, and frees its ports again", async () => {
    const dataDir = hosts.folder();
    const first = await hosts.start({ DATA_DIR: dataDir });
    const free = await occupy();
    free.server.close();
    await expect(hosts.start({ DATA_DIR: dataDir, PORT: free.port })).rejects.toMatchObject({
      code: "DATA_LOCKED",
    });
    await hosts.start({ PORT: free.port });
    await first.stop();
    await hosts.start({ DATA_DIR: dataDir });
  });

  test("a refused identity provider leaves ports and data free", async () => {
    const dataDir = hosts.folder();
    const { server, port } = await occupy();
    server.close();
    const issuer = `http://127.0.0.1:${port}/dev`;
    const variables = { DATA_DIR: dataDir, PORT: port };
    const provider = { DAYBOOK_AUTH_ISSUER: issuer, DAYBOOK_AUTH_AUDIENCE: "daybook-development" };
    await expect(hosts.start({ ...variables, ...provider })).rejects.toThrow(
      "lists the development provider",
    );
    expect((await hosts.start(variables)).developmentIssuer).toBe(issuer);
  });

  test("stop is safe to call twice", async () => {
    const host = await hosts.start();
    await Promise.all([host.stop(), host.stop()]);
    await expect(fetch(host.url)).rejects.toThrow();
  });

  test("keeps the development secrets to their owner, and tells a damaged file without quoting it", async () => {
    const dataDir = hosts.folder();
    await (await hosts.start({ DATA_DIR: dataDir })).stop();
    const file = path.join(dataDir, "development.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(file, readFileSync(file, "utf8").replace(/"crv": "P-256"/, '"crv": "CANARY"'));
    const error: unknown = await hosts.start({ DATA_DIR: dataDir }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HostError);
    expect(String(error)).toContain("development.json");
    expect(String(error)).not.toContain("CANARY");
  });

  const production = {
    DAYBOOK_ENV: "production",
    DAYBOOK_INVITATION_KEYS: `k1:${"a".repeat(64)}`,
    DAYBOOK_FINGERPRINT_KEY: "b".repeat(64),
    DAYBOOK_SEALING_KEYS: `s1:${"c".repeat(64)}`,
    DAYBOOK_DEPLOYMENT: "daybook.test",
    DAYBOOK_CHECKPOINT_KEYS: checkpointKey(1),
    DAYBOOK_AUTH_ISSUER: "https://issuer.example",
    DAYBOOK_AUTH_AUDIENCE: "daybook",
  };

  test("production logs JSON, each line with time, level, component and request id", async () => {
    const host = await hosts.start({ ...production, LOG_LEVEL: "debug" });
    hosts.log.length = 0;
    await fetch(`${host.url}/no/such/address`);
    await expect.poll(() => hosts.log).toHaveLength(1);
    expect(JSON.parse(hosts.log[0] ?? "")).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      component: "http",
      method: "GET",
      route: "unknown",
      status: 404,
      ms: expect.any(Number) as number,
      requestId: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      message: "answered",
    });
  });

  test("data of one environment is refused by the other", async () => {
    const [made, used] = [hosts.folder(), hosts.folder()];
    await (await hosts.start({ DATA_DIR: made })).stop();
    await expect(hosts.start({ ...production, DATA_DIR: made })).rejects.toThrow(
      "DATA_DIR belongs to another",
    );
    await (await hosts.start({ ...production, DATA_DIR: used })).stop();
    await expect(hosts.start({ DATA_DIR: used })).rejects.toThrow("DATA_DIR belongs to another");
  });

  test("data of an unknown environment is refused", async () => {
    const folder = path.join(hosts.folder(), "data");
    mkdirSync(folder);
    writeFileSync(path.join(folder, "daybook.sqlite"), "");
    await expect(hosts.start({ ...production, DATA_DIR: folder })).rejects.toThrow(
      'no file named "environment"',
    );
  });

  test("development never listens beyond loopback, even when the check of the configuration is passed by", async () => {
    await expect(hosts.start({}, { host: "0.0.0.0" })).rejects.toThrow("HOST must be a loopback address");
  });
});
