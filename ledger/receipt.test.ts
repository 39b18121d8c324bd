import { describe, expect, test } from "vitest";
import { ALGORITHMS_NOBLE } from "./algorithms.ts";
import { fromUtf8, toUtf8 } from "./bytes.ts";
import { canonicalize } from "./canonicalJson.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { sha256Noble, toHex } from "./hash.ts";
import { formatAnchor, logOfLogsData, logOfLogsLeafHash, verifyAnchor } from "./logOfLogs.ts";
import { parsePolicy, pinnedKeys, policyOfKeys } from "./logPolicy.ts";
import { eventLeafHash, leafHash } from "./merkle.ts";
import { formatAnchoredReceipt, formatReceipt, verifyReceipt } from "./receipt.ts";
import {
  ANCHOR_INDEX,
  anchoredReceipt,
  cosigned,
  deploymentKey,
  directReceipt,
  LOG_ORIGIN,
  logOfLogs,
  ORG_ORIGIN,
  organisationLog,
  SampleLog,
  sampleEntries,
  samplePolicy,
  sampleText,
  WITNESSES,
} from "./testing/sampleEvidence.ts";
import { sampleEvents, sampleId, seal } from "./testing/sampleLedger.ts";
import { leafData, sha256Of } from "./testing/naiveTree.ts";
import { formatTlogProof, parseTlogProof, verifyTlogProof } from "./tlogProof.ts";

const LOG = organisationLog();
const ENTRIES = sampleEntries(sha256Noble);
const KEYS_ALONE = policyOfKeys([deploymentKey()]);
const parsedPolicy = parsePolicy(samplePolicy(), sha256Noble);
if (!parsedPolicy.ok) throw new Error(parsedPolicy.reason);
const TWO_OF_THREE = parsedPolicy.value;
const TWO = WITNESSES.slice(0, 2);

const verify = (receipt: string, policy = KEYS_ALONE) => verifyReceipt(receipt, policy, ALGORITHMS_NOBLE);
const reasonOf = (receipt: string, policy = KEYS_ALONE) => {
  const verified = verify(receipt, policy);
  return verified.ok ? "verified" : verified.reason;
};

describe("a proof file", () => {
  const RECEIPT = directReceipt(4);

  test("is written and read again, in the form of the specification", () => {
    const parsed = parseTlogProof(RECEIPT);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(formatTlogProof(parsed.value)).toBe(RECEIPT);
    const lines = RECEIPT.split("\n");
    expect(lines[0]).toBe("c2sp.org/tlog-proof@v1");
    expect(lines[1]).toMatch(/^extra [A-Za-z0-9+/]+=*$/);
    expect(lines[2]).toBe("index 3");
    expect(lines[8]).toBe("");
    expect(RECEIPT.endsWith(LOG.published())).toBe(true);
  });

  test.each([
    ["another header", RECEIPT.replace("@v1", "@v2")],
    ["no extra", RECEIPT.replace(/extra .*\n/, "")],
    ["an empty extra", RECEIPT.replace(/extra .*\n/, "extra \n")],
    ["an extra that is not base 64", RECEIPT.replace("extra ", "extra !")],
    ["no index", RECEIPT.replace("index 3\n", "")],
    ["an index with a zero before it", RECEIPT.replace("index 3", "index 03")],
    ["an index below 0", RECEIPT.replace("index 3", "index -1")],
    ["a hash that is none", RECEIPT.replace("index 3\n", "index 3\nx\n")],
    ["CR LF", RECEIPT.replaceAll("\n", "\r\n")],
    ["a blank line before it", `\n${RECEIPT}`],
    ["no blank line", RECEIPT.replaceAll("\n\n", "\n")],
    ["nothing", ""],
    ["too many characters", RECEIPT + "x".repeat(2 ** 22)],
  ])("with %s is refused", (_name, text) => {
    expect(parseTlogProof(text)).toMatchObject({ ok: false });
    expect(verify(text)).toMatchObject({ ok: false });
  });

  test("is not written without what it proves, or with a place that no tree has", () => {
    const proof = LOG.proof(3);
    expect(() => formatTlogProof({ ...proof, extra: new Uint8Array(0) })).toThrow(RangeError);
    expect(() => formatTlogProof({ ...proof, extra: leafData(1), index: -1 })).toThrow(RangeError);
    const many = Array.from({ length: 64 }, () => leafData(1));
    expect(() => formatTlogProof({ ...proof, extra: leafData(1), proof: many })).toThrow(RangeError);
  });

  test("proves the leaf hash that it is asked about, and no other", () => {
    const proof = { ...LOG.proof(3), extra: leafData(1) };
    const pinned = pinnedKeys(KEYS_ALONE);
    const leaf = LOG.leaves[3] ?? leafData(0);
    expect(verifyTlogProof(proof, leaf, pinned, ALGORITHMS_NOBLE)).toMatchObject({ ok: true });
    expect(verifyTlogProof(proof, leafData(1), pinned, ALGORITHMS_NOBLE)).toMatchObject({ ok: false });
    expect(verifyTlogProof({ ...proof, index: 4 }, leaf, pinned, ALGORITHMS_NOBLE)).toMatchObject({
      ok: false,
    });
  });
});

describe("a direct receipt", () => {
  test("of every event verifies and tells the event", () => {
    for (const { text, hash } of ENTRIES) {
      const seq = ENTRIES.findIndex((entry) => entry.hash === hash) + 1;
      expect(verify(directReceipt(seq))).toMatchObject({
        ok: true,
        value: {
          text,
          hash,
          event: { seq },
          organisation: { checkpoint: LOG.checkpoint() },
          quorum: { isMet: true },
        },
      });
    }
  });

  test("needs the policy's quorum on the organisation's checkpoint", () => {
    expect(verify(directReceipt(4, TWO), TWO_OF_THREE)).toMatchObject({
      ok: true,
      value: { quorum: { isMet: true, witnessedBy: ["a", "b"] } },
    });
    expect(reasonOf(directReceipt(4, WITNESSES.slice(0, 1)), TWO_OF_THREE)).toBe(
      "no checkpoint of the receipt is cosigned by 2 of (a, b, c)",
    );
  });

  test("with another event, a changed one, or at another place is refused", () => {
    const text = ENTRIES[3]?.text ?? "";
    const proof = LOG.proof(3);
    const receipt = (eventText: string) => reasonOf(formatReceipt(eventText, proof));
    expect(receipt(text)).toBe("verified");
    expect(receipt(ENTRIES[4]?.text ?? "")).toBe("the event has sequence 5, and index 3 is that of 4");
    expect(receipt(text.replace('"correlationId":"cor-', '"correlationId":"car-'))).toContain(
      "the proof does not lead",
    );
    expect(receipt(` ${text}`)).toContain("the event ");
    expect(receipt("{}")).toBe("the event: v is missing");
    expect(reasonOf(formatReceipt(text, LOG.proof(4)))).toContain("index 4 is that of 5");
  });

  test("of an event with an unknown type or a forbidden source is refused though it is in the log", () => {
    const [first] = sampleEvents(sha256Noble);
    if (first === undefined) throw new Error("no event");
    const withLog = (event: typeof first) => {
      const { text, hash } = seal(event, sha256Noble);
      const log = new SampleLog(ORG_ORIGIN, [eventLeafHash(hash, sha256Noble)]);
      return reasonOf(formatReceipt(text, log.proof(0)));
    };
    expect(withLog(first)).toBe("verified");
    expect(withLog({ ...first, type: "organization.dissolved" })).toContain("unknown type");
    expect(withLog({ ...first, source: { kind: "job", name: "x" } })).toContain("forbidden source");
  });

  test("of another organisation's event in this organisation's log is refused (P09)", () => {
    const [first] = sampleEvents(sha256Noble);
    if (first === undefined) throw new Error("no event");
    const foreign = seal({ ...first, orgId: sampleId("org", 2) }, sha256Noble);
    const log = new SampleLog(ORG_ORIGIN, [eventLeafHash(foreign.hash, sha256Noble)]);
    expect(reasonOf(formatReceipt(foreign.text, log.proof(0)))).toBe(
      "the checkpoint is not of the event's organisation",
    );
  });

  test("against the log of logs is refused though the event's leaf is in it", () => {
    const { text, hash } = ENTRIES[0] ?? { text: "", hash: "" };
    const log = new SampleLog(LOG_ORIGIN, [eventLeafHash(hash, sha256Noble)]);
    expect(reasonOf(formatReceipt(text, log.proof(0)))).toBe(
      "the checkpoint is not of the event's organisation",
    );
  });

  test("signed by somebody else, or with a forged cosignature, is refused", () => {
    expect(reasonOf(directReceipt(4), policyOfKeys([]))).toBe("no known key signed the note");
    const forged = directReceipt(4, TWO).replace("\u2014 witness-b.example ", "\u2014 witness-a.example ");
    expect(verify(forged, TWO_OF_THREE)).toMatchObject({ ok: false });
  });
});

describe("the log of logs", () => {
  test("a leaf's data is the tagged hash of the checkpoint's text, whoever signed it", () => {
    const data = sha256Of("daybook-log-of-logs-v1\n", sampleText());
    expect(logOfLogsData(LOG.checkpoint(), sha256Noble)).toEqual(data);
    expect(logOfLogsLeafHash(LOG.checkpoint(), sha256Noble)).toEqual(leafHash(data, sha256Noble));
  });

  test("an empty ledger's checkpoint, whose root everybody knows, is no leaf; nor is the log's own", () => {
    const root = sha256Of("");
    expect(() => logOfLogsData({ origin: ORG_ORIGIN, size: 0, root }, sha256Noble)).toThrow(RangeError);
    expect(() => logOfLogsData({ origin: LOG_ORIGIN, size: 1, root }, sha256Noble)).toThrow(RangeError);
  });

  test("an organisation's checkpoint is proven in it", () => {
    const anchor = formatAnchor(LOG.published(), logOfLogs().proof(ANCHOR_INDEX, TWO));
    expect(verifyAnchor(anchor, pinnedKeys(TWO_OF_THREE), ALGORITHMS_NOBLE)).toMatchObject({
      ok: true,
      value: {
        index: ANCHOR_INDEX,
        organisation: { checkpoint: LOG.checkpoint() },
        log: { checkpoint: logOfLogs().checkpoint(), cosignatures: [{}, {}] },
      },
    });
  });

  test("another checkpoint, another index, or another deployment's log is refused", () => {
    const pinned = { logs: [deploymentKey(), { ...deploymentKey("other.example") }], witnesses: [] };
    const reason = (anchor: string) => {
      const verified = verifyAnchor(anchor, pinned, ALGORITHMS_NOBLE);
      return verified.ok ? "verified" : verified.reason;
    };
    const proof = logOfLogs().proof(ANCHOR_INDEX);
    expect(reason(formatAnchor(LOG.published(), proof))).toBe("verified");
    expect(reason(formatAnchor(LOG.published(7), proof))).toContain("the proof does not lead");
    expect(reason(formatAnchor(LOG.published(), logOfLogs().proof(2)))).toContain("the proof does not lead");
    expect(reason(formatAnchor(logOfLogs().published(), proof))).toContain("no organisation's checkpoint");
    expect(reason(formatAnchor("x", proof))).toContain("the organisation's checkpoint: ");
    const elsewhere = new SampleLog({ ...LOG_ORIGIN, deployment: "other.example" }, logOfLogs().leaves);
    expect(reason(formatAnchor(LOG.published(), elsewhere.proof(ANCHOR_INDEX)))).toContain("deployment");
    const inOrganisation = new SampleLog(ORG_ORIGIN, logOfLogs().leaves);
    expect(reason(formatAnchor(LOG.published(), inOrganisation.proof(ANCHOR_INDEX)))).toContain("deployment");
  });
});

describe("an anchored receipt", () => {
  test("verifies the event, its organisation's checkpoint and the log of logs, cosigned there alone", () => {
    expect(verify(anchoredReceipt(4, TWO), TWO_OF_THREE)).toMatchObject({
      ok: true,
      value: {
        text: ENTRIES[3]?.text,
        organisation: { checkpoint: LOG.checkpoint(), cosignatures: [] },
        log: { checkpoint: logOfLogs().checkpoint() },
        quorum: { isMet: true, witnessedBy: ["a", "b"] },
      },
    });
    expect(reasonOf(anchoredReceipt(4), TWO_OF_THREE)).toContain("cosigned by 2 of (a, b, c)");
  });

  test("two half quorums are none", () => {
    const direct = formatReceipt(ENTRIES[3]?.text ?? "", LOG.proof(3, WITNESSES.slice(0, 1)));
    const halves = formatAnchoredReceipt(direct, logOfLogs().proof(ANCHOR_INDEX, WITNESSES.slice(1, 2)));
    expect(reasonOf(halves, TWO_OF_THREE)).toContain("no checkpoint of the receipt is cosigned");
  });

  test("with an inner receipt of another checkpoint, or damaged, is refused", () => {
    const proof = logOfLogs().proof(ANCHOR_INDEX);
    const older = formatReceipt(ENTRIES[3]?.text ?? "", LOG.proof(3, [], 9));
    expect(reasonOf(older)).toBe("verified");
    expect(reasonOf(formatAnchoredReceipt(older, proof))).toContain(
      "the log of logs: the proof does not lead",
    );
    const damaged = directReceipt(4).replace("index 3", "index 2");
    expect(reasonOf(formatAnchoredReceipt(damaged, proof))).toContain("index 2");
    expect(reasonOf(formatAnchoredReceipt(anchoredReceipt(4), proof))).toContain("the event is not JSON");
  });

  test("keeps verifying when more witnesses cosign later", () => {
    const parsed = parseTlogProof(anchoredReceipt(4));
    if (!parsed.ok) throw new Error(parsed.reason);
    const checkpoint = cosigned(parsed.value.checkpoint, TWO);
    expect(openCheckpoint(checkpoint, pinnedKeys(TWO_OF_THREE), ALGORITHMS_NOBLE)).toMatchObject({
      ok: true,
    });
    expect(reasonOf(formatTlogProof({ ...parsed.value, checkpoint }), TWO_OF_THREE)).toBe("verified");
  });
});

test("extra bytes that are not UTF-8 are refused", () => {
  expect(reasonOf(formatTlogProof({ ...LOG.proof(3), extra: Uint8Array.of(0xff) }))).toBe(
    "the extra bytes are not UTF-8",
  );
  const inner = formatTlogProof({ ...LOG.proof(3), extra: Uint8Array.of(0xff) });
  expect(reasonOf(formatAnchoredReceipt(inner, logOfLogs().proof(ANCHOR_INDEX)))).toBe(
    "the extra bytes are not UTF-8",
  );
  const anchor = formatTlogProof({ ...logOfLogs().proof(ANCHOR_INDEX), extra: Uint8Array.of(0xff) });
  expect(verifyAnchor(anchor, pinnedKeys(KEYS_ALONE), ALGORITHMS_NOBLE)).toMatchObject({ ok: false });
});

test("what a receipt carries is the canonical event, so its hash can be computed by hand", () => {
  const parsed = parseTlogProof(directReceipt(2));
  if (!parsed.ok) throw new Error(parsed.reason);
  const text = fromUtf8(parsed.value.extra) ?? "";
  expect(canonicalize(JSON.parse(text))).toBe(text);
  const hash = sha256Of("daybook-event-v1\n", toUtf8(text));
  expect(toHex(hash)).toBe(ENTRIES[1]?.hash);
  expect(sha256Of(Uint8Array.of(0), hash)).toEqual(LOG.leaves[1]);
});
