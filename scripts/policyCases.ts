/** Trust policies for the vectors: what they say of sets of witnesses, or that they are none. */
import { formatVerifierKey } from "../ledger/noteKeys.ts";
import { deploymentKey, samplePolicy, WITNESSES } from "../ledger/testing/sampleEvidence.ts";

const [A = "", B = "", C = ""] = WITNESSES.map(formatVerifierKey);
const LOG = formatVerifierKey(deploymentKey());

interface QuorumCase {
  /** Names, in the policy, of the witnesses that cosigned. */
  readonly cosigned: readonly string[];
  readonly met: boolean;
}

const valid = (name: string, policy: string, quorums: readonly QuorumCase[]) => {
  return { name, policy, valid: true, quorums };
};
const invalid = (name: string, policy: string) => ({ name, policy, valid: false });

export const POLICY_CASES: readonly object[] = [
  valid("two of three", samplePolicy(), [
    { cosigned: [], met: false },
    { cosigned: ["a"], met: false },
    { cosigned: ["a", "c"], met: true },
    { cosigned: ["a", "b", "c"], met: true },
  ]),
  valid("none", samplePolicy("none"), [{ cosigned: [], met: true }]),
  valid("one witness", samplePolicy("b"), [
    { cosigned: ["a", "c"], met: false },
    { cosigned: ["b"], met: true },
  ]),
  valid(
    "a group of a group, tabs, URLs, comments",
    `log ${LOG} https://daybook.example/\n\n# comment\n witness a\t${A} https://a.example/\nwitness b ${B}\ngroup ab any a b\nwitness c ${C}\ngroup x all ab c\nquorum x\n`,
    [
      { cosigned: ["a", "b"], met: false },
      { cosigned: ["b", "c"], met: true },
    ],
  ),
  invalid("no quorum", `log ${LOG}\n`),
  invalid("two quorums", "quorum none\nquorum none\n"),
  invalid("a quorum that nothing defines", "quorum a\n"),
  invalid("a name before its definition", `quorum a\nwitness a ${A}\n`),
  invalid("a witness named none", `witness none ${A}\nquorum none\n`),
  invalid("a name twice", `witness a ${A}\nwitness a ${B}\nquorum a\n`),
  invalid("a member of two groups", `witness a ${A}\ngroup g any a\ngroup h any a\nquorum h\n`),
  invalid("a threshold of 0", `witness a ${A}\ngroup g 0 a\nquorum g\n`),
  invalid("a threshold above the members", `witness a ${A}\ngroup g 2 a\nquorum g\n`),
  invalid("a witness key twice", `witness a ${A}\nwitness b ${A}\nquorum a\n`),
  invalid("a log's key for a witness", `witness a ${LOG}\nquorum a\n`),
  invalid("an unknown word", "witnesses a\nquorum none\n"),
  invalid("no newline at the end", "quorum none"),
  invalid("CR LF", "quorum none\r\n"),
];
