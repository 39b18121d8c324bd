/**
 * The door on convex-test. It gives components the test's own environment, so what this shows of secrets is only that
 * they are needed; that nobody but the ledger component sees them is shown on the host.
 */
import { components } from "../../convex/_generated/api.js";
import { deliveriesContract } from "../contract/deliveries.ts";
import type { PaymentBackend } from "../support/payments.ts";
import { STRIPE_ENVIRONMENT } from "../support/stripe.ts";
import { openTestBackend } from "../support/testBackend.ts";

function open(): Promise<PaymentBackend> {
  const backend = openTestBackend(STRIPE_ENVIRONMENT);
  const t = backend.t as unknown as { mutation(ref: unknown, args: unknown): Promise<unknown> };
  return Promise.resolve({
    backend,
    post: async (body, header) => {
      const headers = {
        "content-type": "application/json",
        ...(header === null ? {} : { "stripe-signature": header }),
      };
      const response = await backend.t.fetch("/webhooks/stripe", { method: "POST", headers, body });
      return { status: response.status, text: await response.text() };
    },
    append: async (args) => await t.mutation(components.events.append.append, args),
  });
}

deliveriesContract(open);
