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
import { directReceipt, samplePolicy, WITNESSES } from "../ledger/testing/sampleEvidence.ts";
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
