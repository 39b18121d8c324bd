/**
 * The open database, watched for a failing disk. Functions may catch what a read throws, so the first failure is
 * kept here, and from then on nothing is read or written any more.
 */
import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import { describeStorageError, DiskFull, StorageFailure, storageProblem } from "./storageErrors.ts";

type Row = Record<string, SQLOutputValue>;

/** What the engine uses of SQLite's statements. */
export interface Statement {
  get(...values: SQLInputValue[]): Row | undefined;
  all(...values: SQLInputValue[]): Row[];
  run(...values: SQLInputValue[]): { lastInsertRowid: number | bigint };
  iterate(...values: SQLInputValue[]): Iterable<Row>;
  setReadBigInts(enabled: boolean): void;
}

/** What the engine uses of a database: Node's DatabaseSync, or one that is watched. */
export interface Database {
  readonly isTransaction: boolean;
  /** Why it is of no use any more; null as long as it works, missing when nobody watches. */
  readonly failure?: StorageFailure | null;
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/** Turns SQLite's errors about the disk into DiskFull and StorageFailure, and stays failed after the latter. */
export class WatchedDatabase implements Database {
  #failure: StorageFailure | null = null;
  readonly #database: Database;
  readonly #onFailure: (failure: StorageFailure) => void;

  constructor(database: Database, onFailure: (failure: StorageFailure) => void) {
    this.#database = database;
    this.#onFailure = onFailure;
  }

  get failure(): StorageFailure | null {
    return this.#failure;
  }

  get isTransaction(): boolean {
    return this.#database.isTransaction;
  }

  exec(sql: string): void {
    this.#attempt(() => {
      this.#database.exec(sql);
    });
  }

  prepare(sql: string): Statement {
    const statement = this.#attempt(() => this.#database.prepare(sql));
    return {
      get: (...values) => this.#attempt(() => statement.get(...values)),
      all: (...values) => this.#attempt(() => statement.all(...values)),
      run: (...values) => this.#attempt(() => statement.run(...values)),
      iterate: (...values) => this.#rows(statement, values),
      setReadBigInts: (enabled) => {
        statement.setReadBigInts(enabled);
      },
    };
  }

  close(): void {
    this.#database.close();
  }

  *#rows(statement: Statement, values: SQLInputValue[]): Generator<Row> {
    const rows = this.#attempt(() => statement.iterate(...values)[Symbol.iterator]());
    for (;;) {
      const next = this.#attempt(() => rows.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  #attempt<T>(work: () => T): T {
    if (this.#failure !== null) throw this.#failure;
    try {
      return work();
    } catch (error) {
      const problem = storageProblem(error);
      if (problem === null) throw error;
      if (problem === "full") throw new DiskFull();
      this.#failure = new StorageFailure(
        `${problem === "damaged" ? "the database is damaged, or the disk can't read it" : "the disk failed"}: ${describeStorageError(error)}`,
        { cause: error },
      );
      this.#onFailure(this.#failure);
      throw this.#failure;
    }
  }
}
