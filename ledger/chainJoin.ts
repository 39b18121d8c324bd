/** Joins the segments of one export in order: the seams, what needs all of a ledger, and the known heads. */
import type { Manifest } from "./bundle.ts";
import type { SegmentEnds } from "./chainSegment.ts";
import { genesisHash } from "./hash.ts";
import type { Sha256 } from "./hash.ts";
import { IdentityCheck } from "./identities.ts";
import type { BlockStore } from "./identities.ts";
import type { KnownHead } from "./knownHead.ts";
import type { Verdict } from "./verify.ts";

export interface JoinOptions {
  readonly manifest: Manifest;
  readonly sha256: Sha256;
  readonly knownHeads: readonly KnownHead[];
  /** Where the identities of a large ledger go. */
  readonly store: BlockStore;
}

/** Add every segment in the order of the export, then ask for the verdict. */
export class ChainJoin {
  readonly #manifest: Manifest;
  readonly #heads: readonly KnownHead[];
  readonly #identities: IdentityCheck;
  readonly #met = new Map<string, number>();
  #count = 0;
  #headHash: string;
  #recordedAt = 0;
  #isSound = true;

  constructor({ manifest, sha256, knownHeads, store }: JoinOptions) {
    this.#manifest = manifest;
    this.#heads = [{ seq: manifest.headSeq, hash: manifest.headHash, isLast: true }, ...knownHeads];
    this.#identities = new IdentityCheck(store);
    this.#headHash = genesisHash(manifest.orgId, sha256);
    this.#met.set(this.#headHash, 0);
  }

  /** Events joined so far. */
  get count(): number {
    return this.#count;
  }

  /** The hashes whose sequences the segments must tell. */
  get knownHashes(): readonly string[] {
    return [...new Set(this.#heads.map(({ hash }) => hash))];
  }

  /** Joins the next segment. False when it does not follow; then nothing more needs to be added. */
  add(ends: SegmentEnds, identities: Uint32Array): boolean {
    if (ends.count === 0) return this.#isSound;
    this.#isSound &&=
      ends.firstSeq === this.#count + 1 &&
      ends.firstPrevHash === this.#headHash &&
      ends.firstRecordedAt >= this.#recordedAt;
    if (!this.#isSound) return false;
    this.#identities.add(identities);
    for (const { hash, seq } of ends.met) this.#met.set(hash, seq);
    this.#count += ends.count;
    this.#headHash = ends.lastHash;
    this.#recordedAt = ends.lastRecordedAt;
    return true;
  }

  /** The verdict if the ledger is intact, as the reference would give it; undefined when it is not known to be. */
  finish(): Verdict | undefined {
    const isIntact =
      this.#isSound && this.#heads.every((head) => this.#isMet(head)) && this.#identities.isSound();
    if (!isIntact) return undefined;
    return { result: "intact", orgId: this.#manifest.orgId, count: this.#count, headHash: this.#headHash };
  }

  #isMet(head: KnownHead): boolean {
    const seq = this.#met.get(head.hash);
    return seq !== undefined && seq === (head.seq ?? seq) && (!head.isLast || seq === this.#count);
  }
}
