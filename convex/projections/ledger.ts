/** The ledger itself, for owners and auditors: canonical texts and hashes, as an auditor's script reads them. */
import { v } from "convex/values";
import { z } from "zod";
import { pageLimit } from "../access/arguments.ts";
import { Refusal } from "../access/errors.ts";
import { readHead, readRange } from "./ledgerReader.ts";
import { projectionQuery } from "./projectionQuery.ts";

/** Sequence and hash (64 hex) of the newest event. */
export const head = projectionQuery({
  function: "projections/ledger:head",
  args: {},
  returns: v.object({ orgId: v.string(), seq: v.number(), hash: v.string() }),
  handler: async ({ ctx, member }) => {
    const newest = await readHead(ctx, member.orgId);
    if (newest === null) throw new Refusal("NOT_FOUND");
    return { orgId: member.orgId, seq: newest.seq, hash: newest.hash };
  },
});

/** Events after a sequence, in order: the canonical text that was hashed, and the hash. At most 200 a page. */
export const events = projectionQuery({
  function: "projections/ledger:events",
  args: { afterSeq: z.int().min(0).default(0), limit: pageLimit },
  returns: v.object({
    entries: v.array(v.object({ text: v.string(), hash: v.string() })),
    nextAfterSeq: v.number(),
    isDone: v.boolean(),
  }),
  handler: async ({ ctx, member, args }) => await readRange(ctx, member.orgId, args.afterSeq, args.limit),
});
