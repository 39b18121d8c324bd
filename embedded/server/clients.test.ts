/** The official WebSocket client, unchanged, against a real host. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ConvexClient, type ConvexClientOptions } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, describe, expect, test } from "vitest";
import { TestHosts, tokenFor } from "./hostForTests.ts";
import type { Host } from "./host.ts";

const hosts = new TestHosts();
const clients: ConvexClient[] = [];

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await hosts.clean();
});

const list = makeFunctionReference<"query", Record<string, never>, string[]>("notes:list");
const add = makeFunctionReference<"mutation", { text: string }, string>("notes:add");
const shout = makeFunctionReference<"action", { text: string }, string>("notes:shout");
const refuse = makeFunctionReference<"mutation">("notes:refuse");
const whoami = makeFunctionReference<"query", Record<string, never>, string | null>("notes:whoami");
const large = makeFunctionReference<"query", { length: number }, { count: number; padding: string }>(
  "notes:large",
);

function clientOf(host: Host, options: ConvexClientOptions = {}): ConvexClient {
  const client = new ConvexClient(host.url, { logger: false, ...options });
  clients.push(client);
  return client;
}

/** Resolves with the first value of a live query that satisfies the condition. */
function until<T>(
  subscribe: (onValue: (value: T) => void) => () => void,
  condition: (value: T) => boolean,
): Promise<T> {
  return new Promise((resolve) => {
    const unsubscribe = subscribe((value) => {
      if (!condition(value)) return;
      // The first value may come while subscribing.
      queueMicrotask(() => {
        unsubscribe();
      });
      resolve(value);
    });
  });
}

function notesOf(client: ConvexClient, condition: (notes: string[]) => boolean): Promise<string[]> {
  return until((onValue) => client.onUpdate(list, {}, onValue), condition);
}

function callerOf(
  client: ConvexClient,
  condition: (caller: string | null) => boolean,
): Promise<string | null> {
  return until((onValue) => client.onUpdate(whoami, {}, onValue), condition);
}

test("what one client writes, another sees live", async () => {
  const host = await hosts.start();
  const [reader, writer] = [clientOf(host), clientOf(host)];
  const seen = notesOf(reader, (notes) => notes.includes("LIVE"));
  await writer.action(shout, { text: "live" });
  expect(await seen).toEqual(["LIVE"]);
});

test("a client sees its own write as soon as the mutation resolves", async () => {
  const host = await hosts.start();
  const client = clientOf(host);
  const live = client.onUpdate(list, {}, () => undefined);
  for (const text of ["a", "b", "c"]) {
    await client.mutation(add, { text });
    expect(live.getCurrentValue()?.at(-1)).toBe(text);
  }
});

test("the data of a ConvexError arrives", async () => {
  const host = await hosts.start();
  await expect(clientOf(host).mutation(refuse, {})).rejects.toMatchObject({ data: { code: "TEAPOT" } });
});

test("a result of 7 MB arrives, also after a change", async () => {
  const host = await hosts.start();
  const client = clientOf(host);
  const padding = (count: number): Promise<{ count: number; padding: string }> =>
    until(
      (onValue) => client.onUpdate(large, { length: 7_000_000 }, onValue),
      (value) => value.count === count,
    );
  expect((await padding(0)).padding).toHaveLength(7_000_000);
  await client.mutation(add, { text: "one more" });
  expect((await padding(1)).padding).toHaveLength(7_000_000);
});

describe("signing in", () => {
  test("runs open live queries again for the new caller, and again after signing out", async () => {
    const host = await hosts.start();
    const client = clientOf(host);
    const callers: (string | null)[] = [];
    let seen: (() => void) | undefined;
    client.onUpdate(whoami, {}, (caller) => {
      callers.push(caller);
      seen?.();
    });
    const next = async (): Promise<string | null | undefined> => {
      const { length } = callers;
      while (callers.length === length) await new Promise<void>((resolve) => (seen = resolve));
      return callers.at(-1);
    };
    expect(await next()).toBeNull();
    for (const user of ["alice", "bob"]) {
      const token = await tokenFor(host, user);
      client.setAuth(() => Promise.resolve(token));
      expect(await next()).toBe(`${host.developmentIssuer ?? ""}|${user}`);
    }
    client.client.clearAuth();
    expect(await next()).toBeNull();
  });

  test("a refused token makes the client ask for another one", async () => {
    const host = await hosts.start();
    const client = clientOf(host);
    const good = await tokenFor(host, "alice");
    const asked: boolean[] = [];
    client.setAuth(({ forceRefreshToken }) => {
      asked.push(forceRefreshToken);
      return Promise.resolve(forceRefreshToken ? good : "forged.forged.forged");
    });
    expect(await callerOf(client, (caller) => caller !== null)).toMatch(/\|alice$/);
    expect(asked.slice(0, 2)).toEqual([false, true]);
  });

  test("A21 a token expires on an open socket where nothing happens; the client signs in anew and goes on", async () => {
    const issuer = await startIssuer();
    const host = await hosts.start({ DAYBOOK_AUTH_ISSUER: issuer.url, DAYBOOK_AUTH_AUDIENCE: "test" });
    const client = clientOf(host);
    // Accepted only thanks to the clock skew, and for the rest of it.
    const nowS = Math.floor(Date.now() / 1000);
    const expiring = await issuer.sign({ sub: "alice", iat: nowS - 60, exp: nowS });
    const fresh = await issuer.sign({ sub: "renewed", iat: nowS, exp: nowS + 600 });
    let renew = false;
    client.setAuth(() => Promise.resolve(renew ? fresh : expiring));
    expect(await callerOf(client, (caller) => caller !== null)).toBe(`${issuer.url}|alice`);
    const callers: (string | null)[] = [];
    client.onUpdate(whoami, {}, (caller) => callers.push(caller));
    renew = true;
    callers.length = 0;
    // Nothing is written meanwhile: the host tells the client when its time is up.
    expect(await callerOf(client, (caller) => caller !== `${issuer.url}|alice`)).toBe(
      `${issuer.url}|renewed`,
    );
    expect(callers).not.toContain(null);
    await client.mutation(add, { text: "goes on" });
    issuer.close();
  });
});

async function startIssuer(): Promise<{
  url: string;
  sign: (claims: Record<string, unknown>) => Promise<string>;
  close: () => void;
}> {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const keys = [{ ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256" }];
  let url = "";
  const server = createServer((request, response) => {
    response.end(
      JSON.stringify(request.url === "/keys" ? { keys } : { issuer: url, jwks_uri: `${url}/keys` }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    sign: (claims) =>
      new SignJWT({ iss: url, aud: "test", ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "k1" })
        .sign(privateKey),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("a restart of the host on the same data and port", () => {
  test("subscriptions resume, and a mutation whose answer was lost takes effect exactly once", async () => {
    const dataDir = hosts.folder();
    const first = await hosts.start({ DATA_DIR: dataDir });
    const ports = { PORT: new URL(first.url).port, SITE_PORT: new URL(first.siteUrl).port };

    let lost: (() => void) | undefined;
    const answerLost = new Promise<void>((resolve) => (lost = resolve));
    /** Loses the first mutation's answer together with the connection. */
    class CuttingWebSocket extends WebSocket {
      override set onmessage(handler: ((event: MessageEvent) => void) | null) {
        super.onmessage = (event: MessageEvent<string>) => {
          if (lost !== undefined && event.data.includes('"MutationResponse"')) {
            this.close();
            lost();
            lost = undefined;
          } else if (lost !== undefined || this.readyState === WebSocket.OPEN) handler?.(event);
        };
      }
    }
    const client = clientOf(first, { webSocketConstructor: CuttingWebSocket });
    const updates: string[][] = [];
    client.onUpdate(list, {}, (notes) => updates.push(notes));
    await notesOf(client, () => true);

    const answered = client.mutation(add, { text: "exactly once" });
    await answerLost;
    await first.stop();
    const second = await hosts.start({ DATA_DIR: dataDir, ...ports });
    await answered;
    expect(updates.at(-1)).toEqual(["exactly once"]);

    const another = clientOf(second);
    const seen = notesOf(client, (notes) => notes.includes("after the restart"));
    await another.mutation(add, { text: "after the restart" });
    expect(await seen).toEqual(["exactly once", "after the restart"]);
  });

  test("tokens of development stay valid", async () => {
    const dataDir = hosts.folder();
    const first = await hosts.start({ DATA_DIR: dataDir });
    const token = await tokenFor(first, "alice");
    await first.stop();
    const second = await hosts.start({ DATA_DIR: dataDir, PORT: new URL(first.url).port });
    const client = clientOf(second);
    client.setAuth(() => Promise.resolve(token));
    expect(await callerOf(client, (caller) => caller !== null)).toMatch(/\|alice$/);
    expect(second.adminKey).toBe(first.adminKey);
  });
});
