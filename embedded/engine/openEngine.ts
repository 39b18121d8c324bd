/**
 * Opens the engine.
 *
 * Phases, each of which may refuse with a HostError: folder and lock → database file → functions → one transaction
 * that brings tables, indexes, jobs and crons in line → stored files → scheduler. A refusal leaves the stored
 * documents as they were.
 */
import path from "node:path";
import type { Engine, EngineOptions } from "./contract.ts";
import { EmbeddedEngine, type EngineParts } from "./engine.ts";
import { actionBridge } from "./execution/actionBridge.ts";
import { Executor, type ExecutorNotices } from "./execution/executor.ts";
import { FunctionRunner } from "./execution/functionRunner.ts";
import { EngineLog } from "./execution/log.ts";
import { OutcomeWriter } from "./execution/outcome.ts";
import { QueryCache } from "./execution/queryCache.ts";
import { Stopwatch } from "./execution/stopwatch.ts";
import { openFiles } from "./files/openFiles.ts";
import { Crons } from "./jobs/crons.ts";
import { JobTables } from "./jobs/jobTables.ts";
import { Scheduler } from "./jobs/scheduler.ts";
import { describeFailure } from "./errors.ts";
import { loadApp, type App } from "./loader/loadApp.ts";
import { Runtime } from "./runtime/runtime.ts";
import { reportStrayRejections } from "./runtime/strayRejections.ts";
import {
  checkDatabaseFile,
  DATABASE_FILE,
  ensureDataFolder,
  lockDataFolder,
  openDatabase,
} from "./storage/dataFolder.ts";
import { syncSchemas } from "./storage/schemaSync.ts";
import { explainedAtStart } from "./storage/storageErrors.ts";
import { Store } from "./storage/store.ts";
import { WatchedDatabase } from "./storage/watchedDatabase.ts";
import { CursorCodec } from "./transaction/cursor.ts";

/** Runs `work` in one write transaction at start; a throw undoes it. */
function inTransaction<T>(store: Store, work: () => T): T {
  store.begin();
  try {
    const value = work();
    store.commit();
    return value;
  } catch (error) {
    store.rollback();
    throw error;
  }
}

function noticesTo(log: EngineLog): ExecutorNotices {
  return {
    listenerFailed: (error) => {
      log.notice("error", "a subscriber failed to take notice of a commit", { error: String(error) });
    },
    diskFull: (error) => {
      log.notice("error", "the disk is full: commits are refused until there is room", {
        error: error.message,
      });
    },
    diskHasRoom: () => {
      log.notice("info", "the disk has room again: commits go on");
    },
    checkpointFailed: (error) => {
      log.notice("error", "the write-ahead log can't be moved into the database: it grows until that works", {
        error: String(error),
      });
    },
  };
}

type Opened = {
  store: Store;
  runtime: Runtime;
  app: App;
  log: EngineLog;
  stopwatch: Stopwatch;
  release: () => void;
};

function assemble(opened: Opened, options: EngineOptions): EngineParts {
  const { store, runtime, app, log, stopwatch, release } = opened;
  const outcomes = new OutcomeWriter(options.redactErrors);
  const runner = new FunctionRunner(runtime, log, stopwatch);
  const cache = new QueryCache(store, runner, outcomes);
  const executor = new Executor({
    store,
    stopwatch,
    onCommit: (touched) => {
      cache.afterCommit(touched);
      scheduler.afterCommit(touched);
      files.stored.afterCommit(touched);
    },
    notices: noticesTo(log),
  });
  const { crons, scheduler, files } = inTransaction(store, () => {
    syncSchemas(store, app);
    const jobTables = new JobTables(store);
    const jobScheduler = new Scheduler({ runtime, executor, runner, tables: jobTables, log });
    const cronParts = { store, executor, scheduler: jobScheduler, tables: jobTables, log };
    const hasComponent = (componentPath: string): boolean => app.has(componentPath);
    return {
      scheduler: jobScheduler,
      crons: new Crons(app, cronParts),
      files: openFiles({ store, executor, log, hasComponent }, options),
    };
  });
  runtime.attach(app, {
    actions: actionBridge({ store, executor, runner, scheduler }),
    jobs: scheduler,
    files: files.forFunctions,
  });
  return {
    ...{ store, runtime, executor, runner, cache, outcomes, scheduler, crons, log, release },
    files: files.stored,
  };
}

/** Opens a data folder and runs a convex/ folder on it. Throws HostError, and then holds nothing open. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  try {
    return await open(options);
  } catch (error) {
    throw explainedAtStart(error, options.dataDir);
  }
}

async function open(options: EngineOptions): Promise<Engine> {
  ensureDataFolder(options.dataDir);
  const lock = lockDataFolder(options.dataDir);
  const log = new EngineLog(options.log);
  const stopReporting = reportStrayRejections((reason) => {
    log.notice("error", `a function left a promise unawaited: ${describeFailure(reason).message}`);
  });
  let store: Store | null = null;
  const release = (): void => {
    stopReporting();
    store?.close();
    lock.release();
  };
  try {
    const file = path.join(options.dataDir, DATABASE_FILE);
    checkDatabaseFile(file);
    const database = new WatchedDatabase(openDatabase(file), (failure) => {
      log.notice("error", failure.message);
      options.onFatal?.(failure);
    });
    const opened = new Store(database);
    store = opened;
    const cursors = inTransaction(opened, () => CursorCodec.open(opened));
    const stopwatch = new Stopwatch(options.watch);
    const runtime = new Runtime({
      store: opened,
      cursors,
      stopwatch,
      onImportLog: (level, line) => {
        log.functionLine(level, line, {});
      },
    });
    const app = await loadApp(options.functionsDir, options.environment, {
      hooks: runtime.hooks(),
      cacheDir: options.cacheDir ?? null,
      freshContexts: options.freshContexts ?? false,
    });
    const parts = assemble({ store: opened, runtime, app, log, stopwatch, release }, options);
    await parts.files.prepare(options.isReopened ?? false);
    await parts.scheduler.start(options.stoppedJobs ?? []);
    parts.crons.start();
    parts.files.start();
    return new EmbeddedEngine(parts);
  } catch (error) {
    release();
    throw error;
  }
}
