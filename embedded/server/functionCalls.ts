/** Function calls on the wire: the caller's description → the engine's Call, and the Outcome → text. */
import { z } from "zod";
import type { Call, Identity, Outcome } from "../engine/contract.ts";
import { toCleanJson, toCleanJsonText } from "./cleanJson.ts";
import { checkShape, HttpProblem } from "./httpExchange.ts";

/** Taken as it came: a copy would lose a key named `__proto__`, which the engine has to see to refuse. */
const argumentObject = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "must be one object",
);
/** The single argument object, as itself or as the only element of an array. */
export const functionArguments = z.union([
  argumentObject,
  z.tuple([argumentObject]).transform(([only]) => only),
]);

const format = z.enum(["json", "convex_encoded_json"]);
export type Format = z.output<typeof format>;

/** Unknown fields are ignored, as the protocol does: clients of other versions send more. */
export const functionRequest = z.object({
  path: z.string().min(1).max(1024),
  args: functionArguments.optional(),
  format: format.nullish(),
  componentPath: z.string().max(1024).nullish(),
  ts: z.string().optional(),
});
export type FunctionRequest = z.output<typeof functionRequest>;

/** How outcomes are shown to callers. */
export type Presentation = {
  /** Log lines tell how the app works inside: development only. */
  exposeLogs: boolean;
};

/** Throws HttpProblem 403 when someone other than an admin names a component. */
export function makeCall(request: FunctionRequest, identity: Identity, requestId: string): Call {
  const componentPath = request.componentPath ?? "";
  if (componentPath !== "" && identity.kind !== "admin") {
    throw new HttpProblem(403, "Forbidden", "only an admin may call functions of a component");
  }
  return {
    path: request.path,
    componentPath,
    args: JSON.stringify(request.args ?? {}),
    identity,
    requestId,
  };
}

/** `format` of the request, else what the kind of client expects: official ones decode Convex values. */
export function formatOf(requested: unknown, convexClient: string | undefined): Format {
  if (requested !== undefined && requested !== null) return checkShape(format, requested);
  return convexClient?.startsWith("npm-") === true ? "convex_encoded_json" : "json";
}

/** The message that clients show. "Server Error" alone is what the engine leaves of a redacted error. */
export function errorMessage(message: string, requestId: string): string {
  const detail = message === "Server Error" ? "" : `\n${message}`;
  return `[Request ID: ${requestId}] Server Error${detail}`;
}

/** The JSON text of one result of the HTTP API. */
export function resultText(
  outcome: Outcome,
  shape: { format: Format; requestId: string; presentation: Presentation },
): string {
  const clean = shape.format === "json";
  const logLines =
    shape.presentation.exposeLogs && outcome.logLines.length > 0
      ? `,"logLines":${JSON.stringify(outcome.logLines)}`
      : "";
  if (outcome.ok) {
    const value = clean ? toCleanJsonText(outcome.value) : outcome.value;
    return `{"status":"success","value":${value}${logLines}}`;
  }
  const message = JSON.stringify(errorMessage(outcome.message, shape.requestId));
  const data =
    outcome.errorData === undefined
      ? ""
      : `,"errorData":${JSON.stringify(clean ? toCleanJson(outcome.errorData) : outcome.errorData)}`;
  return `{"status":"error","errorMessage":${message}${data}${logLines}}`;
}
