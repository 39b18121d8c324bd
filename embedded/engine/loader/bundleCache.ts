/**
 * Bundles of earlier starts, each used again while every file that it was made of is as it was. Only a help:
 * without it, or where its folder can't be written, everything is bundled anew.
 */
import { createHash, randomUUID } from "node:crypto";
import { readFile, mkdir, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";

/** A bundle and the absolute paths of the files that it was made of. */
export type Made = { text: string; inputs: readonly string[] };

const STORED = z.strictObject({ text: z.string(), inputs: z.record(z.string(), z.string().nullable()) });

function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

async function fingerprint(file: string): Promise<string | null> {
  try {
    return sha256(await readFile(file));
  } catch {
    return null;
  }
}

async function fingerprints(files: readonly string[]): Promise<Record<string, string | null>> {
  const pairs = await Promise.all(files.map(async (file) => [file, await fingerprint(file)] as const));
  return Object.fromEntries(pairs);
}

/** Bundles by what they were asked for with. */
export class BundleCache {
  readonly #folder: string | null;

  /** Null keeps nothing. */
  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /** The bundle that `make` makes. `key` is everything but the files that it depends on. */
  async get(key: string, make: () => Promise<Made>): Promise<string> {
    if (this.#folder === null) return (await make()).text;
    const file = path.join(this.#folder, `bundle-${sha256(key)}.json`);
    const known = await readStored(file);
    if (known !== null) return known;
    const { text, inputs } = await make();
    await this.#store(file, { text, inputs: await fingerprints(inputs) });
    return text;
  }

  async #store(file: string, stored: z.infer<typeof STORED>): Promise<void> {
    const unfinished = `${file}.${randomUUID()}`;
    try {
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(unfinished, JSON.stringify(stored));
      await rename(unfinished, file);
    } catch {
      // A folder that can't be written makes the next start slower, nothing else.
    }
  }
}

/** The stored bundle if all of its files are as they were, else null. */
async function readStored(file: string): Promise<string | null> {
  try {
    const { text, inputs } = STORED.parse(JSON.parse(await readFile(file, "utf8")));
    const now = await fingerprints(Object.keys(inputs));
    return Object.entries(inputs).every(([input, before]) => now[input] === before) ? text : null;
  } catch {
    return null;
  }
}
