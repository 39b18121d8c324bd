/**
 * Speed and memory of the auditor: `npm run bench -- verify` writes a made-up ledger to a temporary file
 * and verifies it as `npm run audit -- verify --bundle` does. Memory is flat when the ratio stays near 1.
 */
import { spawnSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { verifyBundleFile } from "../audit/bundleFile.ts";
import { nodeSha256 } from "../audit/nodeSha256.ts";
import { formatEntry, formatManifest } from "../ledger/bundle.ts";
import { chainEvents, endlessDrafts, SAMPLE_ORG_ID } from "../ledger/testing/sampleLedger.ts";

const MAIN = join(import.meta.dirname, "main.ts");
const LINES_PER_WRITE = 1000;
const MEBIBYTE = 1024 * 1024;

/** The manifest comes first and holds the last hash, so the chain is walked once before it is written. */
function* bundleLines(count: number): Generator<string, void> {
  let headHash = "";
  for (const { entry } of chainEvents(endlessDrafts().take(count), nodeSha256)) headHash = entry.hash;
  yield formatManifest({ orgId: SAMPLE_ORG_ID, count, headSeq: count, headHash, exportedAt: 0 });
  for (const { entry } of chainEvents(endlessDrafts().take(count), nodeSha256)) yield formatEntry(entry);
}

function* blocks(lines: Iterable<string>): Generator<string, void> {
  let block: string[] = [];
  for (const line of lines) {
    block.push(`${line}\n`);
    if (block.length < LINES_PER_WRITE) continue;
    yield block.join("");
    block = [];
  }
  yield block.join("");
}

interface Measured {
  readonly seconds: number;
  readonly peakAtTenthBytes: number;
  readonly peakBytes: number;
}

async function measure(file: string): Promise<Measured> {
  let peakBytes = 0;
  let peakAtTenthBytes = 0;
  const startedAt = performance.now();
  const verdict = await verifyBundleFile(file, [], {
    report: (done, total) => {
      peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
      if (done * 10 <= total) peakAtTenthBytes = peakBytes;
    },
    stop: () => undefined,
  });
  const seconds = (performance.now() - startedAt) / 1000;
  if (verdict.result !== "intact") throw new Error(`The ledger was not intact: ${JSON.stringify(verdict)}`);
  return { seconds, peakAtTenthBytes, peakBytes };
}

/** Verifies a ledger of `count` events, and prints what that took. */
export async function verifyOnly(file: string, count: number): Promise<void> {
  const { size } = await stat(file);
  const { seconds, peakAtTenthBytes, peakBytes } = await measure(file);
  const mebibytes = (bytes: number) => `${(bytes / MEBIBYTE).toFixed(0)} MiB`;
  console.log(`events               ${count} (${mebibytes(size)})`);
  console.log(`events per second    ${Math.round(count / seconds)}`);
  console.log(`peak RSS at 10 %     ${mebibytes(peakAtTenthBytes)}`);
  console.log(`peak RSS at 100 %    ${mebibytes(peakBytes)}`);
  console.log(`ratio                ${(peakBytes / peakAtTenthBytes).toFixed(2)}`);
}

/** Makes a ledger of `count` events up and verifies it. */
export async function benchVerify(count: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "daybook-bench-"));
  try {
    const bundle = join(folder, "ledger.ndjson");
    await pipeline(blocks(bundleLines(count)), createWriteStream(bundle));
    // A process of its own: what generating the ledger left behind would hide what verifying it needs.
    const options = [MAIN, "verify", "--file", bundle, "--events", String(count)];
    const { status } = spawnSync(process.execPath, options, { stdio: "inherit" });
    process.exitCode = status ?? 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
