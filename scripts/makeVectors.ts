/**
 * Writes the ledger's test vectors: `node scripts/makeVectors.ts`. Ids and times are fixed, so two runs write
 * the same bytes. What was published is never changed, only added to: auditors in other languages rely on it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { genesisHash, sha256Noble } from "../ledger/hash.ts";
import { bundleCases } from "../ledger/testing/bundleCases.ts";
import { chainCases } from "../ledger/testing/damagedLedgers.ts";
import {
  exportEvents,
  lifecycleEvents,
  readingEvents,
  sampleEvents,
  sampleId,
  seal,
} from "../ledger/testing/sampleLedger.ts";
import { evidenceVectors } from "./evidenceVectors.ts";
import { CANONICAL_CASES, IDS, LEDGER_VALUES, NOT_CANONICAL_TEXTS } from "./vectorCases.ts";

export const VECTORS_FOLDER = join(import.meta.dirname, "..", "vectors");

const DELIVERY = {
  kind: "webhook",
  provider: "stripe",
  deliveryId: "evt_1PqR",
  bodySha256: "ab".repeat(32),
  signedAt: 1_767_600_000,
} as const;

/** How the lifecycle chain begins stands in the sample chain already. */
const LIFECYCLE_OPENING = 8;

/** Envelopes beyond those of the sample ledger: every kind of actor and of source. */
function envelopeVectors(): object[] {
  const events = sampleEvents(sha256Noble);
  const [base] = events;
  if (base === undefined) throw new Error("The sample ledger is empty.");
  const named = [
    ...events.map((event) => [`${event.type}, sequence ${event.seq}`, event] as const),
    ["an actor that is a provider", { ...base, actor: { kind: "provider", id: "stripe" } }],
    ["an actor that is the system", { ...base, actor: { kind: "system", id: "worker/reminders" } }],
    ["an actor that is an operator", { ...base, actor: { kind: "operator", id: "on-call" } }],
    ["a webhook as the source", { ...base, source: DELIVERY }],
    ["a webhook with an account", { ...base, source: { ...DELIVERY, account: "acct_1" } }],
    ["a job as the source", { ...base, source: { kind: "job", name: "reminders" } }],
    ["an operator as the source", { ...base, source: { kind: "operator", name: "freeze" } }],
    ...lifecycleEvents(sha256Noble)
      .slice(LIFECYCLE_OPENING)
      .map((event) => [`${event.type}, lifecycle sequence ${event.seq}`, event] as const),
    ...exportEvents(sha256Noble)
      .slice(-1)
      .map((event) => [`${event.type}, export sequence ${event.seq}`, event] as const),
    ...readingEvents(sha256Noble)
      .slice(-2)
      .map((event) => [`${event.type}, reading sequence ${event.seq}`, event] as const),
  ] as const;
  return named.map(([name, event]) => {
    const { text, hash } = seal(event, sha256Noble);
    return { name, event, canonical: text, hash };
  });
}

function genesisVectors(): object[] {
  const orgIds = [sampleId("org", 1), sampleId("org", 2), "org_01ARZ3NDEKTSV4RRFFQ69G5FAV"];
  return orgIds.map((orgId) => ({ orgId, hash: genesisHash(orgId, sha256Noble) }));
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** Every generated file: its path below `vectors/`, and its text. */
export function makeVectors(): Map<string, string> {
  const files = new Map<string, string>();
  const canonical = CANONICAL_CASES.map(([name, json, text]) => ({
    name,
    json,
    canonical: text,
    canonicalHex: Buffer.from(text, "utf8").toString("hex"),
  }));
  files.set("canonical.json", pretty(canonical));
  files.set("not-canonical.json", pretty(NOT_CANONICAL_TEXTS.map(([name, text]) => ({ name, text }))));
  files.set(
    "ledger-values.json",
    pretty(LEDGER_VALUES.map(([name, text, allowed]) => ({ name, text, allowed }))),
  );
  files.set("ids.json", pretty(IDS.map(([text, prefix, valid]) => ({ text, prefix, valid }))));
  files.set("genesis.json", pretty(genesisVectors()));
  files.set("events.json", pretty(envelopeVectors()));
  const cases = chainCases(sha256Noble);
  const index = cases.map(({ name, what, expectHead, earlierHead, verdict }) => {
    return { file: `chains/${name}.ndjson`, what, expectHead, earlierHead, verdict };
  });
  files.set("chains.json", pretty(index));
  for (const { name, bundle } of cases) files.set(`chains/${name}.ndjson`, bundle);
  const bundles = bundleCases();
  const bundleIndex = bundles.map(({ name, what, asked, verdict }) => {
    return { file: `bundles/${name}.bundle`, what, ...asked, verdict };
  });
  files.set("bundles.json", pretty(bundleIndex));
  for (const { name, bundle } of bundles) files.set(`bundles/${name}.bundle`, bundle);
  for (const [path, content] of evidenceVectors()) files.set(path, pretty(content));
  return files;
}

function write(): void {
  for (const [path, text] of makeVectors()) {
    const file = join(VECTORS_FOLDER, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

if (import.meta.main) write();
