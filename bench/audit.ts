/**
 * Speed and memory of the auditor: `npm run bench -- audit`. A made-up ledger is written to a temporary file and
 * verified as `npm run audit -- verify --bundle` does. The rounds are interleaved, so that what else the machine does
 * meets every measurement alike, and the medians of the rounds' ratios are printed.
 *
 * The raw rate is the least that any verifier has to do: `JSON.parse` of each line and Node's SHA-256 over its bytes,
 * both from memory. It proves nothing.
 */
import { spawnSync } from "node:child_process";
import { hash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { open, mkdtemp, readFile, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Table from "cli-table3";
import { verifyBundleFile } from "../audit/bundleFile.ts";
import { nodeSha256 } from "../audit/nodeSha256.ts";
import { formatEntry, formatManifest } from "../ledger/bundle.ts";
import { chainEvents, endlessDrafts, SAMPLE_ORG_ID } from "../ledger/testing/sampleLedger.ts";
import { createBundleVerifier } from "../ledger/verifyBundle.ts";
import { quantile } from "./loops.ts";

const MAIN = join(import.meta.dirname, "main.ts");
const LINES_PER_WRITE = 1000;
const MEBIBYTE = 1024 * 1024;
const REFERENCE_CHUNK_BYTES = 256 * 1024;
const MEMORY_EVENTS = [10_000, 100_000, 1_000_000];
const NEWLINE = 0x0a;

const silent = { report: () => undefined, stop: () => undefined };

/** The manifest comes first and holds the last hash; it is as long before as after that is known. */
async function writeBundle(file: FileHandle, count: number): Promise<void> {
  const manifest = (headHash: string) =>
    `${formatManifest({ orgId: SAMPLE_ORG_ID, count, headSeq: count, headHash, exportedAt: 0 })}\n`;
  let headHash = "0".repeat(64);
  let lines = [manifest(headHash)];
  for (const { entry } of chainEvents(endlessDrafts().take(count), nodeSha256)) {
    lines.push(`${formatEntry(entry)}\n`);
    headHash = entry.hash;
    if (lines.length < LINES_PER_WRITE) continue;
    await file.write(lines.join(""));
    lines = [];
  }
  await file.write(lines.join(""));
  await file.write(manifest(headHash), 0);
}

async function makeBundle(folder: string, count: number): Promise<string> {
  const path = join(folder, `${count}.ndjson`);
  const file = await open(path, "w");
  try {
    await writeBundle(file, count);
  } finally {
    await file.close();
  }
  return path;
}

/** This process's peak of resident memory. On Linux `maxRSS` is at least what the starting process had, `VmHWM` is not. */
function peakKibibytes(): number {
  const ofLinux = "/proc/self/status";
  const own = existsSync(ofLinux)
    ? /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(ofLinux, "utf8"))?.[1]
    : undefined;
  return own === undefined ? process.resourceUsage().maxRSS : Number(own);
}

/** Verifies a file with so many workers, and prints the process's peak of memory for whoever started it. */
export async function verifyOnly(path: string, workers: number): Promise<void> {
  const verdict = await verifyBundleFile(path, [], silent, workers);
  if (verdict.result !== "intact") throw new Error(`The ledger was not intact: ${JSON.stringify(verdict)}`);
  console.log(peakKibibytes() * 1024);
}

interface Lines {
  readonly bytes: Buffer;
  readonly texts: readonly string[];
  readonly parts: readonly Uint8Array[];
}

async function readLines(path: string): Promise<Lines> {
  const bytes = await readFile(path);
  const texts: string[] = [];
  const parts: Uint8Array[] = [];
  let start = bytes.indexOf(NEWLINE) + 1;
  for (let end = bytes.indexOf(NEWLINE, start); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
    parts.push(bytes.subarray(start, end));
    texts.push(bytes.toString("utf8", start, end));
    start = end + 1;
  }
  return { bytes, texts, parts };
}

function runRaw({ texts, parts }: Lines): void {
  for (const [index, text] of texts.entries()) {
    JSON.parse(text);
    hash("sha256", parts[index] ?? "", "hex");
  }
}

/** The reference, which writes each event again to prove its canonical form. */
function runReference({ bytes }: Lines): void {
  const verifier = createBundleVerifier({ sha256: nodeSha256 });
  for (let at = 0; at < bytes.length; at += REFERENCE_CHUNK_BYTES) {
    verifier.push(bytes.subarray(at, at + REFERENCE_CHUNK_BYTES));
  }
  if (verifier.finish().result !== "intact")
    throw new Error("The reference does not find the ledger intact.");
}

interface Cost {
  readonly wallMs: number;
  /** Of the main thread: what else runs on the machine takes no part in it. */
  readonly cpuMs: number;
}

async function costOf(run: () => unknown): Promise<Cost> {
  const cpu = process.threadCpuUsage();
  const begun = performance.now();
  await run();
  const wallMs = performance.now() - begun;
  const { user, system } = process.threadCpuUsage(cpu);
  return { wallMs, cpuMs: (user + system) / 1000 };
}

type Measurement = "raw" | "reference" | "one" | "two";
type Round = Readonly<Record<Measurement, Cost>>;

function spread(ratios: readonly number[]): string {
  const sorted = ratios.toSorted((one, other) => one - other);
  return `${quantile(sorted, 0.5).toFixed(2)} (${(sorted[0] ?? NaN).toFixed(2)} to ${(sorted.at(-1) ?? NaN).toFixed(2)})`;
}

function printSpeed(rounds: readonly Round[], events: number): void {
  const head = ["", "events/s, median", "median ratio (range)", "the same in CPU time", "target"];
  const table = new Table({ head, style: { head: [], border: [] } });
  const perSecond = (name: Measurement) => {
    const sorted = rounds.map((round) => round[name].wallMs).sort((one, other) => one - other);
    return Math.round((events / quantile(sorted, 0.5)) * 1000);
  };
  const ratio = (of: keyof Round, to: keyof Round, cost: keyof Cost) =>
    spread(rounds.map((round) => round[to][cost] / round[of][cost]));
  const row = (label: string, of: keyof Round, to: keyof Round, target: string, withCpu = true) => {
    const cpu = withCpu ? ratio(of, to, "cpuMs") : "";
    table.push([label, perSecond(of), `${ratio(of, to, "wallMs")} × ${to}`, cpu, target]);
  };
  table.push(["raw: JSON.parse and SHA-256", perSecond("raw"), "", "", ""]);
  row("reference: canonical form written again", "reference", "raw", "");
  row("verify --workers 1", "one", "raw", "0.5 × raw");
  row("verify --workers 2, their start included", "two", "one", "1.6 × one", false);
  console.log(table.toString());
}

async function measureSpeed(path: string, events: number, rounds: number): Promise<void> {
  const lines = await readLines(path);
  const verify = (workers: number) => async () => {
    const verdict = await verifyBundleFile(path, [], silent, workers);
    if (verdict.result !== "intact") throw new Error(`The ledger was not intact: ${JSON.stringify(verdict)}`);
  };
  const measured: Round[] = [];
  // The first round warms up.
  for (let round = 0; round <= rounds; round += 1) {
    const raw = await costOf(() => {
      runRaw(lines);
    });
    const one = await costOf(verify(1));
    const two = await costOf(verify(2));
    const reference = await costOf(() => {
      runReference(lines);
    });
    if (round > 0) measured.push({ raw, one, two, reference });
  }
  const bytes = Math.round(lines.bytes.length / events);
  console.log(`${events} events of ${bytes} bytes a line, ${rounds} interleaved rounds`);
  printSpeed(measured, events);
}

/** A process of its own for each: what one left behind would hide what another needs. */
function peakBytes(path: string, workers: number): number {
  const args = [MAIN, "audit", "--file", path, "--workers", String(workers)];
  const { status, stdout } = spawnSync(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) throw new Error("A verification ended with a failure.");
  return Number(String(stdout));
}

async function measureMemory(folder: string): Promise<void> {
  const files = new Map<number, string>();
  for (const events of MEMORY_EVENTS) files.set(events, await makeBundle(folder, events));
  const head = [
    "peak of resident memory",
    ...MEMORY_EVENTS.map((events) => `${events} events`),
    "last ÷ first",
  ];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const workers of [1, 2]) {
    const peaks = [...files.values()].map((path) => peakBytes(path, workers));
    const shown = peaks.map((bytes) => `${(bytes / MEBIBYTE).toFixed(0)} MiB`);
    table.push([
      `verify --workers ${workers}`,
      ...shown,
      ((peaks.at(-1) ?? NaN) / (peaks[0] ?? NaN)).toFixed(2),
    ]);
  }
  console.log(table.toString());
}

export interface AuditBenchOptions {
  readonly events: number;
  readonly rounds: number;
  readonly memory: boolean;
}

/** Measures the speed on a ledger of so many events, and the memory on a short and a long one. */
export async function benchAudit({ events, rounds, memory }: AuditBenchOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "daybook-bench-"));
  try {
    await measureSpeed(await makeBundle(folder, events), events, rounds);
    if (memory) await measureMemory(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
