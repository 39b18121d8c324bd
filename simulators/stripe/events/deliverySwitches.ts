/** Switches that change the next deliveries: late, twice, never, in another order, with another body or signature. */
import type { DeliveryAlteration } from "./alterations.ts";

/** What happens to the deliveries that a switch meets. */
export type DeliveryEffect =
  | { readonly kind: "delay"; readonly seconds: number }
  /** The same event, this many times more. */
  | { readonly kind: "duplicate"; readonly copies: number }
  | { readonly kind: "drop" }
  /** The deliveries are held until the switch has met its number of them, then sent in reverse order. */
  | { readonly kind: "reorder" }
  /** The true delivery, and a second one with the same event id and another amount, both validly signed. */
  | { readonly kind: "other_body" }
  | { readonly kind: "alter"; readonly alterations: readonly DeliveryAlteration[] };

export interface DeliverySwitch {
  readonly effect: DeliveryEffect;
  /** Deliveries it still meets. */
  times: number;
  /** Meets only events of this type. */
  readonly type?: string;
  /** Ids of the deliveries that a `reorder` holds. */
  readonly held: string[];
}

/** The switches that are set, in the order in which they were. */
export interface DeliverySwitches {
  add(effect: DeliveryEffect, times: number, type?: string): void;
  list(): readonly DeliverySwitch[];
  clear(): void;
  /** Every switch that meets a delivery of this type; each counts it. */
  take(type: string): DeliverySwitch[];
}

/** No switch is set at first; they are not kept over a restart. */
export function createDeliverySwitches(): DeliverySwitches {
  let switches: DeliverySwitch[] = [];
  return {
    add(effect, times, type) {
      switches.push({ effect, times, held: [], ...(type === undefined ? {} : { type }) });
    },
    list: () => switches,
    clear() {
      switches = [];
    },
    take(type) {
      const met = switches.filter((item) => item.type === undefined || item.type === type);
      for (const item of met) item.times -= 1;
      switches = switches.filter(({ times }) => times > 0);
      return met;
    },
  };
}

/** Switches that come with a name of their own. */
export const NAMED_ALTERATIONS: Readonly<Record<string, readonly DeliveryAlteration[]>> = {
  wrong_mode: [{ kind: "rewrite", path: "livemode", value: true }],
  wrong_account: [{ kind: "rewrite", path: "account", value: "acct_1SomebodyElse00" }],
  wrong_version: [{ kind: "rewrite", path: "api_version", value: "2019-12-03" }],
  tamper: [{ kind: "tamper" }],
  wrong_secret: [{ kind: "wrong_secret" }],
};
