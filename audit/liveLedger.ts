/**
 * Reads a running server's ledger over Convex's HTTP API. What it answers is a claim: nothing here is believed
 * before the verifier has seen it, and a server that never comes to an end is not followed.
 */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { HASH_PATTERN } from "../ledger/hash.ts";
import { idPattern } from "../ledger/ids.ts";
import { AuditError } from "./auditError.ts";
import type { LiveLedger } from "./server.ts";

const PAGE_EVENTS_MAX = 200;
const REQUEST_TIMEOUT_MS = 30_000;
/** Convex answers with 16 MiB at most; escaped once more, that is less than this. */
const ANSWER_BYTES_MAX = 64 * 1024 ** 2;
/** A server's message is shown, but not at any length. */
const MESSAGE_LENGTH_MAX = 200;

const headAnswer = z.object({
  orgId: z.string().regex(idPattern("org")),
  seq: z.int().min(0),
  hash: z.string().regex(HASH_PATTERN),
});

const pageAnswer = z.object({
  entries: z.array(z.object({ text: z.string(), hash: z.string() })),
  nextAfterSeq: z.int().min(0),
  isDone: z.boolean(),
});

const digestsAnswer = z.object({
  seq: z.int().min(0),
  page: z.array(z.object({ key: z.string(), digest: z.string().regex(HASH_PATTERN) })),
  isDone: z.boolean(),
  continueCursor: z.string(),
});

const beginAnswer = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("committed"),
    result: z.object({ headHash: z.string().regex(HASH_PATTERN) }),
    receipt: z.object({ orgId: z.string().regex(idPattern("org")), firstSeq: z.int().min(1) }),
  }),
  z.object({ status: z.literal("rejected"), code: z.string() }),
]);

const envelope = z.discriminatedUnion("status", [
  z.object({ status: z.literal("success"), value: z.unknown() }),
  z.object({
    status: z.literal("error"),
    errorMessage: z.string(),
    errorData: z.object({ code: z.string() }).optional().catch(undefined),
  }),
]);

export type LiveHead = z.infer<typeof headAnswer>;
export type LivePage = z.infer<typeof pageAnswer>;

export type LiveDigests = z.infer<typeof digestsAnswer>;

const NEXT_BY_CODE: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: "Sign in again and pass the new token with DAYBOOK_TOKEN or --token.",
  NO_ACTIVE_ORG: "Use a token whose organisation is the one to audit, or select it first.",
  FORBIDDEN: "Reading the ledger needs the role owner or auditor: ask an owner for it.",
  RATE_LIMITED: "Wait a minute and try again.",
  CONFLICT:
    "No checkpoint covers the event yet: have one made with commands/ledger:requestCheckpoint, or wait for the next.",
};

type Kind = "query" | "mutation";

async function post(ledger: LiveLedger, kind: Kind, path: string, args: object): Promise<Response> {
  try {
    return await fetch(`${ledger.url}/api/${kind}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${ledger.token}` },
      body: JSON.stringify({ path, format: "convex_encoded_json", args: [args] }),
      // Followed, a redirect would take the token along to wherever it points.
      redirect: "error",
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
  } catch (error) {
    const next = "Check the address, and that the server runs and can be reached from here.";
    throw new AuditError(`${ledger.url} did not answer.`, next, { cause: error });
  }
}

/** The answer's value; undefined for one that is no JSON, or has no end that is worth waiting for. */
async function readAnswer(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response.body ?? []) {
      length += chunk.length;
      if (length > ANSWER_BYTES_MAX) return undefined;
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return undefined;
  }
}

export async function call<Answer>(
  ledger: LiveLedger,
  kind: Kind,
  path: string,
  args: object,
  answer: z.ZodType<Answer>,
): Promise<Answer> {
  const response = await post(ledger, kind, path, args);
  const body = envelope.safeParse(await readAnswer(response));
  if (!body.success) {
    const next = "Check that the address is that of a Daybook server and not of its web page.";
    throw new AuditError(`${ledger.url} gave no answer to ${path} (HTTP ${response.status}).`, next);
  }
  if (body.data.status === "error") {
    const code = body.data.errorData?.code;
    const reason = code ?? body.data.errorMessage.slice(0, MESSAGE_LENGTH_MAX);
    const next = (code === undefined ? undefined : NEXT_BY_CODE[code]) ?? "Ask whoever runs the server.";
    throw new AuditError(`The server refused ${path}: ${reason}.`, next);
  }
  const value = answer.safeParse(body.data.value);
  if (value.success) return value.data;
  const next = "The server runs another version: audit with the version that it runs.";
  throw new AuditError(`The server's answer to ${path} has another shape.`, next, { cause: value.error });
}

/** The head that the server claims now. Read it before the events: the ledger may grow meanwhile. */
export async function readHead(ledger: LiveLedger): Promise<LiveHead> {
  return await call(ledger, "query", "projections/ledger:head", {}, headAnswer);
}

/**
 * Records in the ledger that it is exported, and returns the head that the export covers; or the code with which the
 * server refused to record it, as in an organisation that is closed or whose ledger is damaged.
 */
export async function beginExport(ledger: LiveLedger): Promise<LiveHead | { readonly refused: string }> {
  const args = { idempotencyKey: randomUUID() };
  const begun = await call(ledger, "mutation", "commands/ledger:beginExport", args, beginAnswer);
  if (begun.status === "rejected") return { refused: begun.code };
  const { orgId, firstSeq } = begun.receipt;
  return { orgId, seq: firstSeq - 1, hash: begun.result.headHash };
}

/** The entries after a sequence up to a head's, page by page; fewer when the server has no more. */
export async function* readPages(
  ledger: LiveLedger,
  head: Pick<LiveHead, "seq">,
  after = 0,
): AsyncGenerator<LivePage["entries"], void> {
  let afterSeq = after;
  while (afterSeq < head.seq) {
    const limit = Math.min(PAGE_EVENTS_MAX, head.seq - afterSeq);
    const page = await call(ledger, "query", "projections/ledger:events", { afterSeq, limit }, pageAnswer);
    yield page.entries;
    if (page.isDone || page.entries.length === 0 || page.nextAfterSeq <= afterSeq) return;
    afterSeq = page.nextAfterSeq;
  }
}

/**
 * A page of the digests of a read model's live rows, in the order of their keys, and the head that it was read at.
 * `cursor` is where the page before ended; null for the first.
 */
export async function readRowDigests(
  ledger: LiveLedger,
  table: string,
  cursor: string | null,
): Promise<LiveDigests> {
  const args = { table, paginationOpts: { numItems: PAGE_EVENTS_MAX, cursor } };
  return await call(ledger, "query", "projections/ledger:rowDigests", args, digestsAnswer);
}
