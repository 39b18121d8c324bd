/**
 * Bundles of earlier starts, each used again while every file that it was made of is as it was, and what V8 made of
 * them. Only a help: without it, or where its folder can't be written, everything is bundled and compiled anew.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import path from "node:path";

/** A bundle and the absolute paths of the files that it was made of. */
export type Made = { text: string; inputs: readonly string[] };

/** A bundle and the SHA-256 of its text, in hex. */
export type Bundled = { text: string; fingerprint: string };

/** What is known of a stored bundle, in a file beside its text. */
type Stored = { fingerprint: string; inputs: Readonly<Record<string, string | null>> };

/** Only this file writes them, and a text that is not its fingerprint's is not used: what else is wrong shows there. */
function isStored(value: unknown): value is Stored {
  if (typeof value !== "object" || value === null || !("fingerprint" in value && "inputs" in value))
    return false;
  return typeof value.fingerprint === "string" && typeof value.inputs === "object" && value.inputs !== null;
}

/** A file system's clock may be this much behind ours: what changed later than that could change again unseen. */
const CLOCK_MARGIN_MS = 1_000;
const DIGEST_BYTES = 32;

function sha256(content: string | Uint8Array): Buffer {
  return createHash("sha256").update(content).digest();
}

type State = { text: string | null; changedAtMs: number };

/** What tells whether a file was written to or replaced; null for one that is not there. */
async function stateOf(file: string): Promise<State> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return { text: [ino, size, mtimeNs, ctimeNs].join(":"), changedAtMs: Number(ctimeNs / 1_000_000n) };
  } catch {
    return { text: null, changedAtMs: 0 };
  }
}

async function statesOf(files: readonly string[]): Promise<[file: string, State][]> {
  return await Promise.all(files.map(async (file) => [file, await stateOf(file)] as [string, State]));
}

/** Bundles by what they were asked for with. */
export class BundleCache {
  readonly #folder: string | null;

  /** Null keeps nothing. */
  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /** The bundle that `make` makes. `key` is everything but the files that it depends on. */
  async get(key: string, make: () => Promise<Made>): Promise<Bundled> {
    if (this.#folder === null) return bundledFrom((await make()).text);
    const file = path.join(this.#folder, `bundle-${sha256(key).toString("hex")}`);
    const known = await readStored(file);
    if (known !== null) return known;
    const startedAtMs = Date.now();
    const { text, inputs } = await make();
    const bundled = bundledFrom(text);
    const states = await statesOf(inputs);
    // A file that changed while it was read may not be the one that was bundled.
    if (states.some(([, { changedAtMs }]) => changedAtMs > startedAtMs - CLOCK_MARGIN_MS)) return bundled;
    const inputStates = Object.fromEntries(states.map(([input, state]) => [input, state.text]));
    await store(`${file}.js`, text);
    await store(`${file}.json`, JSON.stringify({ fingerprint: bundled.fingerprint, inputs: inputStates }));
    return bundled;
  }

  /** What V8 compiled a bundle to in an earlier start. `fingerprint` is the bundle's SHA-256. */
  async compiled(fingerprint: string): Promise<Buffer | undefined> {
    const file = this.#compiledFile(fingerprint);
    if (file === null) return undefined;
    try {
      const stored = await readFile(file);
      const data = stored.subarray(DIGEST_BYTES);
      // V8 would run whatever a damaged file says.
      return sha256(data).equals(stored.subarray(0, DIGEST_BYTES)) ? data : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps what V8 compiled a bundle to. */
  async keepCompiled(fingerprint: string, data: Buffer): Promise<void> {
    const file = this.#compiledFile(fingerprint);
    if (file !== null) await store(file, Buffer.concat([sha256(data), data]));
  }

  #compiledFile(fingerprint: string): string | null {
    if (this.#folder === null) return null;
    return path.join(this.#folder, `compiled-${process.version}-${process.arch}-${fingerprint}`);
  }
}

async function store(file: string, content: string | Uint8Array): Promise<void> {
  const unfinished = `${file}.${randomUUID()}`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(unfinished, content);
    await rename(unfinished, file);
  } catch {
    // A folder that can't be written makes the next start slower, nothing else.
  }
}

function bundledFrom(text: string): Bundled {
  return { text, fingerprint: sha256(text).toString("hex") };
}

/** The stored bundle if it is whole and all of its files are as they were, else null. */
async function readStored(file: string): Promise<Bundled | null> {
  try {
    const stored: unknown = JSON.parse(await readFile(`${file}.json`, "utf8"));
    if (!isStored(stored)) return null;
    const { fingerprint, inputs } = stored;
    const [content, now] = await Promise.all([readFile(`${file}.js`), statesOf(Object.keys(inputs))]);
    if (!now.every(([input, state]) => state.text === inputs[input])) return null;
    if (sha256(content).toString("hex") !== fingerprint) return null;
    return { text: content.toString("utf8"), fingerprint };
  } catch {
    return null;
  }
}
