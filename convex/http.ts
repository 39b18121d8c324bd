/** DOOR: routes and status codes only. */
import { httpRouter } from "convex/server";
import { httpAction, type ActionCtx } from "./_generated/server.js";
import { answerLog, refuseMethod } from "./log/door.ts";
import { receiveStripe, type DoorAnswer } from "./webhooks/stripe.ts";

const http = httpRouter();

const HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

function answer(status: number, body: object, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { ...HEADERS, ...headers } });
}

/** Says that the functions answer; nothing about any organisation. */
http.route({
  path: "/health",
  method: "GET",
  handler: httpAction(() => Promise.resolve(answer(200, { status: "ok" }))),
});

/** One body for every reason: a provider knows what it sent, and nobody else is told. */
const DELIVERY_ANSWERS: Readonly<Record<DoorAnswer, readonly [status: number, body: object]>> = {
  accepted: [200, { received: true }],
  refused: [400, { error: "refused" }],
  tooLarge: [413, { error: "too large" }],
  failed: [500, { error: "try again" }],
};

http.route({
  path: "/webhooks/stripe",
  method: "POST",
  handler: httpAction(async (ctx: ActionCtx, request) =>
    answer(...DELIVERY_ANSWERS[await receiveStripe(ctx, request)]),
  ),
});

for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"] as const) {
  http.route({
    path: "/webhooks/stripe",
    method,
    handler: httpAction(() => Promise.resolve(answer(405, { error: "post only" }, { allow: "POST" }))),
  });
}

// Convex routes HEAD as GET.
http.route({ pathPrefix: "/log/", method: "GET", handler: httpAction(answerLog) });
for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const) {
  http.route({
    pathPrefix: "/log/",
    method,
    handler: httpAction(() => Promise.resolve(refuseMethod())),
  });
}

export default http;
