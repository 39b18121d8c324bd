/**
 * The export of a ledger, plain or with its evidence: the manifest line, the entry lines, and the cutting of bytes into
 * lines. The lines of evidence are `evidenceLines.ts`. docs/ledger-format.md is the contract.
 */
import { HASH_PATTERN } from "./hash.ts";
import { isId } from "./ids.ts";
import type { LedgerEntry } from "./verify.ts";

/** Events alone. */
export const LEDGER_FORMAT = "daybook-ledger/1";
/** Events, and before them the evidence that others saw them. */
export const BUNDLE_FORMAT = "daybook-bundle/1";

/** Lines of evidence in one file: they are held in memory. */
export const EVIDENCE_LINES_MAX = 100_000;

/** Without the newline. Bounds the memory of a reader, whatever it is given. */
export const LINE_BYTES_MAX = 1_048_576;

export interface Manifest {
  readonly orgId: string;
  readonly count: number;
  readonly headSeq: number;
  readonly headHash: string;
  /** Milliseconds since the epoch. Nothing vouches for it. */
  readonly exportedAt: number;
  /** Lines of evidence between the manifest and the first event; absent in a plain export. */
  readonly evidence?: number;
}

export type ParsedManifest =
  | { readonly ok: true; readonly manifest: Manifest }
  /** `isBundle` is false when the line does not even claim to be a manifest. */
  | { readonly ok: false; readonly isBundle: boolean; readonly reason: string };

export type ParsedEntryLine =
  { readonly ok: true; readonly entry: LedgerEntry } | { readonly ok: false; readonly reason: string };

/** The manifest line, without its newline: members in this order, no white space. */
export function formatManifest(manifest: Manifest): string {
  return JSON.stringify({
    format: manifest.evidence === undefined ? LEDGER_FORMAT : BUNDLE_FORMAT,
    orgId: manifest.orgId,
    count: manifest.count,
    headSeq: manifest.headSeq,
    headHash: manifest.headHash,
    exportedAt: manifest.exportedAt,
    ...(manifest.evidence === undefined ? {} : { evidence: manifest.evidence }),
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readFields(value: Readonly<Record<string, unknown>>): Manifest | undefined {
  const { orgId, count, headSeq, headHash, exportedAt } = value;
  if (!isId("org", orgId) || !isCount(count) || !isCount(headSeq) || !isCount(exportedAt)) return undefined;
  if (typeof headHash !== "string" || !HASH_PATTERN.test(headHash) || count !== headSeq) return undefined;
  const manifest = { orgId, count, headSeq, headHash, exportedAt };
  if (value["format"] === LEDGER_FORMAT) return manifest;
  const { evidence } = value;
  return isCount(evidence) && evidence <= EVIDENCE_LINES_MAX ? { ...manifest, evidence } : undefined;
}

const FORMAT_FAMILY = /^daybook-(?:ledger|bundle)\//;

/** Reads the first line of a bundle. Only the bytes that `formatManifest` writes are accepted. */
export function parseManifest(line: string): ParsedManifest {
  const value = parseJson(line);
  const format = isRecord(value) ? value["format"] : undefined;
  if (!isRecord(value) || typeof format !== "string" || !FORMAT_FAMILY.test(format)) {
    return { ok: false, isBundle: false, reason: "the first line is not a manifest" };
  }
  if (format !== LEDGER_FORMAT && format !== BUNDLE_FORMAT) {
    const reason = `format ${format} instead of ${LEDGER_FORMAT} or ${BUNDLE_FORMAT}`;
    return { ok: false, isBundle: true, reason };
  }
  const manifest = readFields(value);
  if (manifest === undefined) {
    return { ok: false, isBundle: true, reason: "a member is not valid, or count is not headSeq" };
  }
  if (formatManifest(manifest) !== line) {
    return { ok: false, isBundle: true, reason: "the manifest is not written exactly as the format says" };
  }
  return { ok: true, manifest };
}

const EVENT_OPENING = '{"event":';
const HASH_OPENING = ',"hash":"';
const CLOSING = '"}';
const HASH_LENGTH = 64;
const TAIL_LENGTH = HASH_OPENING.length + HASH_LENGTH + CLOSING.length;

/** The line of an event, without its newline: `JCS({"event":<event>,"hash":"<hex>"})`. */
export function formatEntry(entry: LedgerEntry): string {
  return EVENT_OPENING + entry.text + HASH_OPENING + entry.hash + CLOSING;
}

/**
 * Splits a line into the event's text and its hash, without parsing the text: around one canonical JSON value
 * these bytes are the canonical form of the whole line, so a verifier that finds the text canonical has
 * proved it of the line. Not verified here: the text and the hash.
 */
export function parseEntry(line: string): ParsedEntryLine {
  const tail = line.length - TAIL_LENGTH;
  const isFramed =
    line.startsWith(EVENT_OPENING) && line.startsWith(HASH_OPENING, tail) && line.endsWith(CLOSING);
  const hash = line.slice(tail + HASH_OPENING.length, -CLOSING.length);
  if (tail < EVENT_OPENING.length || !isFramed || !HASH_PATTERN.test(hash)) {
    return { ok: false, reason: 'is not {"event":…,"hash":"…"} in canonical form' };
  }
  return { ok: true, entry: { text: line.slice(EVENT_OPENING.length, tail), hash } };
}

export type Line =
  | { readonly kind: "line"; readonly text: string }
  /** Too long, or not UTF-8. */
  | { readonly kind: "unreadable"; readonly reason: string }
  /** What follows the last newline. */
  | { readonly kind: "unfinished" };

const NEWLINE = 0x0a;

/**
 * Cuts bytes into lines at every 0x0A and nowhere else: readers of text also cut at CR or U+2028, which a
 * canonical event may hold, and replace bytes that are not UTF-8, which would hide a changed bit.
 */
export class LineCutter {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #carried: Uint8Array[] = [];
  #carriedLength = 0;
  #isTooLong = false;

  /** The lines that these bytes complete. The chunk must not be reused by the caller until `finish`. */
  *push(chunk: Uint8Array): Generator<Line, void> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      yield this.#complete(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#carry(chunk.subarray(start));
  }

  /** What is left after the last newline, if anything. */
  finish(): Line | undefined {
    return this.#carriedLength > 0 || this.#isTooLong ? { kind: "unfinished" } : undefined;
  }

  #carry(part: Uint8Array): void {
    this.#carriedLength += part.length;
    if (this.#carriedLength > LINE_BYTES_MAX) {
      this.#isTooLong = true;
      this.#carried = [];
    } else {
      this.#carried.push(part);
    }
  }

  #complete(last: Uint8Array): Line {
    const bytes = this.#carriedLength === 0 ? last : this.#join(last);
    const isTooLong = this.#isTooLong || bytes.length > LINE_BYTES_MAX;
    this.#carried = [];
    this.#carriedLength = 0;
    this.#isTooLong = false;
    if (isTooLong) return { kind: "unreadable", reason: `a line longer than ${LINE_BYTES_MAX} bytes` };
    try {
      return { kind: "line", text: this.#decoder.decode(bytes) };
    } catch (error) {
      if (error instanceof TypeError) return { kind: "unreadable", reason: "a line that is not UTF-8" };
      throw error;
    }
  }

  #join(last: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(this.#isTooLong ? 0 : this.#carriedLength + last.length);
    let offset = 0;
    if (!this.#isTooLong) {
      for (const part of [...this.#carried, last]) {
        bytes.set(part, offset);
        offset += part.length;
      }
    }
    return bytes;
  }
}
