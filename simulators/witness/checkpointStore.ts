/**
 * The last checkpoint that the witness cosigned, by origin, in one file. It appears whole or not at all, and is on disk
 * before a cosignature leaves: a witness that forgot what it signed would sign the other half of a split view.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { hashFromBase64, toBase64 } from "../../ledger/bytes.ts";
import type { Checkpoint } from "../../ledger/checkpoint.ts";
import { formatOrigin, parseOrigin } from "../../ledger/origin.ts";

const stored = z.record(z.string(), z.strictObject({ size: z.int().min(0), root: z.string() }));
type Stored = z.output<typeof stored>;

function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** What the witness remembers. */
export class CheckpointStore {
  readonly #file: string;
  readonly #last: Stored;

  /** Throws for a file that is damaged: a witness does not begin anew by itself. */
  constructor(file: string) {
    this.#file = path.resolve(file);
    this.#last = existsSync(this.#file) ? stored.parse(JSON.parse(readFileSync(this.#file, "utf8"))) : {};
  }

  /** The checkpoint cosigned last for an origin. */
  lastOf(originText: string): Checkpoint | undefined {
    const last = Object.hasOwn(this.#last, originText) ? this.#last[originText] : undefined;
    const origin = parseOrigin(originText);
    const root = last === undefined ? undefined : hashFromBase64(last.root);
    if (last === undefined || origin === undefined) return undefined;
    if (root === undefined) throw new Error(`the root of ${originText} in ${this.#file} is damaged`);
    return { origin, size: last.size, root };
  }

  /** Keeps a checkpoint as the last of its origin; returns when it is on disk. */
  keep({ origin, size, root }: Checkpoint): void {
    const next = { ...this.#last, [formatOrigin(origin)]: { size, root: toBase64(root) } };
    const draft = `${this.#file}.draft`;
    const handle = openSync(draft, "w", 0o600);
    try {
      writeSync(handle, `${JSON.stringify(next, null, 2)}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(draft, this.#file);
    syncFolder(path.dirname(this.#file));
    Object.assign(this.#last, next);
  }
}
