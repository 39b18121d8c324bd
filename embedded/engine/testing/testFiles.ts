/** Files as tests handle them: what the server does with an upload, and what lies on disk. */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { Value } from "convex/values";
import type { Upload } from "../files/contract.ts";
import type { TestEngine } from "./testEngine.ts";

/** SHA-256 in base64. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

/** Names in the data folder's `files/`. */
export function namesIn({ dataDir }: TestEngine): string[] {
  return readdirSync(path.join(dataDir, "files"));
}

/** A string that a function returned. */
export function textOf(value: Value): string {
  if (typeof value !== "string") throw new Error("expected a string");
  return value;
}

/** The token of an upload URL. */
export function tokenIn(url: Value): string {
  const token = new URL(textOf(url)).searchParams.get("token");
  if (token === null) throw new Error("no token in the URL");
  return token;
}

/** The key in the URL of a file. */
export function keyIn(url: Value): string {
  return textOf(url).split("/").at(-1) ?? "";
}

/** The upload that an upload URL admits. */
export async function admitted({ engine }: TestEngine, url: Value): Promise<Upload> {
  const admission = await engine.files.admitUpload(tokenIn(url));
  if (!admission.ok) throw new Error(admission.reason);
  return admission.upload;
}

/** Does what the server does with the body of an upload. */
export async function upload(
  to: TestEngine,
  url: Value,
  text: string,
  contentType: string | null,
): Promise<string> {
  const into = await admitted(to, url);
  await writeFile(into.path, text, { mode: 0o600 });
  const content = { size: Buffer.byteLength(text), sha256: sha256(text), contentType };
  return await to.engine.files.commitUpload(into, content);
}

/** Resolves once it holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}
