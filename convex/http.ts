/** DOOR: routes and status codes only. */
import { httpRouter } from "convex/server";
import { httpAction } from "./_generated/server.js";
import { answerLog, refuseMethod } from "./log/door.ts";

const http = httpRouter();

/** Says that the functions answer; nothing about any organisation. */
http.route({
  path: "/health",
  method: "GET",
  handler: httpAction(() =>
    Promise.resolve(
      new Response(JSON.stringify({ status: "ok" }), {
        headers: { "content-type": "application/json", "cache-control": "no-store" },
      }),
    ),
  ),
});

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
