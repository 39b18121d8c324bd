/** Verification of an export from its bytes, in flat memory: the auditor feeds it a file, a web page a download. */
import { LineCutter, parseEntry } from "./bundle.ts";
import type { Line, Manifest } from "./bundle.ts";
import { OpeningReader } from "./bundleOpening.ts";
import type { Opening, OpeningStep } from "./bundleOpening.ts";
import type { Sha256 } from "./hash.ts";
import type { KnownHead } from "./knownHead.ts";
import type { TreeRoots } from "./treeRoots.ts";
import { createVerifier } from "./verify.ts";
import type { Verdict, Verifier } from "./verify.ts";

export interface BundleVerifierOptions {
  readonly sha256: Sha256;
  /** Heads known from elsewhere. The manifest's own is checked before them. */
  readonly knownHeads?: readonly KnownHead[];
  /** Told what stands before the first event; answers whether the events' tree is wanted. */
  readonly treeFor?: (opening: Opening) => TreeRoots | undefined;
}

/** "not a bundle" is no verdict on a ledger: these bytes do not claim to be one. */
export type BundleVerdict = Verdict | { readonly result: "not a bundle"; readonly reason: string };

/** Use `createBundleVerifier`. Push the bytes in order, in chunks of any size, then finish. */
export class BundleVerifier {
  readonly #options: BundleVerifierOptions;
  readonly #cutter = new LineCutter();
  readonly #opening = new OpeningReader();
  #verifier: Verifier | undefined;
  #tree: TreeRoots | undefined;
  #verdict: BundleVerdict | undefined;

  constructor(options: BundleVerifierOptions) {
    this.#options = options;
  }

  /** The manifest, once its line was read and is sound. */
  get manifest(): Manifest | undefined {
    return this.#opening.manifest;
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
    return this.#verifier?.finish() ?? faultyOpening(this.#opening.finish());
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
      this.#takeEntry(this.#verifier, line.text);
    }
  }

  #takeEntry(verifier: Verifier, line: string): void {
    const parsed = parseEntry(line);
    if (!parsed.ok) {
      verifier.pushUnreadable(parsed.reason);
      return;
    }
    const before = verifier.count;
    verifier.push(parsed.entry);
    if (verifier.count > before) this.#tree?.add(parsed.entry.hash);
  }

  #begin(line: Line): void {
    const step = this.#opening.take(line);
    if (step.kind === "more") return;
    if (step.kind !== "done") {
      this.#verdict = faultyOpening(step);
      return;
    }
    const { orgId, headSeq, headHash } = step.opening.manifest;
    this.#tree = this.#options.treeFor?.(step.opening);
    this.#verifier = createVerifier({
      orgId,
      sha256: this.#options.sha256,
      knownHeads: [{ seq: headSeq, hash: headHash, isLast: true }, ...(this.#options.knownHeads ?? [])],
    });
  }
}

/** What stands before the first event has the position 0. */
function faultyOpening(step: Exclude<OpeningStep, { readonly kind: "more" | "done" }>): BundleVerdict {
  const { kind, reason } = step;
  if (kind === "not a bundle") return { result: "not a bundle", reason };
  const damage = { kind, seq: 0, expected: "a manifest and evidence of the format", found: reason } as const;
  return { result: "damaged", orgId: undefined, count: 0, headHash: undefined, damage };
}

/** Starts the verification of one export. */
export function createBundleVerifier(options: BundleVerifierOptions): BundleVerifier {
  return new BundleVerifier(options);
}
