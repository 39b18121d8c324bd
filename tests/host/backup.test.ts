/** A backup that is taken while clients write: the restored host has a beginning of the live ledger, whole. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { sha256Noble } from "../../ledger/hash.ts";
import { createVerifier } from "../../ledger/verify.ts";
import { readLedger } from "../contract/ledger.ts";
import { openHostBackend, type HostBackend } from "../support/hostBackend.ts";
import { exitOf } from "../support/hostProcess.ts";
import { committed, defineService, foundOrganization, HOUR_MS, key } from "../support/scene.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const WRITERS = 4;

const folder = mkdtempSync(path.join(tmpdir(), "daybook-backup-"));
let backend: HostBackend | undefined;

afterEach(async () => {
  await backend?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function maintain(command: string, file: string, dataDir: string): Promise<void> {
  const child = spawn(process.execPath, ["embedded/main.ts", command, file], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DATA_DIR: dataDir, DAYBOOK_BACKUP_PASSPHRASE: "kept in a safe, on paper" },
  });
  expect(await exitOf(child)).toBe(0);
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

test("a backup under write load restores to a ledger that verifies and is a beginning of the live one", async () => {
  backend = await openHostBackend();
  const { host } = backend;
  const { orgId, owner } = await foundOrganization(backend);
  const serviceId = await defineService(owner.client);
  const state = { isDone: false, written: 0 };
  const write = async (): Promise<void> => {
    while (!state.isDone) {
      const request = { serviceId, startsAt: Date.now() + HOUR_MS, idempotencyKey: key() };
      committed(await owner.client.mutation(api.commands.bookings.request, request));
      state.written += 1;
    }
  };
  const writers = Array.from({ length: WRITERS }, write);
  await until(() => state.written > 20);
  const before = state.written;
  const file = path.join(folder, "daybook.backup");
  await maintain("backup", file, host.dataDir);
  const during = state.written - before;
  await until(() => state.written > before + during + 10);
  state.isDone = true;
  await Promise.all(writers);
  const live = await readLedger(owner.client);

  const dataDir = path.join(folder, "restored");
  await maintain("restore", file, dataDir);
  await host.kill("SIGTERM");
  const restored = host.spawn({ DATA_DIR: dataDir });
  try {
    await until(() =>
      fetch(`${host.url}/readyz`).then(
        ({ ok }) => ok,
        () => restored.exitCode !== null,
      ),
    );
    const entries = await readLedger(owner.client);
    const verifier = createVerifier({ orgId, sha256: sha256Noble });
    for (const entry of entries) verifier.push(entry);
    expect(verifier.finish()).toMatchObject({ result: "intact" });
    expect(during).toBeGreaterThan(0);
    expect(entries.length).toBeGreaterThanOrEqual(before);
    expect(entries.length).toBeLessThan(live.length);
    expect(entries).toEqual(live.slice(0, entries.length));
    const rebuilt = await backend.operator.mutation(internal.projections.rebuild.run, { orgId });
    expect(rebuilt.digest).toBe(rebuilt.digestBefore);
  } finally {
    await exitOf(restored, "SIGKILL");
  }
});
