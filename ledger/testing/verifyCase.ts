import type { Sha256 } from "../hash.ts";
import { parseKnownHead } from "../knownHead.ts";
import { createBundleVerifier } from "../verifyBundle.ts";
import type { BundleVerdict } from "../verifyBundle.ts";

const encoder = new TextEncoder();

/** Runs bytes through the verification of bundles, in chunks of a given size. */
export function verifyBytes(
  bundle: string | Uint8Array,
  sha256: Sha256,
  heads: { readonly expectHead?: string; readonly earlierHead?: string } = {},
  chunkSize = 65_536,
): BundleVerdict {
  const bytes = typeof bundle === "string" ? encoder.encode(bundle) : bundle;
  const knownHeads = [
    heads.expectHead === undefined ? undefined : parseKnownHead(heads.expectHead, true),
    heads.earlierHead === undefined ? undefined : parseKnownHead(heads.earlierHead, false),
  ].filter((head) => head !== undefined);
  const verifier = createBundleVerifier({ sha256, knownHeads });
  for (let start = 0; start < bytes.length; start += chunkSize) {
    verifier.push(bytes.subarray(start, start + chunkSize));
  }
  return verifier.finish();
}
