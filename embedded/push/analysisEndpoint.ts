/** The push API without a host behind it: enough for the official CLI's `codegen`. */
import { randomBytes } from "node:crypto";
import { Authenticator } from "../server/authentication.ts";
import { dispatch, HttpProblem } from "../server/httpExchange.ts";
import { Listener } from "../server/listener.ts";
import { pushRoutes } from "./pushApi.ts";

export type AnalysisEndpoint = { url: string; adminKey: string; close(): Promise<void> };

/** Listens on a free loopback port, with an admin key of its own. It reads and writes no file. */
export async function openAnalysisEndpoint(
  environment: Readonly<Record<string, string>>,
  report: (message: string, error: unknown) => void,
): Promise<AnalysisEndpoint> {
  const adminKey = randomBytes(32).toString("hex");
  const listener = await Listener.open({ host: "127.0.0.1", port: 0, variable: "PORT" }, report);
  const url = `http://127.0.0.1:${listener.address.port}`;
  const authenticator = new Authenticator({ providers: [], adminKey });
  const routes = pushRoutes({ authenticator, environment, urls: { api: url, site: url } });
  listener.serve({
    answer: async (exchange) => {
      const methods = routes(exchange.url.pathname);
      if (methods === undefined) throw new HttpProblem(404, "NotFound", "no such address");
      return await dispatch(methods, exchange);
    },
  });
  return { url, adminKey, close: () => listener.close(0) };
}
