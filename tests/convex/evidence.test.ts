/** Evidence is made and checked where the functions run. */
import { expect, test } from "vitest";
import { ALGORITHMS_NOBLE } from "../../ledger/algorithms.ts";
import { parsePolicy } from "../../ledger/logPolicy.ts";
import { verifyReceipt } from "../../ledger/receipt.ts";
import { anchoredReceipt, samplePolicy, WITNESSES } from "../../ledger/testing/sampleEvidence.ts";

test("a receipt is signed, cosigned, anchored and verified in the functions' runtime", () => {
  const policy = parsePolicy(samplePolicy(), ALGORITHMS_NOBLE.sha256);
  if (!policy.ok) throw new Error(policy.reason);
  const verified = verifyReceipt(anchoredReceipt(4, WITNESSES.slice(0, 2)), policy.value, ALGORITHMS_NOBLE);
  expect(verified).toMatchObject({
    ok: true,
    value: { event: { seq: 4 }, quorum: { witnessedBy: ["a", "b"] } },
  });
});
