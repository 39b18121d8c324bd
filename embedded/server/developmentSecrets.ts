/**
 * The secrets that development makes for itself, kept in the data folder so that a restart keeps invitations
 * and tokens. Readable by the owner only.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import { z } from "zod";
import { sha256Noble } from "../../ledger/hash.ts";
import { formatSignerKey, signerKey } from "../../ledger/noteKeys.ts";
import { HostError } from "../engine/errors.ts";

export const SECRETS_FILE = "development.json";

/** The deployment's name in development, where none is set. */
export const DEVELOPMENT_DEPLOYMENT = "localhost";

const base64url = z.string().regex(/^[A-Za-z0-9_-]+$/);

const developmentSecrets = z.strictObject({
  DAYBOOK_INVITATION_KEYS: z.string(),
  DAYBOOK_FINGERPRINT_KEY: z.string(),
  DAYBOOK_SEALING_KEYS: z.string(),
  DAYBOOK_STRIPE_WEBHOOK_SECRETS: z.string(),
  /** What callers of the simulator show; no key of Stripe's. */
  simulatorKey: z.string(),
  /** Signs the checkpoints of the deployment `localhost`. */
  DAYBOOK_CHECKPOINT_KEYS: z.string(),
  DAYBOOK_ADMIN_KEY: z.string(),
  /** Private key (ES256) of the development identity provider. */
  signingKey: z.strictObject({
    kty: z.literal("EC"),
    crv: z.literal("P-256"),
    x: base64url,
    y: base64url,
    d: base64url,
  }),
});

export type DevelopmentSecrets = z.output<typeof developmentSecrets>;

/** Those that a folder of an earlier version does not have; they are added to it. */
const LATER = {
  DAYBOOK_SEALING_KEYS: z.exactOptional(z.string()),
  DAYBOOK_STRIPE_WEBHOOK_SECRETS: z.exactOptional(z.string()),
  simulatorKey: z.exactOptional(z.string()),
  DAYBOOK_CHECKPOINT_KEYS: z.exactOptional(z.string()),
};
const storedSecrets = developmentSecrets.extend(LATER);

/** Reads the secrets of development, or makes them from secure randomness at the first start. */
export async function loadDevelopmentSecrets(dataDir: string): Promise<DevelopmentSecrets> {
  const file = path.join(dataDir, SECRETS_FILE);
  if (!existsSync(file)) publish(file, await makeSecrets());
  chmodSync(file, 0o600);
  try {
    const stored = storedSecrets.parse(JSON.parse(readFileSync(file, "utf8")));
    const secrets = { ...makeLaterSecrets(), ...stored };
    if (Object.keys(LATER).some((name) => !Object.hasOwn(stored, name))) replace(file, secrets);
    return secrets;
  } catch (error) {
    // What the disk refuses is no damage.
    if (error instanceof Error && "code" in error) throw error;
    // The cause may quote the file, and the file is secrets.
    throw new HostError(
      "ENVIRONMENT_INVALID",
      `${SECRETS_FILE} in DATA_DIR is damaged. Restore it, or delete it: open invitations and tokens of ` +
        "development then stop working.",
    );
  }
}

/** A signing key for the checkpoints of a deployment, from secure randomness. */
export function makeCheckpointKey(deployment: string): string {
  return formatSignerKey(signerKey(deployment, "note", randomBytes(32), sha256Noble));
}

function makeLaterSecrets(): Pick<DevelopmentSecrets, keyof typeof LATER> {
  return {
    DAYBOOK_SEALING_KEYS: `dev1:${randomBytes(32).toString("hex")}`,
    DAYBOOK_STRIPE_WEBHOOK_SECRETS: `whsec_${randomBytes(32).toString("hex")}`,
    DAYBOOK_CHECKPOINT_KEYS: makeCheckpointKey(DEVELOPMENT_DEPLOYMENT),
    simulatorKey: `sk_test_${randomBytes(24).toString("hex")}`,
  };
}

async function makeSecrets(): Promise<DevelopmentSecrets> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk: unknown = await exportJWK(privateKey);
  return developmentSecrets.parse({
    DAYBOOK_INVITATION_KEYS: `dev1:${randomBytes(32).toString("hex")}`,
    DAYBOOK_FINGERPRINT_KEY: randomBytes(32).toString("hex"),
    ...makeLaterSecrets(),
    DAYBOOK_ADMIN_KEY: `daybook-development|${randomBytes(32).toString("hex")}`,
    signingKey: jwk,
  });
}

function writeDraft(file: string, secrets: DevelopmentSecrets): string {
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  writeFileSync(draft, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flush: true });
  return draft;
}

function replace(file: string, secrets: DevelopmentSecrets): void {
  renameSync(writeDraft(file, secrets), file);
}

/** The file appears whole or not at all, and a second process that starts meanwhile does not replace it. */
function publish(file: string, secrets: DevelopmentSecrets): void {
  const draft = writeDraft(file, secrets);
  try {
    linkSync(draft, file);
  } catch (error) {
    if (!existsSync(file)) throw error;
  } finally {
    rmSync(draft);
  }
}
