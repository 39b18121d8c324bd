/** Fetches an identity provider's documents: one address, no redirect, a deadline, a size limit. */
import { parseJson } from "./json.ts";

const DEADLINE_MS = 5_000;
const DOCUMENT_BYTES_MAX = 256 * 1024;

/**
 * Gives the JSON document at `url`, parsed but not checked, and how long its sender says it may be kept, if it
 * does (RFC 9111 §5.2.2.1). Throws on another status than 200, on a redirect, on a body above 256 KiB, on one
 * that isn't JSON, and when the whole exchange takes longer than `deadlineMs`.
 */
export async function fetchDocument(
  url: string,
  { deadlineMs = DEADLINE_MS }: { deadlineMs?: number } = {},
): Promise<{ document: unknown; maxAgeS: number | undefined }> {
  const response = await fetch(url, {
    headers: { accept: "application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(deadlineMs),
  });
  if (response.status !== 200) throw new Error(`the answer has the status ${response.status}`);
  const document = parseJson(await readBounded(response));
  return { document, maxAgeS: maxAgeIn(response.headers.get("cache-control") ?? "") };
}

function maxAgeIn(cacheControl: string): number | undefined {
  const directives = cacheControl.toLowerCase().split(/[\s,]+/);
  if (directives.includes("no-store") || directives.includes("no-cache")) return 0;
  const stated = directives.map((directive) => /^max-age=(\d{1,9})$/.exec(directive)?.[1]);
  const first = stated.find((seconds) => seconds !== undefined);
  return first === undefined ? undefined : Number(first);
}

async function readBounded(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > DOCUMENT_BYTES_MAX) throw new Error("the document is too large");
    parts.push(part);
  }
  return Buffer.concat(parts);
}
