import { describe, expect, test } from "vitest";
import { ALGORITHMS_NOBLE } from "./algorithms.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { sha256Noble } from "./hash.ts";
import { describeQuorum, evaluateQuorum, parsePolicy, pinnedKeys, policyOfKeys } from "./logPolicy.ts";
import { formatVerifierKey } from "./noteKeys.ts";
import type { SignerKey } from "./noteKeys.ts";
import {
  deploymentKey,
  organisationLog,
  sampleKey,
  samplePolicy,
  WITNESSES,
} from "./testing/sampleEvidence.ts";

const LOG = organisationLog();
const [A = "", B = "", C = ""] = WITNESSES.map(formatVerifierKey);
const D = formatVerifierKey(sampleKey("witness-d.example", "cosignature"));
const LOG_KEY = formatVerifierKey(deploymentKey());

function policyOf(text: string) {
  const policy = parsePolicy(text, sha256Noble);
  if (!policy.ok) throw new Error(policy.reason);
  return policy.value;
}

function verdictOn(text: string, witnesses: readonly SignerKey[]) {
  const policy = policyOf(text);
  const opened = openCheckpoint(LOG.published(undefined, witnesses), pinnedKeys(policy), ALGORITHMS_NOBLE);
  if (!opened.ok) throw new Error(opened.reason);
  return evaluateQuorum(policy, opened.value.cosignatures);
}

const pick = (...places: readonly number[]) => WITNESSES.filter((_, at) => places.includes(at));

describe("a quorum of two of three", () => {
  test.each([
    [[], false],
    [[0], false],
    [[0, 1], true],
    [[1, 2], true],
    [[0, 1, 2], true],
  ] as const)("witnesses %j: %s", (places, isMet) => {
    const verdict = verdictOn(samplePolicy(), pick(...places));
    expect(verdict).toEqual({ isMet, witnessedBy: places.map((at) => "abc".charAt(at)) });
  });

  test("one witness that cosigned twice counts once", () => {
    const [first] = WITNESSES;
    if (first === undefined) throw new Error("no witness");
    expect(verdictOn(samplePolicy(), [first, first])).toEqual({ isMet: false, witnessedBy: ["a"] });
  });

  test("is described in words", () => {
    expect(describeQuorum(policyOf(samplePolicy()).quorum)).toBe("2 of (a, b, c)");
  });
});

test("groups of groups, any and all", () => {
  const text = [
    `log ${LOG_KEY} https://daybook.example/`,
    `witness a ${A}  https://a.example/`,
    `witness b\t${B}`,
    "group ab any a b",
    `  witness c ${C}`,
    "group all-of all ab c",
    "",
    "\t# a comment",
    "quorum all-of",
    "",
  ].join("\n");
  const policy = policyOf(text);
  expect(policy.logs).toMatchObject([{ url: "https://daybook.example/" }]);
  expect(policy.witnesses).toMatchObject([
    { name: "a", url: "https://a.example/" },
    { name: "b" },
    { name: "c" },
  ]);
  expect(describeQuorum(policy.quorum)).toBe("2 of (1 of (a, b), c)");
  expect(verdictOn(text, pick(0, 1)).isMet).toBe(false);
  expect(verdictOn(text, pick(1, 2)).isMet).toBe(true);
});

test("a quorum of none asks for nothing, one of a witness for that witness", () => {
  expect(verdictOn(samplePolicy("none"), [])).toEqual({ isMet: true, witnessedBy: [] });
  expect(verdictOn(samplePolicy("b"), pick(0, 2)).isMet).toBe(false);
  expect(verdictOn(samplePolicy("b"), pick(1)).isMet).toBe(true);
  expect(describeQuorum(policyOf("quorum none\n").quorum)).toBe("no witness");
});

test("a policy of keys alone asks for no witness", () => {
  const policy = policyOfKeys([deploymentKey()]);
  expect(pinnedKeys(policy)).toEqual({ logs: [deploymentKey()], witnesses: [] });
  expect(evaluateQuorum(policy, [])).toEqual({ isMet: true, witnessedBy: [] });
});

test.each([
  ["no quorum", `log ${LOG_KEY}\n`, "no quorum"],
  ["two quorums", "quorum none\nquorum none\n", "line 2: an earlier line is a quorum"],
  ["a quorum of nobody", "quorum x\n", "line 1: no earlier line defines x"],
  ["a quorum of two names", `witness a ${A}\nwitness b ${B}\nquorum a b\n`, "line 3: a quorum has one name"],
  ["a quorum before its witness", `quorum a\nwitness a ${A}\n`, "line 1"],
  ["the name none", `witness none ${A}\nquorum none\n`, "the name none is taken"],
  ["a group named none", `witness a ${A}\ngroup none any a\nquorum none\n`, "the name none is taken"],
  ["one name twice", `witness a ${A}\nwitness a ${B}\nquorum a\n`, "line 2: the name a is taken"],
  ["a group with a witness's name", `witness a ${A}\ngroup a any a\nquorum a\n`, "the name a is taken"],
  ["none in a group", "group g any none\nquorum g\n", "no earlier line defines none"],
  ["a group of itself", "group g any g\nquorum g\n", "no earlier line defines g"],
  [
    "a member twice in a group",
    `witness a ${A}\ngroup g 2 a a\nquorum g\n`,
    "a is a member of a group already",
  ],
  [
    "a member of two groups",
    `witness a ${A}\ngroup g any a\ngroup h any a\nquorum h\n`,
    "a is a member of a group",
  ],
  ["a threshold of 0", `witness a ${A}\ngroup g 0 a\nquorum g\n`, "threshold"],
  ["a threshold above the members", `witness a ${A}\ngroup g 2 a\nquorum g\n`, "threshold"],
  ["a threshold with a zero before it", `witness a ${A}\ngroup g 01 a\nquorum g\n`, "threshold"],
  ["an empty group", "group g any\nquorum g\n", "at least one member"],
  ["the same witness key twice", `witness a ${A}\nwitness b ${A}\nquorum a\n`, "same public key"],
  [
    "the same log key twice",
    `log ${LOG_KEY}\nlog ${formatVerifierKey(deploymentKey("other.example"))}\nquorum none\n`,
    "same public key",
  ],
  ["a log's key for a witness", `witness a ${LOG_KEY}\nquorum a\n`, "not one for a cosignature"],
  ["a witness's key for a log", `log ${A}\nquorum none\n`, "not one for a note"],
  ["a key that is none", "log x\nquorum none\n", "line 1"],
  ["an item too many", `witness a ${A} url more\nquorum a\n`, "line 1"],
  ["a log with an item too many", `log ${LOG_KEY} url more\nquorum none\n`, "line 1"],
  ["an unknown word", "witnesses a\nquorum none\n", "none of log, witness, group, quorum"],
  ["a comment after an item", "quorum none # nobody\n", "a quorum has one name"],
  ["no newline at its end", "quorum none", "newline"],
  ["CR LF", "quorum none\r\n", "control"],
  ["a form feed", "\fquorum none\n", "control"],
  ["a delete character", "quorum none\u007f\n", "control"],
  ["a lone surrogate", "# \ud800\nquorum none\n", "UTF-8"],
])("a policy with %s is refused", (_name, text, reason) => {
  const parsed = parsePolicy(text, sha256Noble);
  expect(parsed.ok ? "read" : parsed.reason).toContain(reason);
});

test("no-break spaces separate nothing: they belong to a name", () => {
  expect(parsePolicy(`witness a\u00a0b ${D}\nquorum a\u00a0b\n`, sha256Noble)).toMatchObject({
    ok: true,
    value: { witnesses: [{ name: "a\u00a0b" }] },
  });
});
