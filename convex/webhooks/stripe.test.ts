import { expect, test, vi } from "vitest";
import type { ActionCtx } from "../_generated/server.js";
import { receiveStripe } from "./stripe.ts";

test("R37 a body that breaks off is told as failed, so that Stripe sends it again, and nothing of it is logged", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const body = new ReadableStream({
    pull: (controller) => {
      controller.error(new TypeError("the payer's data"));
    },
  });
  const request = { headers: new Headers({ "stripe-signature": "t=1,v1=0" }), body };
  // The body is read before the context is used.
  const answer = await receiveStripe({} as ActionCtx, request as unknown as Request);
  expect(answer).toBe("failed");
  expect(logged.mock.calls).toEqual([["webhooks/stripe: TypeError, nothing was committed"]]);
});
