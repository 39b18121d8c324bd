/** The auditor's command line as a process of its own: what it prints and how it ends. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { chainCases } from "../ledger/testing/damagedLedgers.ts";
import { bundleOf } from "../ledger/testing/tampering.ts";
import { chainEvents, endlessDrafts, SAMPLE_ORG_ID, sampleId, seal } from "../ledger/testing/sampleLedger.ts";
import { parseEvent } from "../ledger/event.ts";
import type { LedgerEntry } from "../ledger/verify.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import { isoTime, printable, printableLines } from "./verdictText.ts";
import { BEGIN_EXPORT, serveLedger, TOKEN } from "./testing/servedLedger.ts";
import type { Served, ServedLedger } from "./testing/servedLedger.ts";

const MAIN = join(import.meta.dirname, "main.ts");
const EVENTS = 451;
const entries: readonly LedgerEntry[] = Array.from(
  chainEvents(endlessDrafts().take(EVENTS), nodeSha256),
  ({ entry }) => entry,
);
const headHash = entries.at(-1)?.hash ?? "";
const head = { orgId: SAMPLE_ORG_ID, seq: EVENTS, hash: headHash };

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function audit(args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  const { PATH = "", NODE_COMPILE_CACHE = "" } = process.env;
  const env = { PATH, NODE_COMPILE_CACHE, ...environment };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  return new Promise((resolve) => {
    child.on("close", (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}

let folder = "";
let server: ServedLedger | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "daybook-audit-"));
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function serve(change: Partial<Served> = {}): Promise<string[]> {
  server = await serveLedger({ head, entries, ...change });
  return ["--url", server.url, "--token", TOKEN];
}

describe("verify --bundle", () => {
  const named = new Map(chainCases(nodeSha256).map((chain) => [chain.name, chain]));

  test("an intact ledger exits 0 and prints its head in the form to note", async () => {
    const ended = await audit(["verify", "--bundle", file("a.ndjson", bundleOf(entries))]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toContain("intact");
    expect(ended.stdout).toContain(`${EVENTS}:${headHash}`);
  });

  test("--json prints one object and nothing else", async () => {
    const ended = await audit(["verify", "--json", "--bundle", file("a.ndjson", bundleOf(entries))]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(ended.stdout)).toEqual({
      result: "intact",
      orgId: SAMPLE_ORG_ID,
      count: EVENTS,
      headSeq: EVENTS,
      headHash,
      checkpoints: 0,
      signedTo: 0,
      provenTo: 0,
      proven: [],
      notProven: ["Nothing says that this is the ledger that others saw: no key was pinned (--key)."],
    });
  });

  test("--workers says how many threads verify, and changes nothing else", async () => {
    const intact = file("a.ndjson", bundleOf(entries));
    const damaged = file("b.ndjson", named.get("missing")?.bundle ?? "");
    const [one, three] = await Promise.all(
      ["1", "3"].map(async (workers) => [
        await audit(["verify", "--json", "--bundle", intact, "--workers", workers]),
        await audit(["verify", "--json", "--bundle", damaged, "--workers", workers]),
      ]),
    );
    expect(one?.map(({ code }) => code)).toEqual([0, 1]);
    expect(three).toEqual(one);
  });

  test("an export that comes through a pipe is verified as it comes", async () => {
    // A shell's pipe: the one that Node makes for a child is a socket, which can't be opened by its name.
    const line = 'cat "$1" | "$2" "$3" verify --bundle /dev/stdin';
    const path = file("a.ndjson", bundleOf(entries));
    const child = spawn("sh", ["-c", line, "sh", path, process.execPath, MAIN], { stdio: "ignore" });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe(0);
  });

  test.each(["altered", "missing", "duplicated-page", "broken-link", "truncated-line", "unknown-type"])(
    "%s exits 1 with its position and kind",
    async (name) => {
      const chain = named.get(name);
      const ended = await audit(["verify", "--json", "--bundle", file("a.ndjson", chain?.bundle ?? "")]);
      const verdict = chain?.verdict.result === "damaged" ? chain.verdict : undefined;
      expect(ended.code).toBe(1);
      expect(JSON.parse(ended.stdout)).toMatchObject({
        result: "damaged",
        firstBadSeq: verdict?.seq,
        kind: verdict?.kind,
        expected: expect.any(String) as string,
        found: expect.any(String) as string,
      });
    },
  );

  test("the table of a damaged ledger names position, kind and both sides", async () => {
    const ended = await audit(["verify", "--bundle", file("a.ndjson", named.get("missing")?.bundle ?? "")]);
    expect(ended.code).toBe(1);
    for (const text of ["damaged", "First bad sequence", "12", "missing", "sequence 13"]) {
      expect(ended.stdout).toContain(text);
    }
  });

  test("--expect-head tells a rewritten ledger, --earlier-head accepts one that grew", async () => {
    const path = file("a.ndjson", bundleOf(entries));
    const earlier = entries[99]?.hash ?? "";
    const codes = await Promise.all([
      audit(["verify", "--bundle", path, "--expect-head", headHash]),
      audit(["verify", "--bundle", path, "--expect-head", `${EVENTS}:${headHash}`]),
      audit(["verify", "--bundle", path, "--expect-head", "ab".repeat(32)]),
      audit(["verify", "--bundle", path, "--expect-head", earlier]),
      audit(["verify", "--bundle", path, "--earlier-head", `100:${earlier}`]),
      audit(["verify", "--bundle", path, "--earlier-head", `99:${earlier}`]),
    ]);
    expect(codes.map(({ code }) => code)).toEqual([0, 0, 1, 1, 0, 1]);
  });
});

describe("what keeps an audit from running exits 2 and says what to do", () => {
  test.each([
    ["no command", []],
    ["an unknown command", ["veriffy"]],
    ["an unknown option", ["verify", "--bogus"]],
    ["neither file nor server", ["verify"]],
    ["both file and server", ["verify", "--bundle", "a", "--url", "https://a.example", "--token", "t"]],
    ["a head that is none", ["verify", "--bundle", "a", "--expect-head", "abc"]],
    ["a number of threads that is none", ["verify", "--bundle", "a", "--workers", "0"]],
    ["no file of that name", ["verify", "--bundle", "/nonexistent/a.ndjson"]],
    ["a folder", ["verify", "--bundle", tmpdir()]],
    ["no token", ["verify", "--url", "https://a.example"]],
    ["a token that breaks the header", ["verify", "--url", "https://a.example", "--token", "a\nb"]],
    ["no address", ["verify", "--url", "a.example", "--token", "t"]],
    ["a token in clear over the network", ["verify", "--url", "http://a.example", "--token", "t"]],
    ["a server that does not answer", ["verify", "--url", "http://127.0.0.1:1", "--token", "t"]],
    ["an export without a file", ["export", "--url", "http://127.0.0.1:1", "--token", "t"]],
    [
      "an export to a missing folder",
      ["export", "--url", "http://127.0.0.1:1", "--token", "t", "--out", "/nonexistent/a"],
    ],
  ])("%s", async (_name, args) => {
    const ended = await audit(args);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr.split("\n").length).toBeGreaterThan(1);
    expect(ended.stderr).not.toMatch(/^ +at /m);
  });

  test.each([
    ["an empty file", ""],
    ["another kind of file", "hello\nworld\n"],
    ["a bundle with a byte order mark", `\ufeff${bundleOf(entries.slice(0, 1))}`],
    ["a bundle without its manifest", bundleOf(entries).split("\n").slice(1).join("\n")],
    ["binary", Uint8Array.of(0xff, 0xfe, 0x00)],
  ])("%s is no bundle", async (_name, content) => {
    const ended = await audit(["verify", "--bundle", file("a", content)]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain("not an exported ledger");
  });

  test("a token is never sent in clear over the network", async () => {
    const ended = await audit(["verify", "--url", "http://a.example", "--token", "t"]);
    expect(ended.stderr).toContain("not an address to send a token to");
  });

  test("help that was asked for exits 0", async () => {
    expect((await audit(["--help"])).code).toBe(0);
    expect((await audit(["verify", "--help"])).stdout).toContain("--expect-head");
  });
});

describe("verify --url", () => {
  test("an intact server exits 0; every request carries the token and pages are at most 200", async () => {
    const ended = await audit(["verify", "--json", ...(await serve())]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(ended.stdout)).toMatchObject({ result: "intact", count: EVENTS, headHash });
    expect(server?.requests.map(({ path, args }) => [path, args])).toEqual([
      ["projections/ledger:head", {}],
      ["projections/ledger:events", { afterSeq: 0, limit: 200 }],
      ["projections/ledger:events", { afterSeq: 200, limit: 200 }],
      ["projections/ledger:events", { afterSeq: 400, limit: 51 }],
    ]);
    expect(server?.requests.every(({ authorization }) => authorization === `Bearer ${TOKEN}`)).toBe(true);
  });

  test("the token may come from the environment", async () => {
    await serve();
    const ended = await audit(["verify", "--url", server?.url ?? ""], { DAYBOOK_TOKEN: TOKEN });
    expect(ended.code).toBe(0);
  });

  test("events that are appended during the audit are left for the next one", async () => {
    const earlier = { ...head, seq: 300, hash: entries[299]?.hash ?? "" };
    const ended = await audit(["verify", "--json", ...(await serve({ head: earlier }))]);
    expect(JSON.parse(ended.stdout)).toMatchObject({ result: "intact", count: 300 });
  });

  test.each([
    [
      "an altered event",
      { entries: entries.with(250, { text: entries[250]?.text ?? "", hash: headHash }) },
      "altered",
      251,
    ],
    ["a missing event", { entries: entries.toSpliced(250, 1) }, "missing", 251],
    ["a tail that is gone", { entries: entries.slice(0, 420) }, "truncated", 421],
    ["a head that is not the chain's", { head: { ...head, hash: "ab".repeat(32) } }, "altered", EVENTS],
    [
      "another organisation's ledger",
      { head: { ...head, orgId: sampleId("org", 2) } },
      "foreign organisation",
      1,
    ],
    ["no end", { isEndless: true, entries: entries.slice(0, 150) }, "truncated", 151],
    [
      "a count that goes on without events",
      { isEndless: true, entries: entries.slice(0, 150), head: { ...head, seq: 2 ** 40 } },
      "truncated",
      151,
    ],
    ["a text that is no text", { entries: [{ text: "\ud800", hash: headHash }] }, "not canonical", 1],
  ])("%s exits 1", async (_name, change, kind, firstBadSeq) => {
    const ended = await audit(["verify", "--json", ...(await serve(change))]);
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({ result: "damaged", kind, firstBadSeq });
  });

  const HEAD = "projections/ledger:head";
  const error = (code: string) =>
    JSON.stringify({
      status: "error",
      errorMessage: "[Request ID: x] Server Error",
      errorData: { code, message: "m" },
    });
  test.each([
    ["a wrong token", { status: 560, body: error("UNAUTHENTICATED") }, /UNAUTHENTICATED[\s\S]*new token/],
    ["a role that may not read", { status: 200, body: error("FORBIDDEN") }, /FORBIDDEN[\s\S]*auditor/],
    [
      "what no checkpoint covers",
      { status: 560, body: error("CONFLICT") },
      /CONFLICT[\s\S]*requestCheckpoint/,
    ],
    [
      "an unknown refusal",
      { status: 560, body: '{"status":"error","errorMessage":"\\u001b[2Jgone"}' },
      /refused.*\\u\{1b\}/,
    ],
    ["a web page", { status: 404, body: "<html>" }, /HTTP 404/],
    ["more than any answer", { status: 200, body: `${" ".repeat(65 * 1024 ** 2)}{}` }, /gave no answer/],
    [
      "an answer of another shape",
      { status: 200, body: '{"status":"success","value":{"seq":-1}}' },
      /another shape/,
    ],
    ["no organisation", { status: 200, body: '{"status":"success","value":null}' }, /another shape/],
    ["a redirect", { status: 307, body: "" }, /did not answer/],
  ])("%s exits 2", async (_name, answer, message) => {
    const ended = await audit(["verify", ...(await serve({ answers: { [HEAD]: answer } }))]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toContain(TOKEN);
    expect(server?.requests).toHaveLength(1);
  });
});

describe("export", () => {
  test("writes a bundle for its owner's eyes only, which verifies on its own", async () => {
    const out = join(folder, "ledger.ndjson");
    const ended = await audit(["export", "--json", "--out", out, ...(await serve())]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["ledger.ndjson"]);
    const [manifest = "", ...lines] = readFileSync(out, "utf8").split("\n");
    expect(JSON.parse(manifest)).toMatchObject({
      orgId: SAMPLE_ORG_ID,
      count: EVENTS,
      headSeq: EVENTS,
      headHash,
    });
    expect(lines).toEqual(bundleOf(entries).split("\n").slice(1));
    expect((await audit(["verify", "--bundle", out, "--expect-head", headHash])).code).toBe(0);
  });

  test("overwrites a file only with --force", async () => {
    const out = file("ledger.ndjson", "precious");
    const options = ["export", "--out", out, ...(await serve())];
    expect(await audit(options)).toMatchObject({ code: 2, stdout: "" });
    expect(readFileSync(out, "utf8")).toBe("precious");
    expect(server?.requests).toEqual([]);
    expect((await audit([...options, "--force"])).code).toBe(0);
    expect((await audit(["verify", "--bundle", out])).code).toBe(0);
  });

  test("a damaged ledger exits 1 and is kept as evidence with the same verdict", async () => {
    const out = join(folder, "ledger.ndjson");
    const args = ["export", "--json", "--out", out, ...(await serve({ entries: entries.toSpliced(5, 1) }))];
    const ended = await audit(args);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain("evidence");
    const again = await audit(["verify", "--json", "--bundle", out]);
    expect(again.stdout).toBe(ended.stdout);
    expect(JSON.parse(again.stdout)).toMatchObject({ kind: "missing", firstBadSeq: 6 });
  });

  test("P25 the server is asked to record the export; where it refuses to, the export says so and goes on", async () => {
    const out = join(folder, "ledger.ndjson");
    const recorded = await audit(["export", "--out", out, ...(await serve())]);
    expect(recorded).toMatchObject({ code: 0, stderr: "" });
    expect(server?.requests[0]?.path).toBe(BEGIN_EXPORT);
    const value = { status: "rejected", code: "ORG_CLOSED", message: "The organisation is closed." };
    const body = JSON.stringify({ status: "success", value, logLines: [] });
    const answers = { [BEGIN_EXPORT]: { status: 200, body } };
    const unrecorded = await audit(["export", "--force", "--out", out, ...(await serve({ answers }))]);
    expect(unrecorded).toMatchObject({ code: 0 });
    expect(unrecorded.stderr).toContain("did not record this export: ORG_CLOSED");
    expect((await audit(["verify", "--bundle", out])).code).toBe(0);
  });

  test("a server that fails at once leaves no file", async () => {
    const answers = { [BEGIN_EXPORT]: { status: 500, body: "" } };
    const ended = await audit(["export", "--out", join(folder, "a.ndjson"), ...(await serve({ answers }))]);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(readdirSync(folder)).toEqual([]);
  });
});

test("what could steer a terminal is printed as its code", () => {
  expect(printable("a\u001b[2J\u202eb\u2028é🧘\ud800")).toBe("a\\u{1b}[2J\\u{202e}b\\u{2028}é🧘\\u{d800}");
  expect(printableLines("a\r\n\u001bb")).toBe("a\\u{d}\n\\u{1b}b");
});

test("a time that no calendar has is printed as its number", () => {
  expect(isoTime(0)).toBe("1970-01-01T00:00:00.000Z");
  expect(isoTime(Number.MAX_SAFE_INTEGER)).toBe("9007199254740991");
});

describe("touched", () => {
  const events = entries.map(
    ({ text }) => JSON.parse(text) as { seq: number; recordedAt: number; actor: { id: string } },
  );
  const staff = sampleId("usr", 2);
  const seqs = (stdout: string): number[] =>
    stdout
      .trimEnd()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as { seq: number }).seq);

  test("lists an actor's events in a time, the end left out", async () => {
    const [since, until] = [events[19]?.recordedAt ?? 0, events[39]?.recordedAt ?? 0];
    const bundle = file("a.ndjson", bundleOf(entries));
    const range = ["--since", new Date(since).toISOString(), "--until", new Date(until).toISOString()];
    const ended = await audit(["touched", "--json", "--bundle", bundle, "--actor", staff, ...range]);
    const expected = events.filter(
      ({ recordedAt, actor }) => actor.id === staff && recordedAt >= since && recordedAt < until,
    );
    expect(ended.code).toBe(0);
    expect(expected.length).toBeGreaterThan(0);
    expect(seqs(ended.stdout)).toEqual(expected.map(({ seq }) => seq));
    expect(ended.stderr).toContain(`${expected.length} events in`);
  });

  test("lists nothing from the first damage on, and exits 1", async () => {
    const damaged = entries.with(9, { text: entries[9]?.text ?? "", hash: "0".repeat(64) });
    const bundle = file("a.ndjson", bundleOf(damaged));
    const ended = await audit(["touched", "--json", "--bundle", bundle]);
    expect(ended.code).toBe(1);
    expect(seqs(ended.stdout)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(ended.stderr).toContain("Damaged at sequence 10: altered");
  });

  test("what stands behind the sound events is no event, whatever it claims to be", async () => {
    const second = parseEvent(JSON.parse(entries[1]?.text ?? ""));
    if (!second.ok) throw new Error(second.reason);
    const forged = seal(
      { ...second.event, eventId: sampleId("evt", 9000), correlationId: "cor_forged" },
      nodeSha256,
    );
    const later = seal({ ...second.event, eventId: sampleId("evt", 9001), seq: 3 }, nodeSha256);
    const unreadable = { text: '{"correlationId":\u001b[31m', hash: headHash };
    for (const [name, tail, kind] of [
      ["inserted", [forged, later], "inserted"],
      ["unreadable", [unreadable, later], "not canonical"],
    ] as const) {
      const bundle = file(`${name}.ndjson`, bundleOf([...entries, ...tail]));
      const ended = await audit(["touched", "--json", "--bundle", bundle]);
      expect(ended.code).toBe(1);
      expect(ended.stdout).not.toContain("cor_forged");
      expect(seqs(ended.stdout)).toEqual(events.map(({ seq }) => seq));
      expect(ended.stderr).toContain(kind);
      expect(ended.stderr).not.toContain("\u001b");
    }
  });

  test("a time that is none, and a missing file, could not run", async () => {
    const bundle = file("a.ndjson", bundleOf(entries));
    expect((await audit(["touched", "--bundle", bundle, "--since", "yesterday"])).code).toBe(2);
    expect((await audit(["touched", "--bundle", join(folder, "nothing")])).code).toBe(2);
  });
});
