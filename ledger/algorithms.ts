/** The two algorithms that a verifier of evidence needs. Fixed by the formats: nothing in a file can choose another. */
import { verifyNoble } from "./ed25519.ts";
import type { Ed25519Verify } from "./ed25519.ts";
import { sha256Noble } from "./hash.ts";
import type { Sha256 } from "./hash.ts";

export interface Algorithms {
  readonly sha256: Sha256;
  readonly verify: Ed25519Verify;
}

/** For every engine: Convex, browsers, Node. */
export const ALGORITHMS_NOBLE: Algorithms = { sha256: sha256Noble, verify: verifyNoble };
