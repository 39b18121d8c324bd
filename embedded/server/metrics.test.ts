/** What functions say of refused deliveries, as counters of a closed set of reasons. */
import { expect, test } from "vitest";
import { formatLogLine } from "../engine/runtime/logLines.ts";
import { Metrics } from "./metrics.ts";
import { Authenticator } from "./authentication.ts";
import type { Exchange } from "./httpExchange.ts";

const exchange = {
  request: { headers: { host: "127.0.0.1:1" }, socket: { remoteAddress: "127.0.0.1" } },
} as unknown as Exchange;

async function refusedDeliveries(metrics: Metrics): Promise<Record<string, number>> {
  const { body } = await metrics.answer(exchange, new Authenticator({ providers: [], adminKey: undefined }));
  const lines = (body as string).matchAll(
    /^daybook_deliveries_refused_total\{reason="([^"]+)"\} ([0-9]+)$/gm,
  );
  return Object.fromEntries([...lines].map(([, reason = "", count]) => [reason, Number(count)]));
}

const NONE = { TOO_LARGE: 0, HEADER: 0, SIGNATURE: 0, STALE: 0, NOT_JSON: 0, NOT_AN_EVENT: 0, other: 0 };

function refusal(code: string, over: object = {}): string {
  const security = {
    outcome: "refused",
    function: "webhooks/stripe",
    code,
    requestId: "0".repeat(16),
    ...over,
  };
  return formatLogLine("WARN", [JSON.stringify({ security })]);
}

test("every reason is counted from the start, and a reason that is none as another", async () => {
  const metrics = new Metrics();
  expect(await refusedDeliveries(metrics)).toEqual(NONE);
  for (const code of ["SIGNATURE", "SIGNATURE", "STALE", "INVENTED"]) metrics.functionLogged(refusal(code));
  expect(await refusedDeliveries(metrics)).toEqual({ ...NONE, SIGNATURE: 2, STALE: 1, other: 1 });
});

test("other lines count nothing: calls that were refused, and texts that only hold such a line", async () => {
  const metrics = new Metrics();
  for (const line of [
    refusal("FORBIDDEN", { function: "commands/payments:request" }),
    refusal("SIGNATURE", { outcome: "limited" }),
    formatLogLine("LOG", [`name: ${refusal("SIGNATURE")}`]),
    formatLogLine("WARN", [`x${refusal("SIGNATURE")}`]),
    "",
  ]) {
    metrics.functionLogged(line);
  }
  expect(await refusedDeliveries(metrics)).toEqual(NONE);
});
