/** Heads that an auditor knows from elsewhere, and their one-line form. */
import { HASH_PATTERN } from "./hash.ts";

/** A manifest's head, the live server's, an auditor's own note. */
export interface KnownHead {
  readonly hash: string;
  readonly seq?: number;
  /** The chain must end there; otherwise it must only contain it. */
  readonly isLast: boolean;
}

const SEQUENCE_PATTERN = /^(0|[1-9][0-9]{0,14})$/;

/** Reads `SEQ:HASH` or `HASH` (64 lower-case hexadecimal digits); undefined when it is neither. */
export function parseKnownHead(text: string, isLast: boolean): KnownHead | undefined {
  const colon = text.indexOf(":");
  const hash = text.slice(colon + 1);
  if (!HASH_PATTERN.test(hash)) return undefined;
  if (colon === -1) return { hash, isLast };
  const seq = text.slice(0, colon);
  return SEQUENCE_PATTERN.test(seq) ? { hash, seq: Number(seq), isLast } : undefined;
}
