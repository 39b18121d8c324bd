/** DOOR: routes and status codes only. */
import { httpRouter } from "convex/server";
import { httpAction } from "./_generated/server.js";

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

export default http;
