import { z } from "zod";
import { defineEvent } from "./definition.ts";
import { businessName, currency } from "./fields.ts";

export const organizationEvents = {
  "organization.created": defineEvent(
    z.strictObject({ name: businessName, timeZone: z.string().min(1), currency }),
  ),
  "organization.renamed": defineEvent(z.strictObject({ name: businessName })),
};
