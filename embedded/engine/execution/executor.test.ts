import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openDatabase } from "../storage/dataFolder.ts";
import { Store } from "../storage/store.ts";
import { WatchedDatabase, type Database } from "../storage/watchedDatabase.ts";
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

  test("takes back a group whose transaction SQLite has undone by itself, and stores nothing row by row", async () => {
    const database = openDatabase(path.join(newDataDir(), "executor.sqlite"));
    const store = new Store(database);
    const executor = executorOn(store);
    const insert = (text: string, work: () => void = () => undefined): Promise<string> =>
      executor.transact((transaction): Decision<string> => {
        transaction.insert(store.catalog.ensure("", "rows"), { text });
        work();
        return { commit: true, value: () => text };
      });
    const undo = (): void => {
      database.exec("ROLLBACK");
    };
    const group = await Promise.allSettled([insert("a"), insert("b", undo)]);
    expect(group.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await insert("c")).toBe("c");
    expect(textsIn(store)).toEqual(["c"]);
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

/** A database whose next COMMIT ends with a code of SQLite. */
class FailingDisk {
  readonly failures: Error[] = [];
  readonly notices: string[] = [];
  readonly store: Store;
  readonly executor: Executor;
  #code: number | null = null;

  constructor() {
    const database = openDatabase(path.join(newDataDir(), "executor.sqlite"));
    const failing: Database = {
      get isTransaction() {
        return database.isTransaction;
      },
      prepare: (sql) => database.prepare(sql),
      exec: (sql) => {
        if (sql === "COMMIT" && this.#code !== null) throw this.#error(this.#code);
        database.exec(sql);
      },
      close: () => {
        database.close();
      },
    };
    this.store = new Store(new WatchedDatabase(failing, (failure) => this.failures.push(failure)));
    const notice = (name: keyof ExecutorNotices) => (): void => {
      this.notices.push(name);
    };
    this.executor = executorOn(this.store, {
      notices: {
        listenerFailed: notice("listenerFailed"),
        diskFull: notice("diskFull"),
        diskHasRoom: notice("diskHasRoom"),
        checkpointFailed: notice("checkpointFailed"),
      },
    });
  }

  insert(text: string): Promise<string> {
    return this.executor.transact((transaction): Decision<string> => {
      transaction.insert(this.store.catalog.ensure("", "rows"), { text });
      return { commit: true, value: () => text };
    });
  }

  fail(code: number | null): void {
    this.#code = code;
  }

  #error(errcode: number): Error {
    return Object.assign(new Error("from SQLite"), { errcode });
  }
}

describe("a disk", () => {
  test("that is full refuses commits with a message for callers, and says once when it is and when it has room", async () => {
    const disk = new FailingDisk();
    disk.fail(13);
    await expect(disk.insert("a")).rejects.toMatchObject({
      visible: true,
      message: expect.stringContaining("full") as string,
    });
    await expect(disk.insert("b")).rejects.toThrow("disk is full");
    disk.fail(null);
    expect(await disk.insert("c")).toBe("c");
    expect(textsIn(disk.store)).toEqual(["c"]);
    expect([disk.notices, disk.failures]).toEqual([["diskFull", "diskHasRoom"], []]);
    disk.store.close();
  });

  test.each([
    [1034, "syncing to the disk failed"],
    [778, "writing failed"],
    [8, "the disk failed"],
    [11, "damaged"],
  ])("that fails (code %i) is reported once, and nothing is read or stored after", async (code, words) => {
    const disk = new FailingDisk();
    await disk.insert("kept");
    disk.fail(code);
    const waiting = [disk.insert("a"), disk.insert("b")];
    expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    disk.fail(null);
    await expect(disk.insert("c")).rejects.toThrow(words);
    await expect(disk.executor.read(() => Promise.resolve(textsIn(disk.store)))).rejects.toThrow(words);
    // A function that catches the failure of its read goes on with half of what is stored.
    const caught = disk.executor.read(async () => {
      await Promise.resolve();
      try {
        return textsIn(disk.store);
      } catch {
        return [];
      }
    });
    await expect(caught).rejects.toThrow(words);
    expect(disk.failures).toHaveLength(1);
    disk.store.close();
  });
});
