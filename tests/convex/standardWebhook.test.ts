/** Our signatures against the published vectors of Standard Webhooks, and what a receiver must refuse. */
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { webhookHeaders } from "../../convex/effects/standardWebhook.ts";
import vectors from "../testdata/standard-webhooks/vectors.json" with { type: "json" };

const [first] = vectors.sign;
if (first === undefined) throw new Error("no vectors");
const { secret, id, payload: body } = first;

test.each(vectors.sign)("G01 signs $id as published", ({ secret, id, timestamp, payload, expected }) => {
  expect(webhookHeaders(secret, { id, at: new Date(timestamp * 1000), body: payload })).toEqual({
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": expected,
  });
});

test("a time between two seconds counts as the one that has begun", () => {
  const headers = (ms: number) => webhookHeaders(secret, { id, at: new Date(ms), body });
  expect(headers(first.timestamp * 1000 + 999)).toEqual(headers(first.timestamp * 1000));
});

function verify(headers: Record<string, string>): unknown {
  return new Webhook(secret).verify(body, headers);
}

type Reject = (typeof vectors.verifyExpectReject)[number];

/** A message of now with the fault that a vector names. */
function faulty(fault: Reject): Record<string, string> {
  const at = new Date(Date.now() - ("ageSeconds" in fault ? fault.ageSeconds : 0) * 1000);
  const headers = webhookHeaders(secret, { id, at, body });
  if ("signature" in fault) headers["webhook-signature"] = fault.signature;
  if ("signaturePrefixLength" in fault) {
    headers["webhook-signature"] = (headers["webhook-signature"] ?? "").slice(0, fault.signaturePrefixLength);
  }
  if ("timestamp" in fault) headers["webhook-timestamp"] = fault.timestamp;
  const missing = /^missing (\S+)$/.exec(fault.why)?.[1];
  if (missing === undefined) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== missing));
}

describe("a receiver with the official library", () => {
  test.each(vectors.verifyExpectReject)("refuses: $why", (fault) => {
    expect(() => verify(faulty(fault))).toThrow();
  });

  test("accepts what we sign, and the right one among other signatures", () => {
    const headers = webhookHeaders(secret, { id, at: new Date(), body });
    expect(verify(headers)).toEqual(JSON.parse(body));
    for (const { signatureTemplate } of vectors.verifyExpectAccept) {
      if (signatureTemplate === undefined) continue;
      const signature = signatureTemplate.replace("{VALID}", headers["webhook-signature"] ?? "");
      expect(verify({ ...headers, "webhook-signature": signature })).toEqual(JSON.parse(body));
    }
  });
});
