/** Joins the parts of file storage. */
import type { EngineOptions } from "../contract.ts";
import type { Executor } from "../execution/executor.ts";
import type { EngineLog } from "../execution/log.ts";
import type { Store } from "../storage/store.ts";
import { FileFolder } from "./fileFolder.ts";
import { FileTables } from "./fileTables.ts";
import { FunctionFiles } from "./functionFiles.ts";
import { StoredFiles } from "./storedFiles.ts";
import { UploadTokens } from "./uploadTokens.ts";

type Around = { store: Store; executor: Executor; log: EngineLog; hasComponent: (path: string) => boolean };

/** Call inside a write transaction. Nothing on disk is touched before `stored.start()`. */
export function openFiles(
  around: Around,
  { dataDir, publicUrl, fileBytesMax }: EngineOptions,
): { stored: StoredFiles; forFunctions: FunctionFiles } {
  const tables = new FileTables(around.store);
  const tokens = new UploadTokens(around.store);
  const folder = new FileFolder(dataDir);
  const stored = new StoredFiles({ ...around, tables, folder, tokens });
  const forFunctions = new FunctionFiles({
    tables,
    tokens,
    folder,
    commitUpload: (upload, content) => stored.commitUpload(upload, content),
    publicUrl,
    fileBytesMax,
  });
  return { stored, forFunctions };
}
