import { parseManifest } from "../bundle.ts";
import { ChainJoin } from "../chainJoin.ts";
import { ChainSegment } from "../chainSegment.ts";
import { toHex } from "../hash.ts";
import type { Sha256 } from "../hash.ts";
import { memoryStore } from "../identities.ts";
import { parseId } from "../ids.ts";
import type { Verdict } from "../verify.ts";
import { knownHeadsOf } from "./verifyCase.ts";
import type { HeadTexts } from "./verifyCase.ts";

const NEWLINE = 0x0a;

/** The fast way to "intact", over bytes in memory, in segments of `linesPerSegment` lines. */
export function findIntactBytes(
  bytes: Uint8Array,
  sha256: Sha256,
  heads: HeadTexts = {},
  linesPerSegment = 7,
): Verdict | undefined {
  const manifestEnd = bytes.indexOf(NEWLINE);
  const parsed = parseManifest(new TextDecoder().decode(bytes.subarray(0, manifestEnd)));
  const orgId = parsed.ok ? parseId("org", parsed.manifest.orgId) : undefined;
  if (manifestEnd === -1 || !parsed.ok || orgId === undefined) return undefined;
  const join = new ChainJoin({
    manifest: parsed.manifest,
    sha256,
    knownHeads: knownHeadsOf(heads),
    store: memoryStore(),
  });
  const sha256Hex = (text: Uint8Array) => toHex(sha256(text));
  const segment = new ChainSegment({ orgId, sha256Hex, knownHashes: join.knownHashes });
  for (let at = manifestEnd + 1; at < bytes.length;) {
    segment.clear();
    for (let line = 0; line < linesPerSegment && at < bytes.length; line += 1) {
      at = segment.push(bytes, at);
      if (at < 0) return undefined;
    }
    if (!join.add(segment.ends, segment.identities.words)) return undefined;
  }
  return join.finish();
}
