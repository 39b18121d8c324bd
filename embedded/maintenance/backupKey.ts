/** Where the key of a backup comes from: a passphrase, or 32 bytes that the operator keeps. */
import { hkdfSync, scryptSync } from "node:crypto";
import { MaintenanceError } from "./maintenanceError.ts";

export type BackupSecret = { kind: "key"; key: Buffer } | { kind: "passphrase"; passphrase: string };

/** scrypt's cost: N = 2^logN. */
export type ScryptCost = { logN: number; r: number; p: number };

const KEY_VARIABLE = "DAYBOOK_BACKUP_KEY";
const PASSPHRASE_VARIABLE = "DAYBOOK_BACKUP_PASSPHRASE";
const PASSPHRASE_LENGTH_MIN = 12;
const KEY_BYTES = 32;

/** 128 MiB and about half a second: what a guesser pays for each try. */
export const SCRYPT_COST: ScryptCost = { logN: 17, r: 8, p: 1 };
/** A header is not authenticated until its key is derived, so it must not be able to ask for more than this. */
const SCRYPT_LOG_N_MAX = 20;

/** Reads the secret from the environment. Throws MaintenanceError unless exactly one variable is set well. */
export function backupSecret(variables: Readonly<Record<string, string | undefined>>): BackupSecret {
  const { [KEY_VARIABLE]: key, [PASSPHRASE_VARIABLE]: passphrase } = variables;
  if (key !== undefined && passphrase !== undefined) {
    throw new MaintenanceError(`Both ${PASSPHRASE_VARIABLE} and ${KEY_VARIABLE} are set. Set exactly one.`);
  }
  if (key !== undefined) {
    if (!/^[0-9a-fA-F]{64}$/.test(key)) {
      throw new MaintenanceError(`${KEY_VARIABLE} must be 64 hexadecimal digits.`);
    }
    return { kind: "key", key: Buffer.from(key, "hex") };
  }
  if (passphrase === undefined) {
    throw new MaintenanceError(
      `Set ${PASSPHRASE_VARIABLE} (a passphrase) or ${KEY_VARIABLE} (64 hexadecimal digits).`,
    );
  }
  if (passphrase.length < PASSPHRASE_LENGTH_MIN) {
    throw new MaintenanceError(
      `${PASSPHRASE_VARIABLE} must have at least ${PASSPHRASE_LENGTH_MIN} characters.`,
    );
  }
  return { kind: "passphrase", passphrase };
}

/** Whether a header may ask for this. */
export function isAcceptableCost({ logN, r, p }: ScryptCost): boolean {
  return logN >= 1 && logN <= SCRYPT_LOG_N_MAX && r === SCRYPT_COST.r && p === SCRYPT_COST.p;
}

/** The key of one file: its salt is fresh, so that frame counters may start at zero in every file. */
export function fileKey(secret: BackupSecret, salt: Buffer, cost: ScryptCost): Buffer {
  const master = secret.kind === "key" ? secret.key : stretch(secret.passphrase, salt, cost);
  return Buffer.from(hkdfSync("sha256", master, salt, "daybook-backup/1 file key", KEY_BYTES));
}

function stretch(passphrase: string, salt: Buffer, { logN, r, p }: ScryptCost): Buffer {
  const N = 2 ** logN;
  return scryptSync(passphrase.normalize("NFC"), salt, KEY_BYTES, { N, r, p, maxmem: 256 * N * r });
}
