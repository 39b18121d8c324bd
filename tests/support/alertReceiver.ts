/** What receives alerts in tests: it keeps what came, verifies it as a receiver does, and answers as it is told. */
import { Webhook } from "standardwebhooks";

export type Delivery = {
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string;
};

/** How the receiver answers: with a status, with a redirect to a place of its own, or never. */
export type Behaviour = number | "redirect" | "hang";

export const WEBHOOK_SECRET = `whsec_${btoa("daybook-alerts-in-tests!")}`;
export const REDIRECTED_TO = "/elsewhere";

export class AlertReceiver {
  readonly deliveries: Delivery[] = [];
  behaviour: Behaviour = 204;

  /** What came for one organisation, of those that were answered or not. */
  for(orgId: string): Delivery[] {
    return this.deliveries.filter(({ body }) => body.includes(orgId));
  }
}

/** The message in a delivery. Throws where the signature is not that of the secret, over these very bytes. */
export function verified({ headers, body }: Delivery): unknown {
  return new Webhook(WEBHOOK_SECRET).verify(body, { ...headers });
}
