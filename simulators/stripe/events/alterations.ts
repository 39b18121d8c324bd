/** What the switches change in a delivery: the event before it is signed, the signature, or the bytes after it. */

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** `rewrite` changes the signed event at a path like `data.object.amount`; the others break what was signed. */
export type DeliveryAlteration =
  | { readonly kind: "rewrite"; readonly path: string; readonly value: Json }
  | { readonly kind: "tamper" }
  | { readonly kind: "wrong_secret" }
  /** The signature's time is this many seconds before the moment of sending; negative for the future. */
  | { readonly kind: "signed_ago"; readonly seconds: number };

type Node = Record<string, unknown>;

function setAt(node: Node, path: readonly string[], value: Json): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  if (rest.length === 0) {
    node[name] = value;
    return;
  }
  const next = Object.hasOwn(node, name) ? node[name] : undefined;
  if (typeof next !== "object" || next === null) throw new Error(`The event has nothing at ${name}.`);
  setAt(next as Node, rest, value);
}

/** The event as the alterations have it, as Stripe writes it: JSON with two spaces. */
export function alteredBody(event: object, alterations: readonly DeliveryAlteration[]): string {
  const copy = structuredClone(event) as Node;
  for (const alteration of alterations) {
    if (alteration.kind === "rewrite") setAt(copy, alteration.path.split("."), alteration.value);
  }
  return JSON.stringify(copy, null, 2);
}

/** The body with one digit of its first number, or its last character, changed after it was signed. */
export function tamperedBody(body: string, alterations: readonly DeliveryAlteration[]): string {
  if (!alterations.some(({ kind }) => kind === "tamper")) return body;
  const changed = body.replace(
    /("amount": )(\d+)/,
    (_whole, name: string, digits: string) => `${name}${digits}0`,
  );
  return changed === body ? `${body} ` : changed;
}
