/** A server that answers the ledger's functions in the wire format of Convex's HTTP API, and can be told to lie. */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { LedgerEntry } from "../../ledger/verify.ts";

export const TOKEN = "token-of-an-auditor";
const UDF_FAILED = 560;
const PAGE_MAX = 200;
export const BEGIN_EXPORT = "commands/ledger:beginExport";

export interface Served {
  readonly head: { readonly orgId: string; readonly seq: number; readonly hash: string };
  readonly entries: readonly LedgerEntry[];
  /** Replaces the answer to one path. A redirect leads to where the true answer is. */
  readonly answers?: Readonly<Record<string, { readonly status: number; readonly body: string }>>;
  /** By size. A receipt is what the sample's log makes of them. */
  readonly checkpoints?: readonly { readonly size: number; readonly at: number; readonly note: string }[];
  readonly anchorOf?: (size: number) => object | null;
  readonly receipts?: (seq: number) => { readonly receipt: string; readonly anchoredReceipt: string | null };
  /** The digests of each read model's rows by key, as a server has them. */
  readonly models?: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Says that there is more and never moves on. */
  readonly isEndless?: boolean;
}

export interface ServedLedger {
  readonly url: string;
  readonly requests: readonly {
    readonly path: string;
    readonly args: unknown;
    readonly authorization: string;
  }[];
  close(): Promise<void>;
}

interface Query {
  readonly path: string;
  readonly format: string;
  readonly args: readonly [
    {
      readonly afterSeq?: number;
      readonly limit?: number;
      readonly afterSize?: number;
      readonly size?: number;
      readonly seq?: number;
      readonly table?: string;
      readonly paginationOpts?: { readonly cursor: string | null };
    },
  ];
}

/** Small, so that a few rows are several pages. */
const DIGESTS_PAGE = 2;

function digests(served: Served, { table = "", paginationOpts }: Query["args"][0]): object {
  const rows = [...(served.models?.get(table) ?? [])];
  const from = Number(paginationOpts?.cursor ?? 0);
  const page = rows.slice(from, from + DIGESTS_PAGE).map(([key, digest]) => ({ key, digest }));
  const next = from + page.length;
  return { seq: served.head.seq, page, isDone: next >= rows.length, continueCursor: String(next) };
}

async function readBody(request: IncomingMessage): Promise<Query> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text) as Query;
}

function page(served: Served, { afterSeq = 0, limit = 50 }: Query["args"][0]): object {
  const entries = served.entries.slice(afterSeq, afterSeq + Math.min(limit, PAGE_MAX));
  const nextAfterSeq = afterSeq + entries.length;
  if (served.isEndless === true) return { entries, nextAfterSeq: nextAfterSeq + 1, isDone: false };
  return { entries, nextAfterSeq, isDone: nextAfterSeq >= served.entries.length };
}

const NOT_FOUND = { refused: "NOT_FOUND" };

type Args = Query["args"][0];

function checkpointPage({ checkpoints = [] }: Served, { afterSize = 0, limit = PAGE_MAX }: Args): object {
  const after = checkpoints.filter(({ size }) => size > afterSize).slice(0, limit);
  return { checkpoints: after, nextAfterSize: after.at(-1)?.size ?? 0, isDone: after.length < limit };
}

function oneCheckpoint({ checkpoints = [], anchorOf }: Served, { size = 0 }: Args): object {
  const checkpoint = checkpoints.find((known) => known.size === size);
  return checkpoint === undefined ? NOT_FOUND : { checkpoint, anchor: anchorOf?.(size) ?? null };
}

/** What a query answers, by its path. */
const QUERIES: Readonly<Record<string, (served: Served, args: Args) => object>> = {
  "projections/ledger:head": ({ head }) => head,
  "projections/ledger:checkpoints": checkpointPage,
  "projections/ledger:checkpoint": oneCheckpoint,
  "projections/ledger:inclusionProof": ({ receipts }, { seq = 0 }) => receipts?.(seq) ?? NOT_FOUND,
  "projections/ledger:rowDigests": digests,
};

function answer(
  served: Served,
  url: string,
  query: Query,
  authorization: string,
): { status: number; body: string } {
  const replaced = url === "/api/query" || url === "/api/mutation" ? served.answers?.[query.path] : undefined;
  if (replaced !== undefined) return replaced;
  if (authorization !== `Bearer ${TOKEN}` || query.format !== "convex_encoded_json") {
    const errorData = { code: "UNAUTHENTICATED", message: "Sign in." };
    return { status: UDF_FAILED, body: JSON.stringify({ status: "error", errorMessage: "x", errorData }) };
  }
  if (query.path === BEGIN_EXPORT) {
    if (url !== "/api/mutation") return { status: UDF_FAILED, body: "" };
    const { orgId, seq, hash } = served.head;
    const receipt = { orgId, firstSeq: seq + 1, lastSeq: seq + 1, headHash: "0".repeat(64), eventIds: [] };
    const begun = { status: "committed", replayed: false, result: { headHash: hash }, receipt };
    return { status: 200, body: JSON.stringify({ status: "success", value: begun, logLines: [] }) };
  }
  const value = (QUERIES[query.path] ?? page)(served, query.args[0]);
  return { status: 200, body: JSON.stringify({ status: "success", value, logLines: [] }) };
}

export async function serveLedger(served: Served): Promise<ServedLedger> {
  const requests: { path: string; args: unknown; authorization: string }[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const query = await readBody(request);
    const authorization = request.headers.authorization ?? "";
    requests.push({ path: query.path, args: query.args[0], authorization });
    const { status, body } = answer(served, request.url ?? "", query, authorization);
    response.writeHead(status, { "content-type": "application/json", location: "/elsewhere" }).end(body);
  };
  const server = createServer((request, response) => {
    void handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}
