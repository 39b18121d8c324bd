/** `expand[]`: ids in an answer become the objects they name. */
import { StripeApiError } from "./apiError.ts";
import type { AccountBook } from "../state/simulatorState.ts";

const DEPTH_MAX = 4;

type Node = Record<string, unknown>;
const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Answers are expanded when everything is done, so that a key saves this error. */
const badExpand = (message: string) =>
  new StripeApiError(400, message, { code: "parameter_invalid", param: "expand" });

function find(book: AccountBook, id: string): unknown {
  return (
    book.paymentIntents.get(id) ??
    book.charges.get(id) ??
    book.balanceTransactions.get(id) ??
    book.paymentMethods.get(id)?.object ??
    book.refunds.get(id) ??
    (book.account.id === id ? book.account : undefined)
  );
}

/** Lists that an object holds only when they are asked for. */
function includable(book: AccountBook, node: Node, name: string): unknown {
  if (node["object"] !== "charge" || name !== "refunds") return undefined;
  const id = String(node["id"]);
  const data = [...book.refunds.values()].filter(({ charge }) => charge === id).reverse();
  return { object: "list", url: `/v1/charges/${id}/refunds`, has_more: false, data };
}

/** What a property holds once it is expanded; undefined for one that cannot be. */
function expanded(book: AccountBook, node: Node, name: string): unknown {
  const value = (Object.hasOwn(node, name) ? node[name] : undefined) ?? includable(book, node, name);
  if (typeof value === "string") return find(book, value);
  const isObject = Array.isArray(value) || (isNode(value) && "object" in value);
  return isObject || (value === undefined && node[name] === null) ? (value ?? null) : undefined;
}

function expandPath(book: AccountBook, node: unknown, path: readonly string[], whole: string): void {
  const [name, ...rest] = path;
  if (name === undefined || node === null) return;
  if (Array.isArray(node)) {
    for (const item of node) expandPath(book, item, path, whole);
    return;
  }
  const value = isNode(node) ? expanded(book, node, name) : undefined;
  if (!isNode(node) || value === undefined) {
    throw badExpand(`This property cannot be expanded (${whole}).`);
  }
  node[name] = structuredClone(value);
  expandPath(book, node[name], rest, whole);
}

/**
 * A copy of an answer with the named properties expanded, like `latest_charge.balance_transaction` or, in lists,
 * `data.latest_charge`.
 * @throws StripeApiError (400) for a property that names no object, or a path of more than four.
 */
export function expandAnswer(book: AccountBook, answer: object, paths: readonly string[]): object {
  const copy = structuredClone(answer);
  for (const path of paths) {
    const names = path.split(".");
    if (names.length > DEPTH_MAX) {
      throw badExpand(`You cannot expand more than ${DEPTH_MAX} levels.`);
    }
    expandPath(book, copy, names, path);
  }
  return copy;
}
