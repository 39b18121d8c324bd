import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { DiskFull, StorageFailure } from "../storage/storageErrors.ts";
import { FileFolder } from "./fileFolder.ts";
import { StoredFiles, type StoredFilesParts } from "./storedFiles.ts";

/** How many files are left when the commit of an upload's row fails. */
async function filesLeftAfter(error: Error): Promise<number> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "daybook-commit-"));
  const folder = new FileFolder(dataDir);
  await folder.ensure();
  const upload = { component: "", path: folder.newPartialPath() };
  await writeFile(upload.path, "bytes");
  const parts = { folder, executor: { transact: () => Promise.reject(error) } };
  const files = new StoredFiles(parts as unknown as StoredFilesParts);
  const content = { size: 5, sha256: "", contentType: null };
  await expect(files.commitUpload(upload, content)).rejects.toBe(error);
  const left = readdirSync(folder.folder).length;
  rmSync(dataDir, { recursive: true });
  return left;
}

test("bytes go when their row is surely not stored, and stay when nobody knows", async () => {
  expect(await filesLeftAfter(new DiskFull())).toBe(0);
  expect(await filesLeftAfter(new StorageFailure("the disk failed"))).toBe(1);
});
