import { z } from "zod";
import { defineEvent } from "./definition.ts";

export const readingEvents = {
  /** Somebody began to read these lines of the audit log, both ends included. */
  "reading.begun": defineEvent(z.strictObject({ fromSeq: z.int().positive(), toSeq: z.int().positive() })),
};
