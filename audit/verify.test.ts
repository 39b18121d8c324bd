/** The second implementation of the format, in Python: every vector, every rule of types, Ed25519, its command line. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EVENT_TYPES, STREAM_ID_PREFIX } from "../ledger/eventTypes.ts";
import type { EventEnvelope, Source } from "../ledger/event.ts";
import { sha256Noble } from "../ledger/hash.ts";
import { formatVerifierKey } from "../ledger/noteKeys.ts";
import { bundleText, rewrittenFrom, sampleBundle } from "../ledger/testing/sampleBundle.ts";
import {
  deploymentKey,
  directReceipt,
  organisationLog,
  samplePolicy,
  WITNESSES,
} from "../ledger/testing/sampleEvidence.ts";
import { reseal, sampleEvents, sampleId } from "../ledger/testing/sampleLedger.ts";
import { bundleOf } from "../ledger/testing/tampering.ts";
import { askPython, runPython } from "./testing/pythonVerifier.ts";
import type { PythonCase } from "./testing/pythonVerifier.ts";
import { askLibrary } from "./testing/twoVerifiers.ts";

const VECTORS = join(import.meta.dirname, "..", "vectors");
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "daybook-python-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const bundleCase = (bytes: string | Uint8Array): PythonCase => ({
  kind: "bundle",
  bytes: Buffer.from(bytes).toString("base64"),
});

/** Asks both, and returns the results of the library. */
function expectAgreement(cases: readonly PythonCase[]): string[] {
  const library = cases.map(askLibrary);
  const python = askPython(cases);
  expect(python).toHaveLength(cases.length);
  for (const [at, answer] of library.entries())
    expect({ at, ...answer }).toEqual({ at, ...(python[at] ?? {}) });
  return library.map((answer) => ("kind" in answer ? String(answer.kind) : String(Object.values(answer)[0])));
}

test("it passes every published vector", () => {
  const { stdout, status } = runPython(["vectors"]);
  expect(stdout).toMatch(/^(\d+) of \1 vectors passed\n$/);
  expect(status).toBe(0);
  const files = [...readdirSync(VECTORS), ...readdirSync(join(VECTORS, "evidence"))];
  const script = readFileSync(join(import.meta.dirname, "verifier", "vectors.py"), "utf8");
  for (const file of files.filter((name) => name.endsWith(".json"))) expect(script).toContain(file);
});

const SOURCES: readonly Source[] = [
  { kind: "command", name: "x.y", key: "k", policy: "0123456789abcdef" },
  { kind: "job", name: "x" },
  { kind: "operator", name: "x" },
  ...["stripe", "other"].map((provider) => ({
    kind: "webhook" as const,
    provider,
    deliveryId: "d",
    bodySha256: "ab".repeat(32),
    signedAt: 1,
  })),
];

test("both know the same types, streams and sources", () => {
  const [first] = sampleEvents(sha256Noble);
  if (first === undefined) throw new Error("There is no event.");
  const bundle = (change: Partial<EventEnvelope>) =>
    bundleCase(bundleOf(reseal([{ ...first, ...change }], sha256Noble)));
  const cases = Object.entries(EVENT_TYPES).flatMap(([type, { stream: kind }]) => {
    const prefix = STREAM_ID_PREFIX[kind];
    const stream = prefix === "org" ? `${kind}/${first.orgId}` : `${kind}/${sampleId(prefix, 7)}`;
    return [
      ...SOURCES.map((source) => bundle({ type, stream, source })),
      bundle({ type, stream: `${kind}s/${sampleId(prefix, 7)}` }),
      bundle({ type, stream: `${kind}/${sampleId("lnk", 7)}` }),
      bundle({ type, stream, typeVersion: 2 }),
    ];
  });
  const results = expectAgreement(cases);
  const count = (kind: string) => results.filter((result) => result === kind).length;
  const allowed = Object.values(EVENT_TYPES).reduce((sum, { sources }) => sum + sources.length, 0);
  const types = Object.keys(EVENT_TYPES).length;
  expect(count("intact")).toBe(allowed);
  expect(count("forbidden source")).toBe(types * SOURCES.length - allowed);
});

test("both cut lines and read manifests alike", () => {
  const bytes = bundleOf(reseal(sampleEvents(sha256Noble), sha256Noble));
  const [manifest = "", ...entries] = bytes.split("\n");
  const bundle = bundleText(sampleBundle());
  const [bundleManifest = "", ...bundleLines] = bundle.split("\n");
  const withEvidence = (line: string | Buffer) => {
    const opening = Buffer.from(`${bundleManifest}\n`);
    return bundleCase(
      Buffer.concat([opening, Buffer.from(line), Buffer.from(`\n${bundleLines.slice(1).join("\n")}`)]),
    );
  };
  const withManifest = (text: string) => bundleCase([text, ...entries].join("\n"));
  const long = (length: number) => manifest.padEnd(length, " ");
  const longLine = (length: number) => [manifest, "x".repeat(length), ...entries].join("\n");
  expectAgreement([
    ...["", "\n", "{}", "{}\n", "[]\n", "null\n", "\ufeff", `\ufeff${bytes}`].map(bundleCase),
    ...[1_048_575, 1_048_576, 1_048_577].flatMap((length) => [
      withManifest(long(length)),
      bundleCase(longLine(length)),
      bundleCase(`${bytes}${"x".repeat(length)}`),
    ]),
    withManifest(manifest.replace("}", ',"x":NaN}')),
    withManifest(manifest.replace("}", ',"x":1e999}')),
    withManifest(manifest.replace("}", `,"x":${"9".repeat(5000)}}`)),
    withManifest(manifest.replace('"count":23', '"count":23.0')),
    withManifest(manifest.replace('"count":23', '"count":-0')),
    withManifest(manifest.replace('"format":', '"format":"x","format":')),
    withManifest(manifest.replace("daybook-ledger/1", "daybook-ledger/\\u0031")),
    withManifest(manifest.replace('"daybook-ledger/1"', '["daybook-ledger/1"]')),
    withManifest(manifest.replace("daybook-ledger/1", "daybook-ledger/2")),
    withManifest(manifest.replace("}", ',"x":"\\ud800"}')),
    withManifest(manifest.replace("}", ',"x":"\t"}')),
    bundleCase(Buffer.concat([Buffer.from(manifest), Buffer.from([0xff, 0x0a])])),
    ...[1_048_575, 1_048_576, 1_048_577].map((length) => withEvidence("x".repeat(length))),
    withEvidence(Buffer.from([0xff])),
    withEvidence(`\ufeff${bundleLines[0] ?? ""}`),
    withEvidence(bundleLines[0] ?? ""),
    bundleCase(bundle.replace("daybook-bundle/1", "daybook-bundle/2")),
    bundleCase(bundle.replace("daybook-bundle/1", "daybook-bundles/1")),
    bundleCase(bundle.replace('"evidence":4', '"evidence":4.0')),
    bundleCase(bundle.replace('"evidence":4', '"evidence":true')),
    bundleCase(bundle.replace('"evidence":4', '"evidence":100000')),
    bundleCase(bundle.replaceAll("\n", "\r\n")),
    bundleCase(bytes.replaceAll("\n", "\r\n")),
    bundleCase(bytes.slice(0, -1)),
    bundleCase(manifest),
  ]);
});

describe("Ed25519", () => {
  const { Point } = ed25519;
  const seed = new Uint8Array(32).fill(7);
  const key = ed25519.getPublicKey(seed);
  const message = new TextEncoder().encode("message");
  const signature = ed25519.sign(message, seed);
  /** Encodings of points of small order, of y that is not below 2^255 - 19, and of no point. */
  const ODD_POINTS = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0200000000000000000000000000000000000000000000000000000000000000",
  ];
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const asked = (parts: {
    signature?: Uint8Array;
    message?: Uint8Array;
    publicKey?: Uint8Array;
  }): PythonCase => ({
    kind: "signature",
    signature: hex(parts.signature ?? signature),
    message: hex(parts.message ?? message),
    publicKey: hex(parts.publicKey ?? key),
  });

  const little = (bytes: Uint8Array) => BigInt(`0x${hex(bytes.toReversed())}`);
  const scalar = (value: bigint) =>
    new Uint8Array(Buffer.from(value.toString(16).padStart(64, "0"), "hex").toReversed());

  /** A signature whose commitment has a part of small order: only the equation with the factor 8 holds. */
  function withTorsion(torsion: string): Uint8Array {
    const nonce = 12345n;
    const commitment = Point.BASE.multiply(nonce).add(Point.fromHex(torsion)).toBytes();
    const order = Point.Fn.ORDER;
    const challenge = little(sha512(new Uint8Array([...commitment, ...key, ...message]))) % order;
    const { scalar: secret } = ed25519.utils.getExtendedPublicKey(seed);
    return new Uint8Array([...commitment, ...scalar((nonce + challenge * secret) % order)]);
  }

  test("both take the same signatures", () => {
    const flipped = Array.from({ length: 64 }, (_, at) =>
      asked({ signature: signature.map((byte, index) => (index === at ? byte ^ 1 : byte)) }),
    );
    const lengths = Array.from({ length: 40 }, (_, length) => {
      const text = new Uint8Array(length * 5).fill(length);
      return asked({ message: text, signature: ed25519.sign(text, seed) });
    });
    const unreduced = new Uint8Array([
      ...signature.slice(0, 32),
      ...scalar(little(signature.slice(32)) + Point.Fn.ORDER),
    ]);
    const odd = ODD_POINTS.map((point) => new Uint8Array(Buffer.from(point, "hex")));
    const results = expectAgreement([
      asked({}),
      ...lengths,
      ...flipped,
      asked({ signature: unreduced }),
      asked({ signature: signature.slice(0, 63) }),
      asked({ publicKey: key.slice(0, 31) }),
      ...odd.flatMap((point) => [
        asked({ publicKey: point, signature: new Uint8Array([...point, ...new Uint8Array(32)]) }),
        asked({ publicKey: point }),
        asked({ signature: new Uint8Array([...point, ...signature.slice(32)]) }),
      ]),
      ...ODD_POINTS.slice(0, 6).map((point) => asked({ signature: withTorsion(point) })),
    ]);
    expect(results.filter((result) => result === "valid").length).toBeGreaterThanOrEqual(41);
    expect(results.slice(-6, -4)).toEqual(["valid", "valid"]);
  });
});

describe("its command line", () => {
  const sound = () => bundleOf(reseal(sampleEvents(sha256Noble), sha256Noble));
  function fileOf(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  test("a sound bundle is intact, with its head and root", () => {
    const { status, stdout } = runPython(["bundle", fileOf("sound.ndjson", sound())]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ result: "intact", count: 23 });
  });

  test("a changed price is found, and a head that was noted", () => {
    const altered = fileOf("altered.ndjson", sound().replace("4500", "4501"));
    const run = runPython(["bundle", altered]);
    expect(run.status).toBe(1);
    expect(JSON.parse(run.stdout)).toMatchObject({ result: "damaged", kind: "altered" });
    const noted = runPython([
      "bundle",
      fileOf("sound.ndjson", sound()),
      "--earlier-head",
      `9:${"0".repeat(64)}`,
    ]);
    expect(JSON.parse(noted.stdout)).toMatchObject({ result: "damaged", seq: 9, kind: "altered" });
  });

  test("a bundle is proven to whom pins a key or names witnesses, and held against an earlier audit", () => {
    const file = fileOf("sound.bundle", bundleText(sampleBundle()));
    const policy = fileOf("policy", samplePolicy());
    const key = formatVerifierKey(deploymentKey());
    const since = fileOf("earlier.checkpoint", organisationLog().published(12));
    const pinned = runPython(["bundle", file, "--key", key, "--policy", policy, "--since", since]);
    expect(pinned.status).toBe(0);
    expect(JSON.parse(pinned.stdout)).toMatchObject({ result: "intact", signedTo: 23, provenTo: 23 });
    const { entries } = rewrittenFrom(9);
    const other = fileOf("other.bundle", bundleText({ entries, evidence: [] }));
    const unsigned = runPython(["bundle", other, "--key", key]);
    expect(unsigned.status).toBe(1);
    expect(JSON.parse(unsigned.stdout)).toMatchObject({ result: "damaged", kind: "unsigned", seq: 1 });
    const rewritten = runPython(["bundle", other, "--since", since]);
    expect(JSON.parse(rewritten.stdout)).toMatchObject({ kind: "checkpoint mismatch", seq: 1 });
  });

  test("keys, policies and checkpoints that no audit trusts are no verdict", () => {
    const file = fileOf("sound.bundle", bundleText(sampleBundle()));
    const published = organisationLog().published(12);
    const key = formatVerifierKey(deploymentKey());
    const [witness] = WITNESSES.map(formatVerifierKey);
    for (const options of [
      ["--key", "x"],
      ["--key", witness ?? ""],
      ["--policy", fileOf("no-log", samplePolicy().replace(/^log .*\n/m, ""))],
      ["--policy", fileOf("no-policy", "x\n")],
      ["--since", fileOf("no-checkpoint", "x\n")],
      ["--since", fileOf("forged", published.replace(/.\n$/, "\n")), "--key", key],
      ["--since", fileOf("others", published.replace("daybook.example", "other.example")), "--key", key],
      ["--since", fileOf("strangers", published.replace(sampleId("org", 1), sampleId("org", 2)))],
    ]) {
      expect([options, runPython(["bundle", file, ...options])]).toMatchObject([
        options,
        { status: 2, stdout: "" },
      ]);
    }
  });

  test("what is no export, and what is not there, is no verdict", () => {
    expect(runPython(["bundle", fileOf("text", "hello\n")])).toMatchObject({ status: 2, stdout: "" });
    expect(runPython(["bundle", join(folder, "nothing")])).toMatchObject({ status: 2, stdout: "" });
    expect(runPython(["bundle", fileOf("text", "x"), "--expect-head", "7"])).toMatchObject({ status: 2 });
  });

  test("a receipt is proven under a policy, and refused when a witness is missing", () => {
    const policy = fileOf("policy", samplePolicy());
    const proven = fileOf("a.tlog-proof", directReceipt(4, WITNESSES.slice(0, 2)));
    const lonely = fileOf("b.tlog-proof", directReceipt(4, WITNESSES.slice(0, 1)));
    const run = runPython(["receipt", proven, "--policy", policy]);
    expect(run.status).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ result: "proven", seq: 4 });
    expect(runPython(["receipt", lonely, "--policy", policy])).toMatchObject({ status: 1 });
    expect(runPython(["receipt", proven, "--policy", proven])).toMatchObject({ status: 2, stdout: "" });
  });
});
