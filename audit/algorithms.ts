/** The algorithms of evidence on Node: its own SHA-256, and the signatures of the library, which are few. */
import type { Algorithms } from "../ledger/algorithms.ts";
import { verifyNoble } from "../ledger/ed25519.ts";
import { nodeSha256 } from "./nodeSha256.ts";

export const NODE_ALGORITHMS: Algorithms = { sha256: nodeSha256, verify: verifyNoble };
