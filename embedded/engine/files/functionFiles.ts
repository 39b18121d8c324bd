/** What functions do with files through `ctx.storage`, with the platform's messages. */
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { createReadStream } from "node:fs";
import { MIMEType } from "node:util";
import { PlatformError } from "../errors.ts";
import type { Transaction } from "../transaction/transaction.ts";
import type { JsonObject } from "../values/json.ts";
import type { FileContent, Upload } from "./contract.ts";
import type { FileFolder } from "./fileFolder.ts";
import type { FileRecord, FileTables } from "./fileTables.ts";
import { FileTooLarge, saveStream } from "./saveStream.ts";
import type { UploadTokens } from "./uploadTokens.ts";

export type FunctionFilesParts = {
  tables: FileTables;
  tokens: UploadTokens;
  folder: FileFolder;
  commitUpload: (upload: Upload, content: FileContent) => Promise<string>;
  /** Origin of the URLs that functions get. */
  publicUrl: string;
  fileBytesMax: number;
};

/** The bytes of a base64 SHA-256; null for any other text. */
export function sha256FromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === 32 && bytes.toString("base64") === text ? bytes : null;
}

/** A media type in its one spelling (WHATWG MIME Sniffing §4.5), null where there is none. Throws for a malformed one. */
export function normalizedContentType(text: string | undefined): string | null {
  return text === undefined || text === "" ? null : new MIMEType(text).toString();
}

/** `ctx.storage`. Transactions are the caller's. */
export class FunctionFiles {
  private readonly parts: FunctionFilesParts;

  constructor(parts: FunctionFilesParts) {
    this.parts = parts;
  }

  async uploadUrl(component: string, nowMs: number): Promise<string> {
    const token = await this.parts.tokens.issue(component, nowMs);
    return `${this.parts.publicUrl}/api/storage/upload?token=${token}`;
  }

  url(transaction: Transaction, component: string, name: string): string | null {
    const found = this.parts.tables.find(transaction, component, name, "storage.getUrl");
    return found === null ? null : `${this.parts.publicUrl}/api/storage/${found.key}`;
  }

  /** In the shape of the deprecated `getMetadata`, whose hash is hexadecimal. */
  metadata(transaction: Transaction, component: string, name: string): JsonObject | null {
    const found = this.parts.tables.find(transaction, component, name, "storage.getMetadata");
    if (found === null) return null;
    const { key, size, contentType } = found;
    return {
      storageId: key,
      sha256: Buffer.from(found.sha256, "base64").toString("hex"),
      size,
      contentType,
    };
  }

  remove(transaction: Transaction, component: string, name: string): void {
    const found = this.parts.tables.find(transaction, component, name, "storage.delete");
    if (found === null) throw new PlatformError(`storage id ${name} not found`);
    this.parts.tables.discard(transaction, found);
  }

  /** The file that an action wants to read. */
  find(transaction: Transaction, component: string, name: string): FileRecord | null {
    return this.parts.tables.find(transaction, component, name, "storage.get");
  }

  /** The whole file: once an action has it, a deletion takes nothing from it. */
  async read({ key, contentType }: FileRecord): Promise<Blob> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for await (const piece of createReadStream(this.parts.folder.path(key))) {
      pieces.push(piece as Buffer<ArrayBuffer>);
    }
    return new Blob(pieces, { type: contentType ?? "" });
  }

  /** Stores a blob of an action; `sha256` is base64, and what the bytes must have. */
  async store(component: string, blob: Blob, sha256: string | undefined): Promise<string> {
    const contentType = contentTypeOf(blob);
    if (sha256 !== undefined && sha256FromBase64(sha256) === null) {
      throw new PlatformError("The `sha256` option of `storage.store` must be a SHA-256 in base64");
    }
    const path = this.parts.folder.newPartialPath();
    try {
      const saved = await this.save(blob, path);
      if (sha256 !== undefined && sha256 !== saved.sha256) {
        throw new PlatformError(`Sha256 mismatch. Expected: ${sha256} Actual: ${saved.sha256}`);
      }
      return await this.parts.commitUpload({ component, path }, { ...saved, contentType });
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  private async save(blob: Blob, path: string): Promise<{ size: number; sha256: string }> {
    const source = Readable.from(blob.stream());
    try {
      return await saveStream(source, path, this.parts.fileBytesMax);
    } catch (error) {
      if (error instanceof FileTooLarge) throw new PlatformError(error.message);
      throw error;
    } finally {
      source.destroy();
    }
  }
}

function contentTypeOf(blob: Blob): string | null {
  try {
    return normalizedContentType(blob.type);
  } catch {
    throw new PlatformError(`The type of the blob is malformed: ${JSON.stringify(blob.type)}`);
  }
}
