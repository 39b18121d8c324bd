/** Messages of Convex's WebSocket sync protocol: clients' are checked, ours are written as JSON text. */
import { z } from "zod";
import type { Outcome, QueryResult, Timestamp } from "../engine/contract.ts";
import { errorMessage, functionArguments, type Presentation } from "./functionCalls.ts";
import { decodeTimestamp, encodeTimestamp } from "./timestamps.ts";

const counter = z.int().min(0);
const functionCall = {
  udfPath: z.string().min(1).max(1024),
  args: functionArguments,
  componentPath: z.string().max(1024).nullish(),
};

const modification = z.discriminatedUnion("type", [
  z.object({ type: z.literal("Add"), queryId: counter, journal: z.string().nullish(), ...functionCall }),
  z.object({ type: z.literal("Remove"), queryId: counter }),
]);

/** Unknown fields are ignored, as the protocol does: clients of other versions send more. */
export const clientMessage = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("Connect"),
    sessionId: z.guid(),
    maxObservedTimestamp: z
      .string()
      .transform((text, context) => {
        const ts = decodeTimestamp(text);
        if (ts === undefined) context.addIssue("is not a timestamp");
        return ts ?? 0n;
      })
      .nullish(),
    clientTs: z.number().nullish(),
  }),
  z.object({
    type: z.literal("ModifyQuerySet"),
    baseVersion: counter,
    newVersion: counter,
    modifications: z.array(modification),
  }),
  z.object({ type: z.literal("Mutation"), requestId: counter, ...functionCall }),
  z.object({ type: z.literal("Action"), requestId: counter, ...functionCall }),
  z.object({
    type: z.literal("Authenticate"),
    baseVersion: counter,
    tokenType: z.enum(["User", "Admin", "None"]),
    value: z.string().optional(),
    impersonating: z.unknown().optional(),
  }),
  z.object({ type: z.literal("Event") }),
]);

export type ClientMessage = z.output<typeof clientMessage>;
export type ClientMessageOf<Type extends ClientMessage["type"]> = Extract<ClientMessage, { type: Type }>;
export type QuerySetChange = z.output<typeof modification>;
export type AddedQuery = Extract<QuerySetChange, { type: "Add" }>;

/** A point in the client's history; every Transition starts where the one before it ended. */
export type StateVersion = { querySet: number; identity: number; ts: Timestamp };

export const ping = '{"type":"Ping"}';

/** Ends the client for good. */
export function fatalError(error: string): string {
  return JSON.stringify({ type: "FatalError", error });
}

/** `authUpdateAttempted`: whether an Authenticate message failed, or a token accepted earlier has expired. */
export function authError(error: string, baseVersion: number, authUpdateAttempted: boolean): string {
  return JSON.stringify({ type: "AuthError", error, baseVersion, authUpdateAttempted });
}

/** `at` is the commit's timestamp, for mutations that took effect. */
export function response(
  type: "MutationResponse" | "ActionResponse",
  ids: { requestId: number; callId: string },
  outcome: Outcome & { ts?: Timestamp },
  presentation: Presentation,
): string {
  const logLines = JSON.stringify(presentation.exposeLogs ? outcome.logLines : []);
  const head = `{"type":"${type}","requestId":${ids.requestId}`;
  if (outcome.ok) {
    const ts = outcome.ts === undefined ? "" : `,"ts":"${encodeTimestamp(outcome.ts)}"`;
    return `${head},"success":true,"result":${outcome.value}${ts},"logLines":${logLines}}`;
  }
  const result = JSON.stringify(errorMessage(outcome.message, ids.callId));
  const ts = type === "MutationResponse" ? ',"ts":null' : "";
  return `${head},"success":false,"result":${result}${ts},"logLines":${logLines}${errorDataField(outcome)}}`;
}

/** A modification: the client's removal took effect. */
export function queryRemoved(queryId: number): string {
  return `{"type":"QueryRemoved","queryId":${queryId}}`;
}

/** A modification: the query has another value, or fails. */
export function queryChanged(
  queryId: number,
  callId: string,
  { outcome, journal }: QueryResult,
  presentation: Presentation,
): string {
  const logLines = JSON.stringify(presentation.exposeLogs ? outcome.logLines : []);
  const tail = `"logLines":${logLines},"journal":${JSON.stringify(journal)}`;
  if (outcome.ok) return `{"type":"QueryUpdated","queryId":${queryId},"value":${outcome.value},${tail}}`;
  const message = JSON.stringify(errorMessage(outcome.message, callId));
  return `{"type":"QueryFailed","queryId":${queryId},"errorMessage":${message},${tail}${errorDataField(outcome)}}`;
}

function errorDataField(outcome: Extract<Outcome, { ok: false }>): string {
  return outcome.errorData === undefined ? "" : `,"errorData":${JSON.stringify(outcome.errorData)}`;
}

/** `modifications` are texts of this module. `clockSkewMs` is the client's clock minus ours, if it told. */
export function transition(
  start: StateVersion,
  end: StateVersion,
  modifications: readonly string[],
  clock: { nowMs: number; clockSkewMs: number | undefined },
): string {
  const skew = clock.clockSkewMs === undefined ? "" : `,"clientClockSkew":${clock.clockSkewMs}`;
  return (
    `{"type":"Transition","startVersion":${versionText(start)},"endVersion":${versionText(end)}` +
    // Nanoseconds as text: the number is beyond what a double holds exactly.
    `,"modifications":[${modifications.join(",")}]${skew},"serverTs":${clock.nowMs}000000}`
  );
}

function versionText({ querySet, identity, ts }: StateVersion): string {
  return `{"querySet":${querySet},"identity":${identity},"ts":"${encodeTimestamp(ts)}"}`;
}

/** Splits a Transition that is too long for one message; the client joins the parts in order. */
export function chunks(transitionText: string, transitionId: string, lengthMax: number): string[] {
  if (transitionText.length <= lengthMax) return [transitionText];
  const totalParts = Math.ceil(transitionText.length / lengthMax);
  return Array.from({ length: totalParts }, (_, partNumber) => {
    const chunk = transitionText.slice(partNumber * lengthMax, (partNumber + 1) * lengthMax);
    return JSON.stringify({ type: "TransitionChunk", chunk, partNumber, totalParts, transitionId });
  });
}
