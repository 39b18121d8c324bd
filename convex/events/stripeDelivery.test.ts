import { bytesToHex } from "@noble/hashes/utils.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import fixtures from "../../tests/testdata/stripe-openapi/fixtures.json";
import vectors from "../../tests/testdata/stripe-node/hmac-vectors.json";
import { anyCharacter, anyText } from "../../ledger/testing/anyText.ts";
import { INEXACT_NUMBER, parseStrictJson } from "./strictJson.ts";
import { isReadableVersion, readDelivery, type DeliveryCheck } from "./stripeDelivery.ts";
import { checkSignature, stripeSignature } from "./stripeSignature.ts";

const NOW = 1_795_000_000;
const { secret } = vectors;
const settings = { secrets: [secret], toleranceSeconds: 300, nowSeconds: NOW, livemode: false };
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Signs without the code under test. */
function headerOf(text: string, t = String(NOW), key = secret): string {
  return `t=${t},v1=${bytesToHex(hmac(sha256, utf8(key), utf8(`${t}.${text}`)))}`;
}

function read(text: string, header = headerOf(text), over = {}): DeliveryCheck {
  return readDelivery({ header, body: utf8(text) }, { ...settings, ...over });
}

function eventText(type: string, object: unknown, over = {}): string {
  return JSON.stringify({
    ...{
      id: "evt_12345678",
      object: "event",
      api_version: "2026-10-28.endive",
      created: NOW,
      livemode: false,
    },
    ...{ type, data: { object }, ...over },
  });
}

test.each([
  ["authentication_required", { code: "authentication_required" }],
  ["card_declined", { code: "card_declined", decline_code: "insufficient_funds" }],
  ["unknown", {}],
  ["unknown", null],
])("a failed payment's code is %s, whatever else is told of it", (code, error) => {
  const object = { id: "pi_12345678", object: "payment_intent", amount: 5000, amount_received: 0 };
  const said = { currency: "eur", status: "requires_payment_method", last_payment_error: error };
  const result = read(eventText("payment_intent.payment_failed", { ...object, ...said }));
  expect(result).toMatchObject({
    delivery: { reading: { kind: "fact", fact: { outcome: "failed", code } } },
  });
});

describe("the event's own hash", () => {
  const hashOf = (text: string): string | undefined => {
    const result = read(text);
    return result.status === "genuine" ? result.delivery.eventSha256 : undefined;
  };
  const text = eventText("a.b", { rate: 0.5, list: [1, null] }, { pending_webhooks: 2 });

  test("is the SHA-256 of its canonical JSON without pending_webhooks", () => {
    const canonical =
      '{"api_version":"2026-10-28.endive","created":1795000000,"data":{"object":{"list":[1,null],"rate":0.5}},' +
      '"id":"evt_12345678","livemode":false,"object":"event","type":"a.b"}';
    expect(hashOf(text)).toBe(bytesToHex(sha256(utf8(canonical))));
  });

  test("is the same whatever its count, its white space and the order of its names", () => {
    const event = JSON.parse(text) as Record<string, unknown>;
    for (const same of [
      text.replace('"pending_webhooks":2', '"pending_webhooks":1'),
      text.replace(',"pending_webhooks":2', ""),
      `${text}\n`,
      JSON.stringify(event, null, 2),
      JSON.stringify(Object.fromEntries(Object.entries(event).reverse())),
    ]) {
      expect([same, hashOf(same)]).toEqual([same, hashOf(text)]);
    }
  });

  test("is another one for anything else", () => {
    const others = [
      text.replace("0.5", "0.25"),
      text.replace("[1,null]", "[null,1]"),
      text.replace('"list"', '"lists"'),
      text.replace('{"rate"', '{"pending_webhooks":2,"rate"'),
      text.replace('"livemode":false', '"livemode":true'),
      text.replace("12345678", "12345679"),
      text.replace("2026-10-28", "2026-11-28"),
    ].map(hashOf);
    expect(others).not.toContain(undefined);
    expect(new Set([hashOf(text), ...others]).size).toBe(others.length + 1);
  });

  test.each(["1e999", '"\\ud800"'])("is the body's where %s has no canonical form", (value) => {
    const odd = text.replace("0.5", value);
    expect(hashOf(odd)).toBe(bytesToHex(sha256(utf8(odd))));
  });
});

describe("the signature", () => {
  test.each(vectors.hmacSha256Hex)("E01 stripe-node's vector for $payload", ({ payload, hex }) => {
    const mac = hmac(sha256, utf8(secret), utf8(payload));
    expect(bytesToHex(mac)).toBe(hex);
    expect(stripeSignature(secret, "1", utf8(payload))).toBe(
      bytesToHex(hmac(sha256, utf8(secret), utf8(`1.${payload}`))),
    );
  });

  test.each(vectors.headersExpectReject)(
    "E01 stripe-node refuses the header %j, and so is it here",
    (header) => {
      expect(read("{}", header)).toEqual({ status: "refused", reason: "HEADER" });
    },
  );

  test("E09 stripe-node accepts a right signature beside junk, and so is it here", () => {
    const text = eventText("a.b", {});
    expect(read(text, headerOf(text) + vectors.headerSuffixExpectAccept)).toMatchObject({
      status: "genuine",
    });
  });

  test.each(vectors.payloadsExpectReject)(
    "E17 stripe-node refuses the payload %j, and so is it here",
    (payload) => {
      expect(read(payload)).toEqual({ status: "refused", reason: "NOT_JSON" });
    },
  );

  test("E03 one bit anywhere makes another body", () => {
    const text = eventText("a.b", {});
    const header = headerOf(text);
    const bytes = utf8(text);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = bytes.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(readDelivery({ header, body: changed }, settings)).toEqual({
        status: "refused",
        reason: "SIGNATURE",
      });
    }
  });

  test("E05 300 seconds before and after are fresh, 301 are not", () => {
    const text = eventText("a.b", {});
    for (const [away, status] of [
      [0, "genuine"],
      [300, "genuine"],
      [-300, "genuine"],
      [301, "refused"],
      [-301, "refused"],
    ] as const) {
      expect([away, read(text, headerOf(text, String(NOW - away))).status]).toEqual([away, status]);
    }
  });

  test("R32 a tolerance or a clock that is no number accepts nothing", () => {
    const text = eventText("a.b", {});
    for (const over of [
      { toleranceSeconds: NaN },
      { toleranceSeconds: -1 },
      { nowSeconds: NaN },
      { secrets: [] },
    ]) {
      expect(read(text, headerOf(text), over).status).toBe("refused");
    }
  });

  test("E11 R31 no header of any form throws", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), anyText(), fc.stringMatching(/^[tv01=, ]*$/)), (header) => {
        expect(checkSignature({ header, body: utf8("{}") }, settings).ok).toBe(false);
      }),
    );
  });
});

describe("strict JSON", () => {
  test("R91 reads what JSON.parse reads, to the same value, where no name comes twice", () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: anyCharacter, maxDepth: 6 }), (text) => {
        const exact: unknown = JSON.parse(text, (_key, value: unknown) =>
          typeof value === "number" && (!Number.isSafeInteger(value) || Object.is(value, -0)) ? null : value,
        );
        const strict = JSON.stringify(parseStrictJson(text), (_key, value: unknown) =>
          value === INEXACT_NUMBER ? null : value,
        );
        expect(JSON.parse(strict)).toEqual(exact);
      }),
    );
  });

  test("R91 refuses whatever JSON.parse refuses", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[[\]{}",:0-9eE+.\-\\untrfals ]{0,12}$/), (text) => {
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        if (!isJson) expect(() => parseStrictJson(text)).toThrow();
      }),
      { numRuns: 3_000 },
    );
  });

  test("E19 a name that comes twice is refused at any depth, __proto__ is a name like any other", () => {
    for (const text of [
      '{"a":1,"a":1}',
      '{"b":[{"a":1,"a":2}]}',
      '{"a":1,"\\u0061":1}',
      '{"__proto__":1,"__proto__":1}',
    ]) {
      expect(() => parseStrictJson(text)).toThrow();
    }
    expect(Object.keys(parseStrictJson('{"__proto__":{"x":1}}') as object)).toEqual(["__proto__"]);
  });

  test("F13 5e3, 5000.0, -0 and 2^53 are no exact integers", () => {
    for (const text of ["5e3", "5000.0", "1E2", "-0", "9007199254740992"]) {
      expect(parseStrictJson(text)).toBe(INEXACT_NUMBER);
    }
    expect(parseStrictJson("9007199254740991")).toBe(9_007_199_254_740_991);
  });
});

describe("facts", () => {
  function readingOf(type: string, object: unknown, over = {}): unknown {
    const result = read(eventText(type, object, over));
    return result.status === "genuine" ? result.delivery.reading : result;
  }

  test("stripe-openapi's payment intent, session, refund and dispute are read once their ids are filled in", () => {
    const pi = { payment_intent: "pi_12345678" };
    expect(
      readingOf("payment_intent.succeeded", {
        ...fixtures.payment_intent,
        ...{ id: "pi_12345678", status: "succeeded", amount: 1099, amount_received: 1099 },
      }),
    ).toMatchObject({
      fact: { outcome: "succeeded", amountMinor: 1099, currency: "USD", occurredAt: NOW * 1000 },
    });
    expect(
      readingOf("checkout.session.completed", {
        ...fixtures["checkout.session"],
        ...{
          ...pi,
          id: "cs_test_12345678",
          mode: "payment",
          payment_status: "paid",
          amount_total: 1099,
          currency: "usd",
        },
      }),
    ).toMatchObject({ fact: { outcome: "paid", amountMinor: 1099 } });
    expect(
      readingOf("refund.created", { ...fixtures.refund, ...pi, id: "re_12345678", status: "succeeded" }),
    ).toMatchObject({ fact: { kind: "refund", status: "succeeded" }, subjectId: "pi_12345678" });
    expect(
      readingOf("charge.dispute.created", {
        ...fixtures.dispute,
        ...{ ...pi, id: "dp_12345678", status: "needs_response", reason: "general" },
      }),
    ).toMatchObject({ fact: { kind: "dispute", change: "opened" } });
  });

  test("E23 an account's events are about the account that they name", () => {
    const account = "acct_12345678";
    expect(readingOf("account.updated", { object: "account", id: account }, { account })).toMatchObject({
      fact: { account, change: "updated" },
    });
    expect(readingOf("account.updated", { object: "account", id: "acct_87654321" }, { account })).toEqual({
      kind: "park",
      reason: "MALFORMED",
    });
    const ended = readingOf(
      "account.application.deauthorized",
      { object: "application", id: "ca_12345678" },
      { account },
    );
    expect(ended).toMatchObject({ fact: { account, change: "deauthorized" }, subjectId: account });
  });

  test("R36 a type that is not listed says nothing, whatever its mode and version", () => {
    for (const type of [
      "charge.refunded",
      "invoice.paid",
      "payment_intent.created",
      "payment_intent.succeeded.x",
    ]) {
      expect(readingOf(type, {}, { livemode: true, api_version: null })).toEqual({ kind: "notListed" });
    }
  });

  test("R40 the pinned release and its later months are read", () => {
    for (const version of ["2026-10-28.endive", "2026-11-25.endive", "2027-01-27.endive"]) {
      expect(isReadableVersion(version)).toBe(true);
    }
    for (const version of [
      "",
      "2026-10-27.endive",
      "2026-10-28",
      "2026-10-28.dahlia",
      "2027-03-01.fern",
      "x2026-10-28.endive",
    ]) {
      expect(isReadableVersion(version)).toBe(false);
    }
  });
});
