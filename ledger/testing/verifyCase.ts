import type { Sha256 } from "../hash.ts";
import { parseKnownHead } from "../knownHead.ts";
import type { KnownHead } from "../knownHead.ts";
import { createBundleVerifier } from "../verifyBundle.ts";
import type { BundleVerdict } from "../verifyBundle.ts";

const encoder = new TextEncoder();

/** Heads that the auditor knows from elsewhere, `SEQ:HASH` or `HASH`. */
export interface HeadTexts {
  readonly expectHead?: string;
  readonly earlierHead?: string;
}

/** Those that were given. */
export function knownHeadsOf({ expectHead, earlierHead }: HeadTexts): KnownHead[] {
  return [
    expectHead === undefined ? undefined : parseKnownHead(expectHead, true),
    earlierHead === undefined ? undefined : parseKnownHead(earlierHead, false),
  ].filter((head) => head !== undefined);
}

/** Runs bytes through the verification of bundles, in chunks of a given size. */
export function verifyBytes(
  bundle: string | Uint8Array,
  sha256: Sha256,
  heads: HeadTexts = {},
  chunkSize = 65_536,
): BundleVerdict {
  const bytes = typeof bundle === "string" ? encoder.encode(bundle) : bundle;
  const verifier = createBundleVerifier({ sha256, knownHeads: knownHeadsOf(heads) });
  for (let start = 0; start < bytes.length; start += chunkSize) {
    verifier.push(bytes.subarray(start, start + chunkSize));
  }
  return verifier.finish();
}
