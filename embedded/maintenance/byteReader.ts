/** Reads a stream of chunks by numbers of bytes. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

const PIECE_BYTES_MAX = 1 << 20;

/** Takes exact numbers of bytes off a stream of chunks. */
export class ByteReader {
  private readonly chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  private held: Buffer = Buffer.alloc(0);

  constructor(chunks: Chunks) {
    this.chunks = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  }

  /** Fewer bytes than asked for only at the end. */
  async take(count: number): Promise<Buffer> {
    const parts = [this.held];
    let length = this.held.length;
    while (length < count) {
      const next = await this.chunks.next();
      if (next.done === true) break;
      parts.push(Buffer.from(next.value));
      length += next.value.length;
    }
    const all = Buffer.concat(parts);
    this.held = all.subarray(count);
    return all.subarray(0, count);
  }

  /** The next `count` bytes, piece by piece; fewer only at the end. */
  async *pieces(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0;) {
      const piece = await this.take(Math.min(left, PIECE_BYTES_MAX));
      if (piece.length === 0) return;
      left -= piece.length;
      yield piece;
    }
  }
}
