/** Writes a stream of bytes to a file while counting and hashing them; never holds more than a piece of it. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { Transform, type Readable, type TransformCallback } from "node:stream";
import { pipeline } from "node:stream/promises";

/** More bytes came than a file may have. */
export class FileTooLarge extends Error {
  override readonly name = "FileTooLarge";

  constructor(bytesMax: number) {
    super(`a file may have at most ${bytesMax} bytes`);
  }
}

/** The stream was cut off before its end. */
export class StreamEndedEarly extends Error {
  override readonly name = "StreamEndedEarly";

  constructor() {
    super("the bytes ended early");
  }
}

class Meter extends Transform {
  readonly hash = createHash("sha256");
  readonly bytesMax: number;
  bytes = 0;

  constructor(bytesMax: number) {
    super();
    this.bytesMax = bytesMax;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.bytes += chunk.length;
    if (this.bytes > this.bytesMax) {
      callback(new FileTooLarge(this.bytesMax));
      return;
    }
    this.hash.update(chunk);
    callback(null, chunk);
  }
}

/**
 * Writes `source` to a new file at `path`, owner only, durable when this resolves (its folder is the caller's to
 * sync); `sha256` is base64. Throws FileTooLarge, StreamEndedEarly, the source's error or the file system's, and then
 * leaves no file. `source` is left open, so that a connection can still be answered.
 */
export async function saveStream(
  source: Readable,
  path: string,
  bytesMax: number,
): Promise<{ size: number; sha256: string }> {
  if (source.destroyed) throw new StreamEndedEarly();
  const meter = new Meter(bytesMax);
  const failed = (error: Error): void => {
    meter.destroy(error);
  };
  const closed = (): void => {
    if (!source.readableEnded) meter.destroy(new StreamEndedEarly());
  };
  source.once("error", failed).once("close", closed);
  source.pipe(meter);
  try {
    await pipeline(meter, createWriteStream(path, { flags: "wx", mode: 0o600, flush: true }));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    source.off("error", failed).off("close", closed);
  }
  return { size: meter.bytes, sha256: meter.hash.digest("base64") };
}
