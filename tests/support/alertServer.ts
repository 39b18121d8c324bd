/** The receiver of alerts as a server on loopback. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import { AlertReceiver, REDIRECTED_TO } from "./alertReceiver.ts";

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

export type AlertServer = { receiver: AlertReceiver; url: string; close(): Promise<void> };

/** Listens on a free port. */
export async function openAlertServer(): Promise<AlertServer> {
  const receiver = new AlertReceiver();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    receiver.deliveries.push({ path: request.url ?? "", headers, body: await bodyOf(request) });
    const { behaviour } = receiver;
    if (behaviour === "hang") return;
    if (behaviour === "redirect") response.writeHead(302, { location: REDIRECTED_TO });
    else response.writeHead(behaviour);
    response.end();
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    receiver,
    url: `http://127.0.0.1:${address.port}/alerts`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
