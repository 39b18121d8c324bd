/**
 * Files over HTTP: an upload to a URL that a function gave out, and the download of a stored file. The URLs are the
 * permission; nobody has to be signed in. Bytes go between socket and disk, never whole into memory.
 */
import { open, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Engine } from "../engine/contract.ts";
import type { StoredFile, Upload } from "../engine/files/contract.ts";
import { normalizedContentType, sha256FromBase64 } from "../engine/files/functionFiles.ts";
import { FileTooLarge, saveStream, StreamEndedEarly } from "../engine/files/saveStream.ts";
import {
  HttpProblem,
  json,
  type Exchange,
  type Methods,
  type Reply,
  type StreamedBody,
} from "./httpExchange.ts";

const PREFIX = "/api/storage/";
const UPLOAD = `${PREFIX}upload`;

/** The platform's: a file never changes, so a browser may keep it for 30 days. */
const CACHE_CONTROL = "private, max-age=2592000";

/**
 * What a browser may show as a page of its own. Anything else, HTML and SVG above all, is a download; and whatever is
 * shown gets no script and no origin. Images, media and `fetch` of a page are not affected.
 */
const SHOWN = /^(?:image\/(?:png|jpeg|gif|webp|avif|bmp)|audio\/.*|video\/.*|text\/plain)(?:;|$)/;
const SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

type FileParts = { engine: Engine; fileBytesMax: number };

/** Address → what it answers, and the name of the route; undefined for an address that is none of files. */
export function fileRoutes(
  parts: FileParts,
): (pathname: string) => { route: string; methods: Methods } | undefined {
  const upload: Methods = { POST: (exchange) => answerUpload(parts, exchange) };
  const download = (exchange: Exchange): Promise<Reply> => answerDownload(parts.engine, exchange);
  const file: Methods = { GET: download, HEAD: download };
  return (pathname) => {
    if (pathname === UPLOAD) return { route: UPLOAD, methods: upload };
    return pathname.startsWith(PREFIX) ? { route: `${PREFIX}*`, methods: file } : undefined;
  };
}

async function answerUpload({ engine, fileBytesMax }: FileParts, exchange: Exchange): Promise<Reply> {
  const upload = await admitted(engine, exchange.url.searchParams.get("token"));
  const { headers } = exchange.request;
  const contentType = contentTypeOf(headers["content-type"]);
  const expected = digestOf(headers["digest"]);
  if (Number(headers["content-length"] ?? 0) > fileBytesMax) throw tooLarge(fileBytesMax);
  try {
    const saved = await save(exchange, upload, fileBytesMax);
    if (expected !== null && expected !== saved.sha256) throw mismatch(expected, saved.sha256);
    return json(200, { storageId: await engine.files.commitUpload(upload, { ...saved, contentType }) });
  } catch (error) {
    await rm(upload.path, { force: true });
    throw error;
  }
}

function mismatch(expected: string, actual: string): HttpProblem {
  return new HttpProblem(400, "Sha256Mismatch", `Sha256 mismatch. Expected: ${expected} Actual: ${actual}`);
}

async function admitted(engine: Engine, token: string | null): Promise<Upload> {
  if (token === null) throw new HttpProblem(400, "BadRequest", "the address has no token");
  const admission = await engine.files.admitUpload(token);
  if (admission.ok) return admission.upload;
  if (admission.reason === "expired") {
    throw new HttpProblem(401, "StorageTokenExpired", "Store File Authorization expired");
  }
  throw new HttpProblem(401, "StorageTokenInvalid", "Couldn't decode the StoreFileAuthorization token");
}

function contentTypeOf(header: string | undefined): string | null {
  try {
    return normalizedContentType(header);
  } catch {
    throw new HttpProblem(400, "BadHeader", "Bad header for content-type");
  }
}

/** The hash in base64 of a Digest header (RFC 3230 §4.3.2), or null without one. */
function digestOf(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  const text = typeof header === "string" ? /^sha-256=(.+)$/i.exec(header)?.[1] : undefined;
  if (text !== undefined && sha256FromBase64(text) !== null) return text;
  throw new HttpProblem(400, "BadHeader", "Bad header for digest: expected sha-256= and 32 bytes in base64");
}

function tooLarge(bytesMax: number): HttpProblem {
  return new HttpProblem(413, "PayloadTooLarge", `a file may have at most ${bytesMax} bytes`);
}

async function save(
  { request }: Exchange,
  { path }: Upload,
  bytesMax: number,
): Promise<{ size: number; sha256: string }> {
  try {
    return await saveStream(request, path, bytesMax);
  } catch (error) {
    if (error instanceof FileTooLarge) throw tooLarge(bytesMax);
    if (error instanceof StreamEndedEarly || hasCode(error, "ECONNRESET"))
      throw new HttpProblem(400, "Incomplete", "the body ended early");
    if (hasCode(error, "ENOSPC", "EDQUOT"))
      throw new HttpProblem(507, "InsufficientStorage", "there is no room for this file");
    throw error;
  }
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}

async function answerDownload(engine: Engine, exchange: Exchange): Promise<Reply> {
  const file = await engine.files.find(exchange.url.pathname.slice(PREFIX.length));
  if (file === null) throw new HttpProblem(404, "FileNotFound", "there is no such file");
  const { request } = exchange;
  const headers = headersOf(file);
  if (matches(request.headers["if-none-match"], headers.etag)) return { status: 304, headers, body: "" };
  const range = wantedOf(exchange, file, headers.etag);
  if (range === "unsatisfiable") {
    throw new HttpProblem(416, "RangeNotSatisfiable", "the file has no such bytes", {
      "content-range": `bytes */${file.size}`,
    });
  }
  if (range === "whole") {
    const whole = { start: 0, end: file.size - 1 };
    const digest = { digest: `sha-256=${file.sha256}` };
    return { status: 200, headers: { ...headers, ...digest }, body: await bodyOf(exchange, file, whole) };
  }
  const contentRange = { "content-range": `bytes ${range.start}-${range.end}/${file.size}` };
  return { status: 206, headers: { ...headers, ...contentRange }, body: await bodyOf(exchange, file, range) };
}

function headersOf({ sha256, contentType }: StoredFile): Record<string, string> & { etag: string } {
  return {
    etag: `"${Buffer.from(sha256, "base64").toString("hex")}"`,
    "accept-ranges": "bytes",
    "access-control-expose-headers": "accept-ranges, content-range, digest, etag",
    "cache-control": CACHE_CONTROL,
    "content-security-policy": SANDBOX,
    "content-disposition": SHOWN.test(contentType ?? "") ? "inline" : "attachment",
    ...(contentType === null ? {} : { "content-type": contentType }),
  };
}

/** Weak comparison (RFC 9110 §13.1.2). */
function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  const listed = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return listed.includes("*") || listed.includes(etag);
}

type ByteRange = { start: number; end: number };

/** Inclusive bounds. What is no single range of bytes is answered with the whole file (RFC 9110 §14.2). */
type Wanted = ByteRange | "whole" | "unsatisfiable";

function wantedOf({ request, method }: Exchange, { size }: StoredFile, etag: string): Wanted {
  const { range, "if-range": ifRange } = request.headers;
  const isOutdated = ifRange !== undefined && ifRange !== etag;
  if (range === undefined || method !== "GET" || size === 0 || isOutdated) return "whole";
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/i.exec(range) ?? [];
  if (first !== "") return fromByte(size, Number(first), last === "" ? Infinity : Number(last));
  return last === "" ? "whole" : lastBytes(size, Number(last));
}

function fromByte(size: number, start: number, end: number): Wanted {
  if (end < start) return "whole";
  return start < size ? { start, end: Math.min(end, size - 1) } : "unsatisfiable";
}

function lastBytes(size: number, count: number): Wanted {
  return count === 0 ? "unsatisfiable" : { start: Math.max(0, size - count), end: size - 1 };
}

async function bodyOf(
  { method }: Exchange,
  { path, size }: StoredFile,
  { start, end }: ByteRange,
): Promise<StreamedBody> {
  const bytes = end - start + 1;
  if (method === "HEAD" || size === 0) return { bytes, stream: Readable.from([]) };
  // Opened before the answer begins, so that a deletion meanwhile takes nothing from it.
  const handle = await open(path, "r").catch((error: unknown) => {
    throw hasCode(error, "ENOENT") ? new HttpProblem(404, "FileNotFound", "there is no such file") : error;
  });
  const { size: found } = await handle.stat();
  if (found !== size) {
    await handle.close();
    throw new Error(`a stored file has ${found} bytes instead of ${size}: \`check\` names it`);
  }
  return { bytes, stream: handle.createReadStream({ start, end }) };
}
