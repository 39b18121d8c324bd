import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openDatabase } from "../storage/dataFolder.ts";
import { Store } from "../storage/store.ts";
import { newDataDir, removeDataDirs } from "../testing/testEngine.ts";
import type { JsonObject } from "../values/json.ts";
import { Executor, type Decision, type ExecutorNotices, type ExecutorParts } from "./executor.ts";
import { Stopwatch } from "./stopwatch.ts";

afterAll(removeDataDirs);

function openStore(): Store {
  return new Store(openDatabase(path.join(newDataDir(), "executor.sqlite")));
}

const SILENT: ExecutorNotices = {
  listenerFailed: () => undefined,
  diskFull: () => undefined,
  diskHasRoom: () => undefined,
  checkpointFailed: () => undefined,
};

function executorOn(store: Store, listeners: Partial<ExecutorParts> = {}): Executor {
  const ignored = { onCommit: () => undefined, notices: SILENT };
  return new Executor({ store, stopwatch: new Stopwatch(), ...ignored, ...listeners });
}

function textsIn(store: Store): unknown[] {
  const table = store.catalog.find("", "rows");
  return table === undefined ? [] : [...store.documents(table)].map((row: JsonObject) => row["text"]);
}

describe("the executor", () => {
  test("takes back a whole group when writing it fails, and goes on", async () => {
    const store = openStore();
    const executor = executorOn(store);
    const insert = (text: string, beforeCommit: () => void = () => undefined): Promise<string> =>
      executor.transact((transaction): Decision<string> => {
        transaction.insert(store.catalog.ensure("", "rows"), { text });
        return { commit: true, value: () => text, beforeCommit };
      });
    const diskFull = (): never => {
      throw new Error("disk full");
    };
    const group = await Promise.allSettled([insert("a"), insert("b", diskFull), insert("c")]);
    expect(group.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
    expect(textsIn(store)).toEqual(["c"]);
    expect(store.latestTs()).toBe(store.newestTs());
    await executor.close();
    store.close();
  });

  test("tells callers of a durable commit even when a listener fails", async () => {
    const store = openStore();
    const reported: unknown[] = [];
    const executor = executorOn(store, {
      onCommit: () => {
        throw new Error("listener");
      },
      notices: {
        ...SILENT,
        listenerFailed: (error) => {
          reported.push(error);
        },
      },
    });
    const ts = await executor.transact((transaction) => {
      transaction.insert(store.catalog.ensure("", "rows"), { text: "kept" });
      return { commit: true, value: (committed) => committed };
    });
    expect(ts).toBe(store.latestTs());
    expect(textsIn(store)).toEqual(["kept"]);
    expect(reported).toHaveLength(1);
    await executor.close();
    store.close();
  });

  test("refuses work once it is closed", async () => {
    const store = openStore();
    const executor = executorOn(store);
    await executor.close();
    await expect(executor.read(() => Promise.resolve())).rejects.toThrow("shutting down");
    store.close();
  });
});
