/** Reads the lines of an open file that begin in a range of it, and has a segment verify them. */
import { readSync } from "node:fs";
import { LINE_BYTES_MAX } from "../ledger/bundle.ts";
import type { ChainSegment } from "../ledger/chainSegment.ts";

const NEWLINE = 0x0a;
/** Fits beside its neighbours in the cache of a processor's core. */
const READ_BYTES = 256 * 1024;

/** Bytes from `from` to before `to`, of a file of `size` bytes; the byte before the first range ends a line. */
export interface FileRange {
  readonly from: number;
  readonly to: number;
  readonly size: number;
}

/** Holds one buffer for any number of ranges, one after another. */
export class RangeReader {
  readonly #buffer = new Uint8Array(LINE_BYTES_MAX + 1 + READ_BYTES);

  /**
   * Pushes every line that begins in the range, though it may end behind it. False when a line is not sound, too
   * long, or without a newline at the file's end. Throws what reading throws.
   */
  verify(fd: number, { from, to, size }: FileRange, segment: ChainSegment): boolean {
    const buffer = this.#buffer;
    // A line begins behind each newline, so the byte before the range tells whether one begins with it.
    let bufferFrom = from - 1;
    let filled = 0;
    let isAtLine = false;
    for (;;) {
      const position = bufferFrom + filled;
      const wanted = Math.min(READ_BYTES, size - position, buffer.length - filled);
      const read = wanted > 0 ? readSync(fd, buffer, filled, wanted, position) : 0;
      if (read === 0) return filled === 0 || !isAtLine;
      filled += read;
      const linesEnd = buffer.subarray(0, filled).lastIndexOf(NEWLINE) + 1;
      if (linesEnd === 0) continue;
      let at = isAtLine ? 0 : buffer.indexOf(NEWLINE) + 1;
      isAtLine = true;
      const stop = Math.min(linesEnd, to - bufferFrom);
      while (at < stop) {
        at = segment.push(buffer, at);
        if (at < 0) return false;
      }
      if (bufferFrom + at >= to) return true;
      buffer.copyWithin(0, at, filled);
      filled -= at;
      bufferFrom += at;
    }
  }
}
