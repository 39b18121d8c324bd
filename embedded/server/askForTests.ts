/** HTTP requests as no browser and no `fetch` would send them. */
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";

export type Answer = { status: number; headers: IncomingHttpHeaders; body: string };
export type Asked = {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
};

/** Sends headers that `fetch` would not, such as Host and Origin. */
export async function ask(
  { method = "POST", path = "/", headers = {}, body }: Asked,
  url: string,
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return await new Promise((resolve, reject) => {
    const sent = httpRequest({ hostname, port, method, path, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** The JSON value of an answer's body. */
export function parsed(answer: Answer): unknown {
  return JSON.parse(answer.body);
}
