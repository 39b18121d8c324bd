import { z } from "zod";
import { defineEvent } from "./definition.ts";
import { sha256Hex } from "./fields.ts";

export const exportEvents = {
  /** Somebody began to read the whole ledger, up to this head; the event itself lies after it. */
  "export.begun": defineEvent(z.strictObject({ headSeq: z.int().positive(), headHash: sha256Hex })),
};
