/** Who a caller is, as text to compare. */
import stringify from "fast-json-stable-stringify";
import type { Identity } from "../contract.ts";

const resultKeys = new WeakMap<Identity, string>();

function writeResultKey(identity: Identity): string {
  switch (identity.kind) {
    case "anonymous":
      return "";
    case "user":
      return `user ${stringify(identity.attributes)}`;
    case "admin":
      return `admin ${stringify(identity.actingAs)}`;
  }
}

/** Callers with the same key get the same results: every attribute counts, because a query may show any of them. */
export function resultIdentityKey(identity: Identity): string {
  let key = resultKeys.get(identity);
  if (key === undefined) {
    key = writeResultKey(identity);
    resultKeys.set(identity, key);
  }
  return key;
}

/** The same person across token renewals, which change attributes like the time of issue. */
export function personKey(identity: Identity): string {
  switch (identity.kind) {
    case "anonymous":
      return "";
    case "user":
      return `user ${identity.attributes.tokenIdentifier}`;
    case "admin":
      return `admin ${identity.actingAs?.tokenIdentifier ?? ""}`;
  }
}
