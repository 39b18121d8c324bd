/** A temporary file for what a large ledger's verification has to set aside. Small ledgers never write to it. */
import { randomUUID } from "node:crypto";
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockStore } from "../ledger/identities.ts";
import { AuditError, systemErrorCode } from "./auditError.ts";

const OWNER_ONLY = 0o600;

interface Block {
  readonly position: number;
  readonly words: number;
}

export interface BlockFile extends BlockStore {
  close(): void;
}

function openNameless(): number {
  const path = join(tmpdir(), `daybook-audit-${randomUUID()}`);
  const fd = openSync(path, "wx+", OWNER_ONLY);
  // Without a name it goes with the process, however that ends.
  unlinkSync(path);
  return fd;
}

/** What goes wrong here is no fault of the file under audit. */
function withAdvice<Result>(act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    const next = "Make room there, or name another folder with TMPDIR.";
    throw new AuditError(`${tmpdir()} can't hold a temporary file (${code}).`, next, { cause: error });
  }
}

/** Opens its file with the first block that is kept. Throws `AuditError`. */
export function createBlockFile(): BlockFile {
  const blocksOf = new Map<number, Block[]>();
  let fd: number | undefined;
  let size = 0;
  let buffer = new Uint32Array(0);

  const write = (words: Uint32Array): number => {
    fd ??= openNameless();
    return writeSync(fd, words, 0, words.byteLength, size);
  };
  const read = ({ position, words }: Block): Uint32Array => {
    if (buffer.length < words) buffer = new Uint32Array(words);
    const block = buffer.subarray(0, words);
    const bytes = fd === undefined ? 0 : readSync(fd, block, 0, block.byteLength, position);
    if (bytes !== block.byteLength) throw new Error("A temporary file lost what was written to it.");
    return block;
  };

  return {
    keep: (partition, words) => {
      if (withAdvice(() => write(words)) !== words.byteLength) {
        throw new Error("A temporary file took less than was written to it.");
      }
      const block = { position: size, words: words.length };
      const kept = blocksOf.get(partition);
      if (kept === undefined) blocksOf.set(partition, [block]);
      else kept.push(block);
      size += words.byteLength;
    },
    *blocks(partition) {
      for (const block of blocksOf.get(partition) ?? []) yield withAdvice(() => read(block));
    },
    close: () => {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}
