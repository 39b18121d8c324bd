/** `/healthz`: the process is alive. `/readyz`: it is worth sending it requests. */
import { HttpProblem, json, text, type Handler, type Reply } from "./httpExchange.ts";

/** The route of probes, whose refusals are part of every start. */
export const READY_ROUTE = "/readyz";

/** The answer to `/healthz`, from the moment the port is open. */
export function healthy(): Reply {
  return text(200, "ok");
}

/** The answer to `/readyz` while the host serves. */
export function ready(version: string): Reply {
  return json(200, { status: "ready", version });
}

/** What the API's port answers before and after that. */
export function answerUnready(status: "starting" | "stopping" | "failed"): Handler {
  return (exchange) => {
    const { pathname } = exchange.url;
    if (pathname === "/healthz" || pathname === READY_ROUTE) exchange.route = pathname;
    if (pathname === "/healthz") return healthy();
    if (pathname === READY_ROUTE) {
      const reply = json(503, { status });
      return { ...reply, headers: { ...reply.headers, "retry-after": "1" } };
    }
    return unavailable();
  };
}

/** What any port answers while nothing stands behind it. */
export function unavailable(): never {
  throw new HttpProblem(503, "Unavailable", "the server is starting or stopping", { "retry-after": "1" });
}
