/** The official React client, unchanged and without a browser, against a real host. */
import { ConvexReactClient } from "convex/react";
import { makeFunctionReference } from "convex/server";
import { afterAll, describe, expect, test } from "vitest";
import { TestHosts, tokenFor } from "./hostForTests.ts";
import type { Host } from "./host.ts";

const hosts = new TestHosts();
const clients: ConvexReactClient[] = [];

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await hosts.clean();
});

const list = makeFunctionReference<"query", Record<string, never>, string[]>("notes:list");
const add = makeFunctionReference<"mutation", { text: string }, string>("notes:add");
const refuse = makeFunctionReference<"mutation">("notes:refuse");
const whoami = makeFunctionReference<"query", Record<string, never>, string | null>("notes:whoami");

function clientOf(host: Host): ConvexReactClient {
  const client = new ConvexReactClient(host.url, {
    logger: false,
    unsavedChangesWarning: false,
    webSocketConstructor: WebSocket,
  });
  clients.push(client);
  return client;
}

type Watched<T> = { onUpdate: (callback: () => void) => () => void; localQueryResult: () => T | undefined };

/** Resolves with the first local result that satisfies the condition. */
function until<T>(watch: Watched<T>, condition: (value: T) => boolean): Promise<T> {
  return new Promise((resolve) => {
    const look = (): void => {
      const value = watch.localQueryResult();
      if (value === undefined || !condition(value)) return;
      stop();
      resolve(value);
    };
    const stop = watch.onUpdate(look);
    look();
  });
}

describe("the React client", () => {
  test("watches a query and sees what others change", async () => {
    const host = await hosts.start();
    const watch = clientOf(host).watchQuery(list, {});
    expect(await until(watch, () => true)).toEqual([]);
    await clientOf(host).mutation(add, { text: "from another" });
    expect(await until(watch, (notes) => notes.length > 0)).toEqual(["from another"]);
  });

  test("shows an optimistic update at once, and the server's result in its place", async () => {
    const host = await hosts.start();
    const client = clientOf(host);
    const watch = client.watchQuery(list, {});
    const seen: string[][] = [];
    watch.onUpdate(() => seen.push(watch.localQueryResult() ?? []));
    await until(watch, () => true);
    const sending = client.mutation(
      add,
      { text: "sent" },
      {
        optimisticUpdate: (store, { text }) => {
          store.setQuery(list, {}, [...(store.getQuery(list, {}) ?? []), `${text} (sending)`]);
        },
      },
    );
    expect(watch.localQueryResult()).toEqual(["sent (sending)"]);
    await sending;
    expect(watch.localQueryResult()).toEqual(["sent"]);
    expect(seen).toEqual([[], ["sent (sending)"], ["sent"]]);
  });

  test("takes an optimistic update back when the mutation fails", async () => {
    const host = await hosts.start();
    const client = clientOf(host);
    const watch = client.watchQuery(list, {});
    await until(watch, () => true);
    const sending = client.mutation(
      refuse,
      {},
      {
        optimisticUpdate: (store) => {
          store.setQuery(list, {}, ["too early"]);
        },
      },
    );
    expect(watch.localQueryResult()).toEqual(["too early"]);
    await expect(sending).rejects.toMatchObject({ data: { code: "TEAPOT" } });
    expect(await until(watch, (notes) => notes.length === 0)).toEqual([]);
  });

  test("signs in, on a host that listens on ::1 as well", async () => {
    const host = await hosts.start({ HOST: "::1" });
    expect(host.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    const token = await tokenFor(host, "alice");
    const client = clientOf(host);
    client.setAuth(() => Promise.resolve(token));
    const caller = await until(client.watchQuery(whoami, {}), (subject) => subject !== null);
    expect(caller).toBe(`${host.developmentIssuer ?? ""}|alice`);
  });
});
