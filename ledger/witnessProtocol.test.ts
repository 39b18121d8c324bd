import { describe, expect, test } from "vitest";
import { ALGORITHMS_NOBLE } from "./algorithms.ts";
import { openCheckpoint, parseCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { cosign } from "./cosignature.ts";
import type { Cosignature } from "./cosignature.ts";
import { signNoble, verifyNoble } from "./ed25519.ts";
import { consistencyPath, proofFromPath } from "./merkleProof.ts";
import { formatNote, parseNote, signNote } from "./signedNote.ts";
import {
  COSIGNED_AT,
  cosigned,
  DEPLOYMENT,
  deploymentKey,
  ORG_ORIGIN,
  organisationLog,
  sampleKey,
  WITNESSES,
} from "./testing/sampleEvidence.ts";
import { leafData, naiveConsistency, naiveRoot } from "./testing/naiveTree.ts";
import {
  decideAddCheckpoint,
  formatAddCheckpoint,
  formatCosignatures,
  formatKnownSize,
  parseAddCheckpoint,
  PROOF_LINES_MAX,
  readWitnessAnswer,
  SIZE_CONTENT_TYPE,
  withCosignatures,
} from "./witnessProtocol.ts";

const LOG = organisationLog();
const SIZE = LOG.leaves.length;
const PUBLISHED = LOG.published();
const [WITNESS, OTHER] = WITNESSES;
if (WITNESS === undefined || OTHER === undefined) throw new Error("There are three witnesses.");

const proofFrom = (oldSize: number) => naiveConsistency(oldSize, LOG.leaves);
const offer = (oldSize: number, proof = proofFrom(oldSize), checkpoint = PUBLISHED) =>
  formatAddCheckpoint({ oldSize, proof, checkpoint });
const decide = (body: string, last?: Checkpoint, keys = [deploymentKey()]) =>
  decideAddCheckpoint(body, () => last, keys, ALGORITHMS_NOBLE);

describe("the request", () => {
  test("is written and read again", () => {
    const request = { oldSize: 5, proof: proofFrom(5), checkpoint: PUBLISHED };
    const body = formatAddCheckpoint(request);
    expect(body.startsWith("old 5\n")).toBe(true);
    expect(body.endsWith(`\n\n${PUBLISHED}`)).toBe(true);
    expect(parseAddCheckpoint(body)).toEqual({ ok: true, value: request });
    expect(parseAddCheckpoint(offer(0, []))).toMatchObject({ ok: true, value: { oldSize: 0, proof: [] } });
  });

  test.each([
    ["no old size", offer(5).replace("old 5\n", "")],
    ["an old size with a zero before it", offer(5).replace("old 5", "old 05")],
    ["two spaces", offer(5).replace("old 5", "old  5")],
    ["another word", offer(5).replace("old", "new")],
    ["a line of the proof that is no hash", offer(5).replace("old 5\n", "old 5\nx\n")],
    ["no blank line", offer(5).replaceAll("\n\n", "\n")],
    [
      "64 hashes",
      offer(5).replace("old 5\n", `old 5\n${"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".repeat(64)}`),
    ],
    ["nothing", ""],
  ])("with %s is malformed", (_name, body) => {
    expect(parseAddCheckpoint(body)).toMatchObject({ ok: false });
    expect(decide(body)).toMatchObject({ status: 400 });
  });

  test("is not written with a size or a number of hashes that the protocol does not know", () => {
    expect(() => offer(-1, [])).toThrow(RangeError);
    const proof = Array.from({ length: PROOF_LINES_MAX + 1 }, () => leafData(1));
    expect(() => offer(1, proof)).toThrow(RangeError);
  });
});

describe("a witness", () => {
  test("takes the first checkpoint of a log that it knows, and a later one that is consistent", () => {
    expect(decide(offer(0, []))).toMatchObject({ status: 200, checkpoint: LOG.checkpoint() });
    for (let oldSize = 1; oldSize <= SIZE; oldSize += 1) {
      expect(decide(offer(oldSize), LOG.checkpoint(oldSize))).toMatchObject({ status: 200 });
    }
  });

  test("asks for its last checkpoint by the origin", () => {
    const asked: string[] = [];
    const lastOf = (origin: string) => {
      asked.push(origin);
      return undefined;
    };
    decideAddCheckpoint(offer(0, []), lastOf, [deploymentKey()], ALGORITHMS_NOBLE);
    expect(asked).toEqual([
      `${DEPLOYMENT}/org/${ORG_ORIGIN.kind === "organisation" ? ORG_ORIGIN.orgId : ""}`,
    ]);
  });

  test("knows no log of another deployment, and no origin of another form", () => {
    expect(decide(offer(0, []), undefined, [sampleKey("other.example", "note")])).toMatchObject({
      status: 404,
    });
    const text = "example.com/log\n1\nx\n";
    const published = formatNote({
      text,
      signatures: [signNote(text, sampleKey("example.com", "note"), signNoble)],
    });
    expect(decide(offer(0, [], published))).toMatchObject({ status: 404 });
  });

  test("refuses a checkpoint that no known key signed", () => {
    expect(decide(offer(0, []), undefined, [sampleKey(DEPLOYMENT, "note", "x")])).toMatchObject({
      status: 403,
    });
  });

  test("refuses an old size above the new one", () => {
    expect(decide(offer(SIZE + 1, []), LOG.checkpoint())).toMatchObject({ status: 400 });
  });

  test("tells the size that it knows when the offer goes on from another", () => {
    expect(decide(offer(5), LOG.checkpoint(7))).toEqual({ status: 409, size: 7 });
    expect(decide(offer(5))).toEqual({ status: 409, size: 0 });
    expect(decide(offer(0, []), LOG.checkpoint(7))).toEqual({ status: 409, size: 7 });
  });

  test("a rolled back log and a second root of one size are conflicts", () => {
    expect(
      decide(offer(5, naiveConsistency(5, LOG.leaves.slice(0, 6)), LOG.published(6)), LOG.checkpoint(9)),
    ).toEqual({
      status: 409,
      size: 9,
    });
    expect(decide(offer(SIZE, []), { ...LOG.checkpoint(), root: leafData(1) })).toEqual({
      status: 409,
      size: SIZE,
    });
  });

  test("refuses a proof that does not verify: a split view, a proof too many, none at all", () => {
    const forked = { ...LOG.checkpoint(5), root: naiveRoot([...LOG.leaves.slice(0, 4), leafData(1)]) };
    expect(decide(offer(5), forked)).toMatchObject({ status: 422 });
    expect(decide(offer(5, []), LOG.checkpoint(5))).toMatchObject({ status: 422 });
    expect(decide(offer(0, [leafData(1)]))).toMatchObject({ status: 422 });
    expect(decide(offer(SIZE, [leafData(1)]), LOG.checkpoint())).toMatchObject({ status: 422 });
  });

  test("refuses a checkpoint with an extension line though it is signed", () => {
    const note = parseNote(PUBLISHED);
    if (!note.ok) throw new Error(note.reason);
    const text = `${note.value.text}extension\n`;
    const [origin = ""] = text.split("\n");
    const published = formatNote({ text, signatures: [signNote(text, deploymentKey(origin), signNoble)] });
    expect(decide(offer(0, [], published))).toMatchObject({ status: 400 });
  });
});

describe("the answer", () => {
  const text = parseNote(PUBLISHED);
  if (!text.ok) throw new Error(text.reason);
  const line = (key = WITNESS, time = COSIGNED_AT) => cosign(text.value.text, time, key, signNoble);
  const read = (status: number, body: string) =>
    readWitnessAnswer({ status, body }, PUBLISHED, [WITNESS], verifyNoble);

  test("200 holds verified cosignatures of known witnesses, others are ignored", () => {
    expect(read(200, formatCosignatures([line(OTHER), line()]))).toMatchObject({
      kind: "cosigned",
      cosignatures: [{ witness: { name: WITNESS.name }, time: COSIGNED_AT }],
    });
  });

  test.each([
    ["of a stranger alone", formatCosignatures([line(OTHER)])],
    ["that is forged", formatCosignatures([{ ...line(), signature: line(WITNESS, 1).signature.with(7, 2) }])],
    ["over another checkpoint", formatCosignatures([cosign("x\n", 1, WITNESS, signNoble)])],
    ["without a newline", formatCosignatures([line()]).slice(0, -1)],
    ["that is none", "thanks\n"],
    ["of nobody", ""],
  ])("200 with a cosignature %s is unusable", (_name, body) => {
    expect(read(200, body)).toMatchObject({ kind: "unusable" });
  });

  test("409 tells the size that the witness knows", () => {
    expect(SIZE_CONTENT_TYPE).toBe("text/x.tlog.size");
    expect(formatKnownSize(7)).toBe("7\n");
    expect(read(409, formatKnownSize(7))).toEqual({ kind: "knows another size", size: 7 });
    for (const body of ["7", "07\n", "", "\n", "x\n"])
      expect(read(409, body)).toMatchObject({ kind: "unusable" });
  });

  test.each([400, 403, 404, 422])("%d is a refusal", (status) => {
    expect(read(status, "why")).toEqual({ kind: "refused", status });
  });

  test.each([204, 301, 429, 500])("%d is unusable", (status) => {
    expect(read(status, "")).toEqual({ kind: "unusable", reason: `status ${status}` });
  });

  test("cosignatures are kept in the published checkpoint, the newest of each witness", () => {
    const verified = (key: typeof WITNESS, time: number): Cosignature => ({
      witness: key,
      time,
      signature: line(key, time),
    });
    const once = withCosignatures(cosigned(PUBLISHED, [OTHER], 1), [verified(WITNESS, 5)]);
    const again = withCosignatures(once, [verified(WITNESS, 9), verified(WITNESS, 7), verified(WITNESS, 9)]);
    const opened = openCheckpoint(again, { logs: [deploymentKey()], witnesses: WITNESSES }, ALGORITHMS_NOBLE);
    if (!opened.ok) throw new Error(opened.reason);
    expect(opened.value.cosignatures.map(({ witness, time }) => [witness.name, time])).toEqual([
      [OTHER.name, 1],
      [WITNESS.name, 9],
    ]);
    expect(() => withCosignatures("x", [])).toThrow(RangeError);
  });
});

test("a log that grows by the answers' sizes always finds its way to a cosignature", () => {
  let last: Checkpoint | undefined;
  let guess = 0;
  for (const size of [1, 2, 3, 8, 13, SIZE]) {
    for (let attempt = 0; ; attempt += 1) {
      expect(attempt).toBeLessThan(2);
      const leaves = LOG.leaves.slice(0, size);
      const nodeAt = ({ level, index }: { readonly level: number; readonly index: number }) =>
        naiveRoot(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
      const proof =
        guess === 0 ? [] : proofFromPath(consistencyPath(guess, size), nodeAt, ALGORITHMS_NOBLE.sha256);
      const decision = decide(
        formatAddCheckpoint({ oldSize: guess, proof, checkpoint: LOG.published(size) }),
        last,
      );
      if (decision.status === 200) {
        last = decision.checkpoint;
        expect(parseCheckpoint(decision.note.text)).toEqual({ ok: true, value: last });
        break;
      }
      if (decision.status !== 409) throw new Error(decision.reason);
      guess = decision.size;
    }
    guess = 0;
  }
  expect(last).toEqual(LOG.checkpoint());
});
