/** The first frame of a backup: what it holds besides the database and the stored files, which follow. */
import { z } from "zod";
import { MaintenanceError } from "./maintenanceError.ts";

/** Names in a data folder; see `server/environmentMarker.ts` and `server/developmentSecrets.ts`. */
export const ENVIRONMENT_FILE = "environment";
export const SECRETS_FILE = "development.json";

/** One word; empty when the data folder had no marker. */
const environmentSchema = z.enum(["development", "production", ""]);

const manifestSchema = z.strictObject({
  environment: environmentSchema,
  /** Milliseconds since the epoch. */
  takenAt: z.int(),
  databaseBytes: z.int().positive(),
  /** Totals of the stored files; the database names each. Missing in version 1, which had none. */
  files: z.strictObject({ count: z.int().nonnegative(), bytes: z.int().nonnegative() }).optional(),
  /** The text of `development.json`. */
  developmentSecrets: z.string().optional(),
});

export type BackupManifest = z.output<typeof manifestSchema>;

/** Reads the marker's text. Throws MaintenanceError for a word that no host has written. */
export function readEnvironment(marker: string | undefined): BackupManifest["environment"] {
  const parsed = environmentSchema.safeParse(marker?.trim() ?? "");
  if (parsed.success) return parsed.data;
  throw new MaintenanceError(`The file "${ENVIRONMENT_FILE}" of the data folder names no environment.`);
}

/** UTF-8 JSON. */
export function writeManifest(manifest: BackupManifest): Buffer {
  return Buffer.from(JSON.stringify(manifestSchema.parse(manifest)), "utf8");
}

/** Throws MaintenanceError where it is another version's. */
export function readManifest(bytes: Buffer): BackupManifest {
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString("utf8")));
  } catch {
    // The cause may quote the frame, which holds secrets.
    throw new MaintenanceError("The backup's list of contents can't be read: a newer version wrote it.");
  }
}
