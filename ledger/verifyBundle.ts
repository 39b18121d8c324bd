/** Verification of an export from its bytes, in flat memory: the auditor feeds it a file, a web page a download. */
import { LineCutter, parseEntry, parseManifest } from "./bundle.ts";
import type { Line, Manifest } from "./bundle.ts";
import type { Sha256 } from "./hash.ts";
import type { KnownHead } from "./knownHead.ts";
import { createVerifier } from "./verify.ts";
import type { Verdict, Verifier } from "./verify.ts";

export interface BundleVerifierOptions {
  readonly sha256: Sha256;
  /** Heads known from elsewhere. The manifest's own is checked before them. */
  readonly knownHeads?: readonly KnownHead[];
}

/** "not a bundle" is no verdict on a ledger: these bytes do not claim to be one. */
export type BundleVerdict = Verdict | { readonly result: "not a bundle"; readonly reason: string };

/** Use `createBundleVerifier`. Push the bytes in order, in chunks of any size, then finish. */
export class BundleVerifier {
  readonly #options: BundleVerifierOptions;
  readonly #cutter = new LineCutter();
  #verifier: Verifier | undefined;
  #manifest: Manifest | undefined;
  #verdict: BundleVerdict | undefined;

  constructor(options: BundleVerifierOptions) {
    this.#options = options;
  }

  /** The manifest, once its line was read and is sound. */
  get manifest(): Manifest | undefined {
    return this.#manifest;
  }

  /** Events verified so far. */
  get count(): number {
    return this.#verifier?.count ?? 0;
  }

  /** True when no further byte can change the verdict. */
  get isSettled(): boolean {
    return this.#verdict !== undefined || (this.#verifier?.isSettled ?? false);
  }

  push(chunk: Uint8Array): void {
    if (this.isSettled) return;
    for (const line of this.#cutter.push(chunk)) this.#take(line);
  }

  finish(): BundleVerdict {
    const rest = this.#cutter.finish();
    if (rest !== undefined) this.#take(rest);
    if (this.#verdict !== undefined) return this.#verdict;
    return this.#verifier?.finish() ?? { result: "not a bundle", reason: "the input is empty" };
  }

  #take(line: Line): void {
    if (this.#verdict !== undefined) return;
    if (this.#verifier === undefined) {
      this.#begin(line);
      return;
    }
    if (line.kind === "unfinished") {
      this.#verifier.pushCut("a line without a newline at its end");
    } else if (line.kind === "unreadable") {
      this.#verifier.pushUnreadable(line.reason);
    } else {
      const parsed = parseEntry(line.text);
      if (parsed.ok) this.#verifier.push(parsed.entry);
      else this.#verifier.pushUnreadable(parsed.reason);
    }
  }

  #begin(line: Line): void {
    if (line.kind !== "line") {
      this.#verdict = { result: "not a bundle", reason: "the first line is not a manifest" };
      return;
    }
    const parsed = parseManifest(line.text);
    if (!parsed.ok) {
      this.#verdict = parsed.isBundle
        ? damagedManifest(parsed.reason)
        : { result: "not a bundle", reason: parsed.reason };
      return;
    }
    const { orgId, headSeq, headHash } = parsed.manifest;
    this.#manifest = parsed.manifest;
    this.#verifier = createVerifier({
      orgId,
      sha256: this.#options.sha256,
      knownHeads: [{ seq: headSeq, hash: headHash, isLast: true }, ...(this.#options.knownHeads ?? [])],
    });
  }
}

/** The manifest stands at position 0, before the first event. */
function damagedManifest(found: string): Verdict {
  const damage = { kind: "not canonical", seq: 0, expected: "a manifest of the format", found } as const;
  return { result: "damaged", orgId: undefined, count: 0, headHash: undefined, damage };
}

/** Starts the verification of one export. */
export function createBundleVerifier(options: BundleVerifierOptions): BundleVerifier {
  return new BundleVerifier(options);
}
