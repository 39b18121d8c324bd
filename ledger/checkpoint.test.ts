import { describe, expect, test } from "vitest";
import { ALGORITHMS_NOBLE } from "./algorithms.ts";
import { toBase64 } from "./bytes.ts";
import { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { cosign } from "./cosignature.ts";
import { signNoble } from "./ed25519.ts";
import { sha256Noble } from "./hash.ts";
import { emptyRoot } from "./merkle.ts";
import { formatOrigin, isDeploymentName, keysOfOrigin, parseOrigin } from "./origin.ts";
import { formatNote, parseNote, signNote } from "./signedNote.ts";
import {
  cosigned,
  COSIGNED_AT,
  DEPLOYMENT,
  deploymentKey,
  ORG_ORIGIN,
  organisationLog,
  sampleKey,
  WITNESSES,
} from "./testing/sampleEvidence.ts";
import { leafData } from "./testing/naiveTree.ts";

const LOG = organisationLog();
const ORIGIN = formatOrigin(ORG_ORIGIN);
const ROOT = toBase64(leafData(1));
const PINNED = { logs: [deploymentKey()], witnesses: WITNESSES };
const open = (published: string, pinned = PINNED) => openCheckpoint(published, pinned, ALGORITHMS_NOBLE);
const witness = (at: number) => {
  const key = WITNESSES[at];
  if (key === undefined) throw new Error("There are three witnesses.");
  return key;
};

describe("origins", () => {
  test.each([
    [ORIGIN, ORG_ORIGIN],
    ["daybook.example/log", { kind: "log of logs", deployment: DEPLOYMENT }],
    ["localhost:3210/log", { kind: "log of logs", deployment: "localhost:3210" }],
    ["example.com/team/daybook/log", { kind: "log of logs", deployment: "example.com/team/daybook" }],
  ] as const)("%s is read and written again", (text, origin) => {
    expect(parseOrigin(text)).toEqual(origin);
    expect(formatOrigin(origin)).toBe(text);
  });

  test.each([
    "daybook.example",
    "/log",
    "daybook.example/logs",
    "daybook.example//log",
    "daybook.example/log\n",
    "daybook.example/log/log",
    "daybook.example/org/log",
    "Daybook.example/log",
    "https://daybook.example/log",
    "day book.example/log",
    "daybook.example:0/log",
    "-daybook.example/log",
    "daybook.example/org/usr_01KE6S9G000000000000000001",
    "daybook.example/org/org_81KE6S9G000000000000000001",
    "daybook.example/org/org_01ke6s9g000000000000000001",
    `${ORIGIN}/log`,
    `${"x".repeat(101)}/log`,
  ])("%j is none", (text) => {
    expect(parseOrigin(text)).toBeUndefined();
  });

  test("a deployment has one name, and no name of a log", () => {
    expect(isDeploymentName("daybook.example")).toBe(true);
    expect(isDeploymentName("daybook.example/log")).toBe(false);
    expect(() => formatOrigin({ kind: "log of logs", deployment: "a b" })).toThrow(RangeError);
  });

  test("a deployment's pinned key stands for each of its logs, and for no other's", () => {
    const key = deploymentKey();
    expect(keysOfOrigin(ORIGIN, [key], sha256Noble)).toMatchObject([
      { name: ORIGIN, publicKey: key.publicKey },
    ]);
    expect(keysOfOrigin(ORIGIN, [key], sha256Noble)[0]?.keyId).toBe(deploymentKey(ORIGIN).keyId);
    expect(keysOfOrigin("daybook.example.org/log", [key], sha256Noble)).toEqual([]);
    expect(keysOfOrigin("other.example/log", [key], sha256Noble)).toEqual([]);
    expect(keysOfOrigin(ORIGIN, [sampleKey(DEPLOYMENT, "cosignature")], sha256Noble)).toEqual([]);
    const ownKey = sampleKey(ORIGIN, "note");
    expect(keysOfOrigin(ORIGIN, [ownKey], sha256Noble)).toEqual([ownKey]);
    expect(keysOfOrigin("daybook.example/log", [ownKey], sha256Noble)).toEqual([]);
  });
});

describe("the text of a checkpoint", () => {
  test("is written and read again", () => {
    const checkpoint = LOG.checkpoint();
    const text = formatCheckpoint(checkpoint);
    expect(text).toBe(`${ORIGIN}\n${LOG.leaves.length}\n${toBase64(checkpoint.root)}\n`);
    expect(parseCheckpoint(text)).toEqual({ ok: true, value: checkpoint });
  });

  test.each([
    ["an extension line", `${ORIGIN}\n5\n${ROOT}\nmore\n`],
    ["an empty line more", `${ORIGIN}\n5\n${ROOT}\n\n`],
    ["a line too few", `${ORIGIN}\n5\n`],
    ["no newline at its end", `${ORIGIN}\n5\n${ROOT}`],
    ["a leading zero", `${ORIGIN}\n05\n${ROOT}\n`],
    ["a sign", `${ORIGIN}\n+5\n${ROOT}\n`],
    ["a size below 0", `${ORIGIN}\n-5\n${ROOT}\n`],
    ["a size beyond 2^53 - 1", `${ORIGIN}\n9007199254740992\n${ROOT}\n`],
    ["a size with a space", `${ORIGIN}\n5 \n${ROOT}\n`],
    ["a root of 31 bytes", `${ORIGIN}\n5\n${toBase64(leafData(1).subarray(1))}\n`],
    ["a root in hexadecimal", `${ORIGIN}\n5\n${"ab".repeat(32)}\n`],
    ["a root without padding", `${ORIGIN}\n5\n${ROOT.slice(0, -1)}\n`],
    ["an origin that is none", `daybook.example\n5\n${ROOT}\n`],
    ["an empty tree with leaves' root", `${ORIGIN}\n0\n${ROOT}\n`],
  ])("with %s is refused", (_name, text) => {
    expect(parseCheckpoint(text)).toMatchObject({ ok: false });
  });

  test("of an empty tree has the empty root", () => {
    const root = emptyRoot(sha256Noble);
    const text = formatCheckpoint({ origin: ORG_ORIGIN, size: 0, root });
    expect(parseCheckpoint(text)).toMatchObject({ ok: true, value: { size: 0 } });
    expect(() => formatCheckpoint({ origin: ORG_ORIGIN, size: 0, root: leafData(1) })).toThrow(RangeError);
  });

  test.each([
    { size: -1, root: leafData(1) },
    { size: 1.5, root: leafData(1) },
    { size: 1, root: leafData(1).subarray(1) },
  ])("is not written for %j", (head) => {
    expect(() => formatCheckpoint({ origin: ORG_ORIGIN, ...head })).toThrow(RangeError);
  });
});

describe("a published checkpoint", () => {
  const PUBLISHED = LOG.published();

  test("opens with the deployment's key and tells who signed and cosigned", () => {
    const opened = open(cosigned(PUBLISHED, [witness(0), witness(2)]));
    expect(opened).toMatchObject({
      ok: true,
      value: {
        checkpoint: LOG.checkpoint(),
        signers: [{ name: ORIGIN }],
        cosignatures: [
          { witness: { name: "witness-a.example" }, time: COSIGNED_AT },
          { witness: { name: "witness-c.example" }, time: COSIGNED_AT + 1 },
        ],
      },
    });
  });

  test("opens during a rotation with either key, and with both", () => {
    const next = sampleKey(ORIGIN, "note", "next");
    const both = signCheckpoint(LOG.checkpoint(), [deploymentKey(ORIGIN), next], signNoble);
    for (const logs of [[deploymentKey()], [next]]) {
      expect(open(both, { logs, witnesses: [] })).toMatchObject({ ok: true, value: { signers: [{}] } });
    }
    const opened = open(both, { logs: [deploymentKey(), next], witnesses: [] });
    expect(opened.ok ? opened.value.signers.length : 0).toBe(2);
  });

  test("is refused without a pinned key, with another deployment's, and with a witness's alone", () => {
    for (const logs of [
      [],
      [sampleKey("other.example", "note", DEPLOYMENT)],
      [sampleKey(DEPLOYMENT, "note", "x")],
    ]) {
      expect(open(PUBLISHED, { logs, witnesses: WITNESSES })).toMatchObject({ ok: false });
    }
    const note = parseNote(PUBLISHED);
    if (!note.ok) throw new Error(note.reason);
    const cosignatureAlone = formatNote({
      text: note.value.text,
      signatures: [cosign(note.value.text, COSIGNED_AT, witness(0), signNoble)],
    });
    expect(open(cosignatureAlone)).toEqual({ ok: false, reason: "no known key signed the note" });
  });

  test("of another size, root or organisation is refused under the same signature", () => {
    const note = parseNote(PUBLISHED);
    if (!note.ok) throw new Error(note.reason);
    const { text, signatures } = note.value;
    const size = String(LOG.leaves.length);
    const others = [
      text.replace(`\n${size}\n`, `\n${LOG.leaves.length + 1}\n`),
      formatCheckpoint({ ...LOG.checkpoint(), root: leafData(1) }),
      text.replace("0000001\n", "0000002\n"),
    ];
    for (const other of others) {
      expect(other).not.toBe(text);
      expect(open(formatNote({ text: other, signatures }))).toMatchObject({ ok: false });
    }
  });

  test("with an extension line is refused though its signature is right", () => {
    const text = `${formatCheckpoint(LOG.checkpoint())}extension\n`;
    const signatures = [signNote(text, deploymentKey(ORIGIN), signNoble)];
    expect(open(formatNote({ text, signatures }))).toEqual({
      ok: false,
      reason: "a checkpoint has no lines of extension",
    });
  });

  test("is signed by keys that are named after its origin only, and by one at least", () => {
    expect(() => signCheckpoint(LOG.checkpoint(), [], signNoble)).toThrow(RangeError);
    expect(() => signCheckpoint(LOG.checkpoint(), [deploymentKey()], signNoble)).toThrow(RangeError);
  });
});

describe("cosignatures", () => {
  const PUBLISHED = LOG.published();

  test("the example of the specification's message is what is signed", () => {
    const seen: string[] = [];
    const recorder = (message: Uint8Array) => {
      seen.push(new TextDecoder().decode(message));
      return new Uint8Array(64);
    };
    cosign("example.com/behind-the-sofa\n20852163\nCsU=\n", 1_679_315_147, witness(0), recorder);
    expect(seen).toEqual(["cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsU=\n"]);
  });

  test("of unknown witnesses are ignored", () => {
    const opened = open(cosigned(PUBLISHED, WITNESSES), { logs: [deploymentKey()], witnesses: [] });
    expect(opened).toMatchObject({ ok: true, value: { cosignatures: [] } });
  });

  test("with another time, or of another checkpoint, are refused", () => {
    const later = parseNote(cosigned(PUBLISHED, [witness(0)]));
    const earlier = parseNote(cosigned(LOG.published(5), [witness(0)]));
    if (!later.ok || !earlier.ok) throw new Error("not read");
    const [log, line] = later.value.signatures;
    const foreign = earlier.value.signatures[1];
    if (log === undefined || line === undefined || foreign === undefined) throw new Error("two lines");
    const otherTime = { ...line, signature: line.signature.with(7, (line.signature[7] ?? 0) ^ 1) };
    for (const forged of [otherTime, foreign, { ...line, signature: line.signature.subarray(0, 71) }]) {
      expect(open(formatNote({ text: later.value.text, signatures: [log, forged] }))).toEqual({
        ok: false,
        reason: `the cosignature of witness-a.example (${witness(0).keyId}) is not that witness's`,
      });
    }
  });

  test("with a time beyond 2^53 - 1 are refused though the signature is right", () => {
    const text = formatCheckpoint(LOG.checkpoint());
    const time = 2n ** 53n;
    const message = new TextEncoder().encode(`cosignature/v1\ntime ${time}\n${text}`);
    const signature = new Uint8Array(72);
    new DataView(signature.buffer).setBigUint64(0, time);
    signature.set(signNoble(message, witness(0).secretKey), 8);
    const { name, keyId } = witness(0);
    const signatures = [signNote(text, deploymentKey(ORIGIN), signNoble), { name, keyId, signature }];
    expect(open(formatNote({ text, signatures }))).toMatchObject({ ok: false });
  });

  test("a plain signature by a witness's key is no cosignature", () => {
    const text = formatCheckpoint(LOG.checkpoint());
    const asNote = signNote(text, sampleKey("witness-a.example", "note"), signNoble);
    const log = signNote(text, deploymentKey(ORIGIN), signNoble);
    expect(open(formatNote({ text, signatures: [log, asNote] }))).toMatchObject({
      ok: true,
      value: { cosignatures: [] },
    });
  });

  test("are made by cosigning keys at whole seconds from 0 only", () => {
    expect(() => cosign("x\n", 1, deploymentKey(), signNoble)).toThrow(RangeError);
    for (const time of [-1, 0.5, 2 ** 53])
      expect(() => cosign("x\n", time, witness(0), signNoble)).toThrow(RangeError);
  });
});
