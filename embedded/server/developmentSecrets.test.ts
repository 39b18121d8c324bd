/** The secrets of development in a data folder: made once, kept, and completed where an earlier version left some out. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadDevelopmentSecrets, SECRETS_FILE } from "./developmentSecrets.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "daybook-secrets-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const file = (): string => path.join(folder, SECRETS_FILE);
const stored = (): Record<string, unknown> =>
  JSON.parse(readFileSync(file(), "utf8")) as Record<string, unknown>;

const LATER = [
  "DAYBOOK_SEALING_KEYS",
  "DAYBOOK_STRIPE_WEBHOOK_SECRETS",
  "simulatorKey",
  "DAYBOOK_CHECKPOINT_KEYS",
];

test("a folder's secrets are made once, for its owner's eyes only", async () => {
  const made = await loadDevelopmentSecrets(folder);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(await loadDevelopmentSecrets(folder)).toEqual(made);
  expect(stored()).toEqual(made);
});

test("the file of a version without payments keeps its secrets and gets those that it lacks, once", async () => {
  const { DAYBOOK_INVITATION_KEYS, DAYBOOK_FINGERPRINT_KEY, DAYBOOK_ADMIN_KEY, signingKey } =
    await loadDevelopmentSecrets(folder);
  const older = { DAYBOOK_INVITATION_KEYS, DAYBOOK_FINGERPRINT_KEY, DAYBOOK_ADMIN_KEY, signingKey };
  writeFileSync(file(), JSON.stringify(older));
  const upgraded = await loadDevelopmentSecrets(folder);
  expect(upgraded).toMatchObject(older);
  expect(upgraded.DAYBOOK_STRIPE_WEBHOOK_SECRETS).toMatch(/^whsec_[0-9a-f]{64}$/);
  expect(upgraded.simulatorKey).toMatch(/^sk_test_[0-9a-f]{48}$/);
  expect(upgraded.DAYBOOK_SEALING_KEYS).toMatch(/^dev1:[0-9a-f]{64}$/);
  expect(stored()).toEqual(upgraded);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(await loadDevelopmentSecrets(folder)).toEqual(upgraded);
});

test.each(LATER)("a file that lacks only %s gets it, and keeps every other", async (name) => {
  const { [name]: _gone, ...rest } = (await loadDevelopmentSecrets(folder)) as Record<string, unknown>;
  writeFileSync(file(), JSON.stringify(rest));
  const upgraded = await loadDevelopmentSecrets(folder);
  expect(upgraded).toMatchObject(rest);
  expect(stored()).toHaveProperty(name);
});

test("a damaged file is refused without a word of it, and left as it is", async () => {
  const made = await loadDevelopmentSecrets(folder);
  const damaged = JSON.stringify({ ...made, simulatorKey: 5, surplus: "CANARY" });
  writeFileSync(file(), damaged);
  const refusal = await loadDevelopmentSecrets(folder).catch((error: unknown) => String(error));
  expect(refusal).toContain("is damaged");
  expect(refusal).not.toContain("CANARY");
  expect(readFileSync(file(), "utf8")).toBe(damaged);
});
