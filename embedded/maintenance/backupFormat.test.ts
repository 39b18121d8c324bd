import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { decrypt, encrypt, HEADER_BYTES } from "./backupFormat.ts";
import { backupSecret, type BackupSecret } from "./backupKey.ts";
import { MaintenanceError } from "./maintenanceError.ts";

const SECRET: BackupSecret = { kind: "key", key: Buffer.alloc(32, 7) };
/** Head and tag around a frame's content. */
const FRAME_OVERHEAD = 20;
const PARTS = [Buffer.from("manifest"), randomBytes(1000), randomBytes(1000), Buffer.from("end")];

async function collected(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

async function sealed(parts: readonly Buffer[] = PARTS, secret = SECRET): Promise<Buffer[]> {
  return await collected(encrypt(parts, secret));
}

async function opened(file: Buffer, secret = SECRET, chunkBytes = 333): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < file.length; at += chunkBytes) chunks.push(file.subarray(at, at + chunkBytes));
  return Buffer.concat(await collected(decrypt(chunks, secret)));
}

async function refusal(file: Buffer, secret = SECRET): Promise<string> {
  const error: unknown = await opened(file, secret).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(MaintenanceError);
  return (error as MaintenanceError).message;
}

describe("a backup file", () => {
  test("gives back what went in, whatever the pieces it is read in", async () => {
    const file = Buffer.concat(await sealed());
    for (const chunkBytes of [1, 7, 333, 100_000]) {
      expect((await opened(file, SECRET, chunkBytes)).equals(Buffer.concat(PARTS))).toBe(true);
    }
  });

  test("has the length that its format says, and a fresh salt each time", async () => {
    const [header, ...frames] = await sealed();
    expect(header).toHaveLength(HEADER_BYTES);
    expect(frames.map(({ length }) => length)).toEqual(PARTS.map(({ length }) => length + FRAME_OVERHEAD));
    const [again] = await sealed();
    expect(again?.equals(header ?? Buffer.alloc(0))).toBe(false);
  });

  test("does not show its content", async () => {
    expect(Buffer.concat(await sealed()).includes("manifest")).toBe(false);
  });

  test("opens with the passphrase it was made with, and no other", async () => {
    const passphrase: BackupSecret = { kind: "passphrase", passphrase: "correct horse battery" };
    const file = Buffer.concat(await sealed(PARTS, passphrase));
    expect((await opened(file, passphrase)).equals(Buffer.concat(PARTS))).toBe(true);
    const wrong: BackupSecret = { kind: "passphrase", passphrase: "correct horse batterz" };
    expect(await refusal(file, wrong)).toContain("passphrase or key is wrong");
    expect(await refusal(file)).toContain("DAYBOOK_BACKUP_PASSPHRASE");
  });

  test("of another key does not open", async () => {
    const file = Buffer.concat(await sealed());
    expect(await refusal(file, { kind: "key", key: Buffer.alloc(32, 8) })).toContain("key is wrong");
  });

  test("is refused with any one byte flipped", async () => {
    const file = Buffer.concat(await sealed());
    // Every byte of header, of the first frame and of every frame's head and tag; the long contents by steps.
    for (let at = 0; at < file.length; at += at < 200 || at > file.length - 60 ? 1 : 13) {
      const damaged = Buffer.from(file);
      damaged[at] = (damaged[at] ?? 0) ^ 0x01;
      await refusal(damaged);
    }
  });

  test("is refused when cut at every frame boundary and inside of frames", async () => {
    const pieces = await sealed();
    const file = Buffer.concat(pieces);
    let end = 0;
    for (const piece of pieces) {
      for (const cut of [end, end + 1, end + 4, end + piece.length - 1]) await refusal(file.subarray(0, cut));
      end += piece.length;
    }
    const [header = Buffer.alloc(0), first = Buffer.alloc(0)] = pieces;
    expect(await refusal(Buffer.concat([header, first]))).toContain("cut short");
  });

  test("is refused with anything appended, a second file included", async () => {
    const file = Buffer.concat(await sealed());
    expect(await refusal(Buffer.concat([file, Buffer.of(0)]))).toContain("follows its last frame");
    expect(await refusal(Buffer.concat([file, file]))).toContain("follows its last frame");
  });

  test("is refused with frames swapped, left out, repeated or of another file", async () => {
    const [header, first, second, third, last] = (await sealed()) as [Buffer, Buffer, Buffer, Buffer, Buffer];
    const [, , foreign] = (await sealed()) as [Buffer, Buffer, Buffer];
    const arrangements = [
      [header, first, third, second, last],
      [header, first, third, last],
      [header, first, second, second, third, last],
      [header, first, foreign, third, last],
      [header, last],
    ];
    for (const arrangement of arrangements) await refusal(Buffer.concat(arrangement));
  });

  test("can't ask for a key that costs more than any backup's", async () => {
    const [header = Buffer.alloc(0), ...frames] = await sealed();
    header.set([1, 30, 8, 1], 16);
    const passphrase: BackupSecret = { kind: "passphrase", passphrase: "correct horse battery" };
    expect(await refusal(Buffer.concat([header, ...frames]), passphrase)).toContain("its header asks for");
  });
});

describe("the secret of a backup", () => {
  const key = "ab".repeat(32);

  test("comes from exactly one variable", () => {
    expect(backupSecret({ DAYBOOK_BACKUP_KEY: key })).toMatchObject({ kind: "key" });
    expect(backupSecret({ DAYBOOK_BACKUP_PASSPHRASE: "long enough to use" })).toMatchObject({
      kind: "passphrase",
    });
    expect(() => backupSecret({})).toThrow(/DAYBOOK_BACKUP_PASSPHRASE.*DAYBOOK_BACKUP_KEY/);
    expect(() =>
      backupSecret({ DAYBOOK_BACKUP_KEY: key, DAYBOOK_BACKUP_PASSPHRASE: "long enough to use" }),
    ).toThrow("exactly one");
  });

  test("is refused when it is no key or too short, and never quoted", () => {
    expect(() => backupSecret({ DAYBOOK_BACKUP_KEY: "canary" })).toThrow(/64 hexadecimal digits\.$/);
    expect(() => backupSecret({ DAYBOOK_BACKUP_PASSPHRASE: "canary" })).toThrow(/at least 12 characters\.$/);
  });
});
