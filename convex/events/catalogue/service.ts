import { z } from "zod";
import { defineEvent } from "./definition.ts";
import { amountMinor, businessName, currency } from "./fields.ts";

export const serviceEvents = {
  "service.defined": defineEvent(
    z.strictObject({
      name: businessName,
      durationMinutes: z.int().positive(),
      priceMinor: amountMinor,
      currency,
      /** What of the price is asked for first; absent where all of it is. */
      depositMinor: z.exactOptional(amountMinor.positive()),
    }),
  ),
  "service.retired": defineEvent(z.strictObject({})),
};
