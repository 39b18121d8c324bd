/**
 * The format of a backup file, `daybook-backup/2` (docs/operations.md is the contract): a header of 52 bytes, then
 * frames that AES-256-GCM encrypts and authenticates one by one. Every frame is bound to the header, to its place
 * and to whether it is the last, so that none can be altered, left out, repeated, moved or added. Version 1, which is
 * still read, had the same frames and no stored files in them.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { ByteReader, type Chunks } from "./byteReader.ts";
import { fileKey, isAcceptableCost, SCRYPT_COST, type BackupSecret, type ScryptCost } from "./backupKey.ts";
import { MaintenanceError } from "./maintenanceError.ts";

export const FRAME_BYTES_MAX = 1 << 20;

const MAGIC = Buffer.from("daybook-backup/2", "latin1");
const MAGIC_BEFORE = Buffer.from("daybook-backup/1", "latin1");
const SALT_BYTES = 32;
export const HEADER_BYTES = MAGIC.length + 4 + SALT_BYTES;
const FRAME_HEAD_BYTES = 4;
const TAG_BYTES = 16;
/** Top bit of a frame's head: the last frame. */
const FINAL = 0x8000_0000;

const KIND_KEY = 0;
const KIND_PASSPHRASE = 1;

function makeHeader(secret: BackupSecret): { header: Buffer; key: Buffer } {
  const salt = randomBytes(SALT_BYTES);
  const { logN, r, p } = SCRYPT_COST;
  const kind = secret.kind === "key" ? [KIND_KEY, 0, 0, 0] : [KIND_PASSPHRASE, logN, r, p];
  return { header: Buffer.concat([MAGIC, Buffer.from(kind), salt]), key: fileKey(secret, salt, SCRYPT_COST) };
}

function isSound(kind: number, cost: ScryptCost): boolean {
  if (kind === KIND_KEY) return cost.logN + cost.r + cost.p === 0;
  return kind === KIND_PASSPHRASE && isAcceptableCost(cost);
}

function openHeader(header: Buffer, secret: BackupSecret): Buffer {
  const magic = header.subarray(0, MAGIC.length);
  if (header.length < HEADER_BYTES || !(magic.equals(MAGIC) || magic.equals(MAGIC_BEFORE))) {
    throw new MaintenanceError("This is not a backup of Daybook, or not one that this version reads.");
  }
  const [kind = -1, logN = 0, r = 0, p = 0] = header.subarray(MAGIC.length);
  const cost = { logN, r, p };
  if (!isSound(kind, cost)) {
    throw new MaintenanceError("The backup is damaged: its header asks for what no backup has.");
  }
  if ((kind === KIND_KEY) !== (secret.kind === "key")) {
    const [made, variable] =
      kind === KIND_KEY ? ["key", "DAYBOOK_BACKUP_KEY"] : ["passphrase", "DAYBOOK_BACKUP_PASSPHRASE"];
    throw new MaintenanceError(`This backup was made with a ${made}: set ${variable}.`);
  }
  return fileKey(secret, header.subarray(HEADER_BYTES - SALT_BYTES), cost);
}

function nonceOf(counter: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(counter), 4);
  return nonce;
}

/** Counter and finality are authenticated through the nonce and the head. */
function seal(key: Buffer, header: Buffer, counter: number, plain: Uint8Array, isLast: boolean): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(((isLast ? FINAL : 0) | plain.length) >>> 0);
  const cipher = createCipheriv("aes-256-gcm", key, nonceOf(counter), { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.concat([header, head]));
  return Buffer.concat([head, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Encrypts chunks of at most FRAME_BYTES_MAX, one frame each; the last one says that it is the last. */
export async function* encrypt(chunks: Chunks, secret: BackupSecret): AsyncGenerator<Buffer> {
  const { header, key } = makeHeader(secret);
  yield header;
  let counter = 0;
  let waiting: Uint8Array = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (counter > 0 || waiting.length > 0) {
      yield seal(key, header, counter, waiting, false);
      counter += 1;
    }
    waiting = chunk;
  }
  yield seal(key, header, counter, waiting, true);
}

function frameProblem(counter: number, finding: string): MaintenanceError {
  return new MaintenanceError(`The backup is damaged: frame ${counter} ${finding}. Nothing was restored.`);
}

function open(key: Buffer, header: Buffer, counter: number, frame: { head: Buffer; body: Buffer }): Buffer {
  const { head, body } = frame;
  const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(counter), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.concat([header, head]));
  decipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(body.subarray(0, body.length - TAG_BYTES)), decipher.final()]);
  } catch {
    if (counter > 0) throw frameProblem(counter, "is not what was written");
    throw new MaintenanceError(
      "The backup does not open: the passphrase or key is wrong, or the file's beginning is damaged.",
    );
  }
}

/**
 * Decrypts a backup file into the chunks it was made of; each is authenticated before it is given out. Not verified
 * until the generator has ended: that the file is complete and that nothing follows it. Throws MaintenanceError.
 */
export async function* decrypt(file: Chunks, secret: BackupSecret): AsyncGenerator<Buffer> {
  const reader = new ByteReader(file);
  const header = await reader.take(HEADER_BYTES);
  const key = openHeader(header, secret);
  for (let counter = 0, isLast = false; !isLast; counter += 1) {
    const head = await reader.take(FRAME_HEAD_BYTES);
    if (head.length < FRAME_HEAD_BYTES) throw frameProblem(counter, "is missing: the file is cut short");
    const word = head.readUInt32BE(0);
    isLast = (word & FINAL) !== 0;
    const length = word & 0x7fff_ffff;
    if (length > FRAME_BYTES_MAX) throw frameProblem(counter, "is longer than any frame");
    const body = await reader.take(length + TAG_BYTES);
    if (body.length < length + TAG_BYTES) throw frameProblem(counter, "is cut short");
    yield open(key, header, counter, { head, body });
  }
  const rest = await reader.take(1);
  if (rest.length > 0) throw new MaintenanceError("The backup is damaged: something follows its last frame.");
}
