/** Bundles, receipts, reports and payments by the command line, against a server and a provider on this machine. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sha256Noble } from "../ledger/hash.ts";
import { formatVerifierKey } from "../ledger/noteKeys.ts";
import { bundleText, sampleBundle } from "../ledger/testing/sampleBundle.ts";
import {
  anchoredReceipt,
  deploymentKey,
  directReceipt,
  organisationLog,
  samplePolicy,
  WITNESSES,
} from "../ledger/testing/sampleEvidence.ts";
import { chainEvents, SAMPLE_ORG_ID, sampleId } from "../ledger/testing/sampleLedger.ts";
import type { Draft } from "../ledger/testing/sampleLedger.ts";
import { deliverySource } from "../ledger/testing/samplePayments.ts";
import { bundleOf } from "../ledger/testing/tampering.ts";
import {
  CARD_PAYMENT,
  READING_KEY,
  SECRET_KEY,
  startTestSimulator,
} from "../simulators/stripe/testing/testSimulator.ts";
import { auditBundleFile } from "./bundleFile.ts";
import { runCommandLine } from "./commandLine.ts";
import { createProgress } from "./progress.ts";
import { serveLedger, TOKEN } from "./testing/servedLedger.ts";
import type { Served, ServedLedger } from "./testing/servedLedger.ts";
import { readTrust, saveCheckpoint } from "./trustFiles.ts";

const PARTS = sampleBundle();
const COUNT = PARTS.entries.length;
const LOG = organisationLog();
const KEY = formatVerifierKey(deploymentKey());
const head = { orgId: SAMPLE_ORG_ID, seq: COUNT, hash: PARTS.entries.at(-1)?.hash ?? "" };
const checkpoints = [5, 12, COUNT].map((size) => ({
  size,
  at: size,
  note: LOG.published(size, WITNESSES.slice(0, 2)),
}));
const receipts = (seq: number) => ({
  receipt: directReceipt(seq),
  anchoredReceipt: anchoredReceipt(seq, WITNESSES),
});

let folder = "";
let server: ServedLedger | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "daybook-evidence-"));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function audit(...args: readonly string[]): Promise<Ended> {
  const written = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      written[name] += String(chunk);
      return true;
    }),
  );
  const code = await runCommandLine(args);
  for (const spy of spies) spy.mockRestore();
  return { code, ...written };
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function serve(change: Partial<Served> = {}): Promise<string[]> {
  await server?.close();
  server = await serveLedger({ head, entries: PARTS.entries, checkpoints, receipts, ...change });
  return ["--url", server.url, "--token", TOKEN];
}

const policyFile = (): string => file("policy", samplePolicy());

describe("a bundle", () => {
  test("R75 is exported with its checkpoints, and verifies offline against a policy of witnesses", async () => {
    const out = join(folder, "a.bundle");
    expect(await audit("export", "--out", out, ...(await serve()))).toMatchObject({ code: 0 });
    expect(readFileSync(out, "utf8").split("\n")[0]).toContain('"format":"daybook-bundle/1"');
    const ended = await audit("verify", "--json", "--bundle", out, "--witness-policy", policyFile());
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ result: "intact", provenTo: COUNT, checkpoints: 3 });
  });

  test("a file named *.ndjson, or --plain, gets the events alone", async () => {
    for (const [name, ...more] of [["a.ndjson"], ["a.bundle", "--plain"]] as const) {
      const out = join(folder, name);
      expect(await audit("export", "--out", out, ...more, ...(await serve()))).toMatchObject({ code: 0 });
      const lines = readFileSync(out, "utf8").trimEnd().split("\n");
      expect(lines[0]).toContain('"format":"daybook-ledger/1"');
      expect(lines).toHaveLength(1 + COUNT);
    }
  });

  test("an interrupted export is verified and gone on with, byte for byte", async () => {
    const out = join(folder, "a.bundle");
    await audit("export", "--out", out, ...(await serve()));
    const whole = readFileSync(out);
    rmSync(out);
    writeFileSync(`${out}.partial`, whole.subarray(0, whole.length - 1500));
    const refused = await audit("export", "--out", out, ...(await serve()));
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain("--resume");
    expect(await audit("export", "--out", out, "--resume", ...(await serve()))).toMatchObject({ code: 0 });
    expect(readFileSync(out).equals(whole)).toBe(true);
    expect(server?.requests.map(({ path }) => path)).toEqual([
      "projections/ledger:head",
      "projections/ledger:events",
    ]);
    expect(readdirSync(folder)).toEqual(["a.bundle"]);
  });

  test("an interrupted export that was damaged is not gone on with", async () => {
    const out = join(folder, "a.bundle");
    const text = bundleText(PARTS).replace("4500", "4501");
    writeFileSync(`${out}.partial`, text.slice(0, -1500));
    const ended = await audit("export", "--out", out, "--resume", ...(await serve()));
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toContain("The interrupted export is damaged: sequence 8 is not sound");
  });

  test("P11 the checkpoint that one audit saves finds in the next that the ledger was rolled back", async () => {
    const path = file("a.bundle", bundleText(PARTS));
    const kept = join(folder, "kept");
    expect(await audit("verify", "--bundle", path, "--key", KEY, "--save-checkpoint", kept)).toMatchObject({
      code: 0,
    });
    const again = await audit("verify", "--json", "--bundle", path, "--key", KEY, "--since", kept);
    expect(JSON.parse(again.stdout)).toMatchObject({ result: "intact" });
    const shorter = file("b.ndjson", bundleOf(PARTS.entries.slice(0, 20)));
    const ended = await audit("verify", "--json", "--bundle", shorter, "--since", kept);
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({ kind: "rolled back", firstBadSeq: 21 });
  });

  test("trust never goes back: what is older than the checkpoint of an earlier audit is not saved over it", async () => {
    const kept = join(folder, "kept");
    const newest = ["--bundle", file("a.bundle", bundleText(PARTS)), "--key", KEY];
    await audit("verify", ...newest, "--save-checkpoint", kept);
    const { since } = await readTrust({ since: kept });
    const older = file("b.bundle", bundleText({ ...PARTS, evidence: PARTS.evidence.slice(0, 1) }));
    const trust = await readTrust({ key: [deploymentKey()] });
    const verdict = await auditBundleFile(
      older,
      { ...trust },
      { knownHeads: [], progress: await createProgress(process.stderr) },
    );
    expect(verdict.evidence.provenTo).toBe(5);
    expect(await saveCheckpoint(kept, verdict, since)).toBeUndefined();
    expect((await readTrust({ since: kept })).since).toEqual(since);
    expect(await saveCheckpoint(kept, verdict, undefined)).toBe(5);
  });

  test("the threads agree: two workers and one give the same verdict", async () => {
    const path = file("a.bundle", bundleText(PARTS));
    const one = await audit("verify", "--json", "--bundle", path, "--key", KEY, "--workers", "1");
    const two = await audit("verify", "--json", "--bundle", path, "--key", KEY, "--workers", "2");
    expect(two).toEqual(one);
  });

  test("a running server is verified against pinned keys as well", async () => {
    const ended = await audit("verify", "--json", "--key", KEY, ...(await serve()));
    expect(JSON.parse(ended.stdout)).toMatchObject({ result: "intact", signedTo: COUNT });
  });

  test.each([
    ["a checkpoint to keep without a key", ["--save-checkpoint", "x"]],
    ["a key that is none", ["--key", "x"]],
    ["a witness's key as a log's", ["--key", formatVerifierKey(WITNESSES[0] ?? deploymentKey())]],
  ])("%s could not run", async (_what, options) => {
    const path = file("a.bundle", bundleText(PARTS));
    expect(await audit("verify", "--bundle", path, ...options)).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("a receipt", () => {
  test("R76 is fetched, and verifies offline; without a key it says what it does not prove", async () => {
    const out = join(folder, "9.tlog-proof");
    const got = await audit("get-receipt", "--seq", "9", "--out", out, "--key", KEY, ...(await serve()));
    expect(got).toMatchObject({ code: 0 });
    const sound = await audit("receipt", out, "--json", "--witness-policy", policyFile());
    expect(JSON.parse(sound.stdout)).toMatchObject({ result: "sound", seq: 9 });
    const unsigned = await audit("receipt", out);
    expect(unsigned.code).toBe(0);
    expect(unsigned.stdout).toContain("no key was pinned");
  });

  test("of another event than the one asked for is not kept", async () => {
    const wrong = await serve({ receipts: () => receipts(8) });
    const ended = await audit("get-receipt", "--seq", "9", "--out", join(folder, "r"), ...wrong);
    expect(ended.code).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is sound no more after any changed byte before its signatures", async () => {
    const text = directReceipt(9);
    const end = text.lastIndexOf("\n\n");
    for (let at = 0; at < end; at += 7) {
      const changed = text.slice(0, at) + (text.charAt(at) === "A" ? "B" : "A") + text.slice(at + 1);
      const ended = await audit("receipt", file("r", changed), "--key", KEY);
      expect([at, ended.code]).toEqual([at, 1]);
    }
  });
});

describe("a report", () => {
  test("is one page without a script or an address, escaped, with the verdict as its exit code", async () => {
    const out = join(folder, "report.html");
    const path = file("a.bundle", bundleText(PARTS));
    expect(await audit("report", "--bundle", path, "--key", KEY, "--out", out)).toMatchObject({ code: 0 });
    const page = readFileSync(out, "utf8");
    expect(page).not.toMatch(/<script|https?:|url\(|@import|<img|<link/);
    for (const part of ["Intact", "checkpoint signed by", "<svg", head.hash]) expect(page).toContain(part);
    const damaged = file("b.bundle", bundleText({ ...PARTS, entries: PARTS.entries.slice(0, 20) }));
    expect(await audit("report", "--bundle", damaged, "--out", out)).toMatchObject({ code: 2 });
    expect(await audit("report", "--bundle", damaged, "--out", out, "--force")).toMatchObject({ code: 1 });
    expect(readFileSync(out, "utf8")).toContain("rolled back");
  });

  test("shows what could be markup as text", async () => {
    const out = join(folder, "report.html");
    const path = file("<b>&x.bundle", bundleText(PARTS));
    await audit("report", "--bundle", path, "--out", out);
    expect(readFileSync(out, "utf8")).toContain("&lt;b&gt;&amp;x.bundle");
  });
});

describe("payments against the provider", () => {
  const metadata = { daybook_organisation: SAMPLE_ORG_ID, daybook_payment: sampleId("pay", 1) };

  function paymentBundle(facts: readonly (readonly [Draft["type"], Draft["data"]])[]): string {
    const stream = `payment/${sampleId("pay", 1)}`;
    const money = { amountMinor: 2000, currency: "EUR" };
    const requested = { bookingId: sampleId("bkg", 1), purpose: "full", method: "payment_intent", ...money };
    const drafts: Draft[] = facts.map(([type, data], at) => ({
      type,
      stream,
      data,
      actor: { kind: "provider", id: "stripe" },
      source: deliverySource(at),
    }));
    const all = [{ type: "payment.requested", stream, data: requested } as const, ...drafts];
    return bundleOf(Array.from(chainEvents(all, sha256Noble), ({ entry }) => entry));
  }

  test("each fact agrees or differs, and what only the provider has is found", async () => {
    const simulator = await startTestSimulator();
    const { stripe, url } = simulator;
    try {
      const pay = async (of: Partial<typeof metadata> = {}) =>
        await stripe.paymentIntents.create({
          ...CARD_PAYMENT,
          metadata: { ...metadata, ...of },
          confirm: true,
          payment_method: "pm_card_visa",
        });
      const [paid, other, unknown] = [await pay(), await pay(), await pay()];
      const secondOf = await pay({ daybook_payment: sampleId("pay", 2) });
      const foreign = await pay({ daybook_organisation: sampleId("org", 2) });
      const foreignBack = await stripe.refunds.create({ payment_intent: foreign.id, amount: 500 });
      const back = await stripe.refunds.create({ payment_intent: paid.id, amount: 500 });
      const confirmed = (paymentIntentId: string, amountMinor = 2000) =>
        ["payment.confirmed", { paymentIntentId, amountMinor, currency: "EUR" }] as const;
      const path = file(
        "p.ndjson",
        paymentBundle([
          confirmed(paid.id),
          confirmed(other.id, 1),
          confirmed("pi_nowhere00000000"),
          confirmed(secondOf.id),
          confirmed(foreign.id),
          confirmed(paid.id),
          ["payment.refunded", { providerRefundId: foreignBack.id, amountMinor: 500, currency: "EUR" }],
          [
            "payment.refundFailed",
            { providerRefundId: back.id, amountMinor: 500, currency: "EUR", code: "x" },
          ],
        ]),
      );
      const options = ["--bundle", path, "--stripe-url", url, "--stripe-key"];
      const ended = await audit("payments", "--json", ...options, READING_KEY);
      const lines = ended.stdout.trimEnd().split("\n");
      const outcomes = lines.map((line) => {
        const { id, outcome } = JSON.parse(line) as { id: string; outcome: string };
        return [id, outcome];
      });
      expect(outcomes).toEqual([
        [paid.id, "agrees"],
        [other.id, "other amount"],
        ["pi_nowhere00000000", "missing at the provider"],
        [secondOf.id, "of another payment"],
        [foreign.id, "of another payment"],
        [foreignBack.id, "of another payment"],
        [back.id, "other status"],
        [unknown.id, "not in the ledger"],
      ]);
      expect(ended.code).toBe(1);
      const refused = await audit("payments", ...options, SECRET_KEY);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain("not a restricted key");
    } finally {
      await simulator.close();
    }
  });
});
