/**
 * The lines of evidence in a `daybook-bundle/1`: canonical JSON objects between the manifest and the first event.
 *
 * - `{"at":<ms>,"checkpoint":"<note>"}`: a checkpoint of the organisation, as it was published, with the cosignatures
 *   that it had at the export. By size, each size once. `at` is the server's word for when it was made.
 * - `{"anchor":"<proof file>"}`: the place of one of those checkpoints in the deployment's log of logs (`logOfLogs.ts`),
 *   with that log's checkpoint. After the checkpoints, by size, each size once.
 *
 * What is read here proves nothing: `judgeEvidence.ts` holds it against the events and the keys.
 */
import { fromUtf8 } from "./bytes.ts";
import { canonicalize, parseCanonical } from "./canonicalJson.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";
import { parseNote } from "./signedNote.ts";
import type { SignedNote } from "./signedNote.ts";
import { parseTlogProof } from "./tlogProof.ts";
import type { TlogProof } from "./tlogProof.ts";

/** A checkpoint as it was read: its form is sound, its signatures are not verified. */
export interface ReadCheckpoint {
  /** As it was published. */
  readonly published: string;
  readonly note: SignedNote;
  readonly checkpoint: Checkpoint;
}

export interface BundledCheckpoint extends ReadCheckpoint {
  /** Milliseconds since the epoch. Nothing vouches for it. */
  readonly at: number;
}

export interface BundledAnchor {
  /** The organisation's checkpoint that is in the log of logs. */
  readonly organisation: ReadCheckpoint;
  readonly log: ReadCheckpoint;
  readonly proof: TlogProof;
}

export interface BundleEvidence {
  readonly checkpoints: readonly BundledCheckpoint[];
  readonly anchors: readonly BundledAnchor[];
}

export const NO_EVIDENCE: BundleEvidence = { checkpoints: [], anchors: [] };

/** The line of a checkpoint, without its newline. */
export function formatCheckpointLine(published: string, at: number): string {
  return canonicalize({ at, checkpoint: published });
}

/** The line of an anchor, a proof file as `formatAnchor` writes it, without its newline. */
export function formatAnchorLine(proofFile: string): string {
  return canonicalize({ anchor: proofFile });
}

/** Reads a published checkpoint without verifying its signatures. */
export function readCheckpoint(published: string): Parsed<ReadCheckpoint> {
  const note = parseNote(published);
  if (!note.ok) return note;
  const checkpoint = parseCheckpoint(note.value.text);
  if (!checkpoint.ok) return checkpoint;
  return accepted({ published, note: note.value, checkpoint: checkpoint.value });
}

function readAnchor(text: string): Parsed<BundledAnchor> {
  const proof = parseTlogProof(text);
  if (!proof.ok) return proof;
  const extra = fromUtf8(proof.value.extra);
  if (extra === undefined) return refused("the extra bytes are not UTF-8");
  const organisation = readCheckpoint(extra);
  if (!organisation.ok) return organisation;
  const log = readCheckpoint(proof.value.checkpoint);
  if (!log.ok) return log;
  if (log.value.checkpoint.origin.kind !== "log of logs") return refused("an anchor is not in a log of logs");
  return accepted({ organisation: organisation.value, log: log.value, proof: proof.value });
}

function membersOf(line: string): Readonly<Record<string, unknown>> | undefined {
  const parsed = parseCanonical(line);
  const value = parsed.ok ? parsed.value : undefined;
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? { ...(value as Readonly<Record<string, unknown>>) }
    : undefined;
}

/** Reads lines of evidence one by one, in their order. */
export class EvidenceReader {
  readonly #checkpoints: BundledCheckpoint[] = [];
  readonly #anchors: BundledAnchor[] = [];

  get evidence(): BundleEvidence {
    return { checkpoints: this.#checkpoints, anchors: this.#anchors };
  }

  /** Takes the next line, without its newline; answers why it is refused, or nothing. */
  take(line: string): string | undefined {
    const members = membersOf(line);
    const names = Object.keys(members ?? {}).join();
    if (names === "anchor") return this.#takeAnchor(members?.["anchor"]);
    if (names === "at,checkpoint") return this.#takeCheckpoint(members?.["checkpoint"], members?.["at"]);
    return "a line of evidence is not a checkpoint or an anchor in canonical form";
  }

  #takeCheckpoint(published: unknown, at: unknown): string | undefined {
    if (typeof published !== "string" || !Number.isSafeInteger(at) || Number(at) < 0) {
      return "a checkpoint's line has another member than its note and its time";
    }
    if (this.#anchors.length > 0) return "a checkpoint stands after an anchor";
    const read = readCheckpoint(published);
    if (!read.ok) return `a checkpoint: ${read.reason}`;
    const last = this.#checkpoints.at(-1)?.checkpoint.size ?? -1;
    if (read.value.checkpoint.size <= last) return "the checkpoints are not in the order of their sizes";
    this.#checkpoints.push({ ...read.value, at: Number(at) });
    return undefined;
  }

  #takeAnchor(text: unknown): string | undefined {
    const read = typeof text === "string" ? readAnchor(text) : refused("it is not a text");
    if (!read.ok) return `an anchor: ${read.reason}`;
    const last = this.#anchors.at(-1)?.organisation.checkpoint.size ?? 0;
    if (read.value.organisation.checkpoint.size <= last) {
      return "the anchors are not in the order of their sizes";
    }
    this.#anchors.push(read.value);
    return undefined;
  }
}
