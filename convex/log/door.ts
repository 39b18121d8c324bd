/**
 * DOOR: the logs' signed heads and public keys over HTTP, for witnesses, monitors and anybody else. Without a token:
 * a checkpoint holds an id, a size and a root, and is there to be compared. An organisation that there is not, one
 * without a checkpoint and a path that leads nowhere answer the same bytes.
 */
import { isId } from "../../ledger/ids.ts";
import { internal } from "../_generated/api.js";
import type { ActionCtx } from "../_generated/server.js";

const PREFIX = "/log/";
const ORGANIZATION = /^org\/([^/]+)\/checkpoint$/;
const LOG_OF_LOGS = "log";

/** Heads move with every checkpoint: a stale one would look like a log that stands still. */
const HEADERS = {
  "content-type": "text/plain; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

function answer(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { ...HEADERS, ...headers } });
}

async function find(ctx: ActionCtx, path: string): Promise<string | null> {
  if (path === "keys") return await ctx.runQuery(internal.log.published.keys, {});
  if (path === "checkpoint") {
    return await ctx.runQuery(internal.log.published.checkpoint, { tree: LOG_OF_LOGS });
  }
  const orgId = ORGANIZATION.exec(path)?.[1];
  if (!isId("org", orgId)) return null;
  return await ctx.runQuery(internal.log.published.checkpoint, { tree: orgId });
}

/** Answers `GET` of `/log/checkpoint`, `/log/org/<orgId>/checkpoint` and `/log/keys`; 404 for every other path. */
export async function answerLog(ctx: ActionCtx, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const found = await find(ctx, pathname.slice(PREFIX.length));
  return found === null ? answer(404, "Not found.\n") : answer(200, found);
}

/** Answers what only reads are for. */
export function refuseMethod(): Response {
  return answer(405, "Only GET and HEAD.\n", { allow: "GET, HEAD" });
}
