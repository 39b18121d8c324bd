/**
 * `/_simulator`: the page, the overview and the switches. JSON in and out; a page of another origin gets nothing, and
 * could send nothing that counts: browsers ask first before they send JSON elsewhere, and nothing here agrees.
 */
import { ZodError } from "zod";
import type { Engine } from "../engine.ts";
import { StripeApiError } from "../wire/apiError.ts";
import { header, jsonAnswer } from "../wire/http.ts";
import type { HttpAnswer, HttpRequest } from "../wire/http.ts";
import { overview } from "./overview.ts";
import { page } from "./page.ts";
import { SWITCHES } from "./switches.ts";

const problem = (status: number, message: string) => jsonAnswer(status, { error: { message } });

function isForeign(request: HttpRequest): boolean {
  const origin = header(request, "origin");
  const site = header(request, "sec-fetch-site");
  const isOwnSite = site === undefined || site === "same-origin" || site === "none";
  return (origin !== undefined && origin !== request.url.origin) || !isOwnSite;
}

function parseBody(body: string): unknown {
  try {
    return body === "" ? {} : JSON.parse(body);
  } catch {
    return undefined;
  }
}

async function flip(engine: Engine, name: string, body: string): Promise<HttpAnswer> {
  const found = Object.hasOwn(SWITCHES, name) ? SWITCHES[name] : undefined;
  if (found === undefined) return problem(404, `There is no switch ${name}.`);
  try {
    const result = await found(engine, parseBody(body));
    await engine.commit();
    return jsonAnswer(200, result);
  } catch (error) {
    if (error instanceof StripeApiError) return problem(error.status, error.message);
    if (error instanceof ZodError) {
      const [issue] = error.issues;
      return problem(400, `${issue?.path.join(".") || "body"}: ${issue?.message ?? "not JSON"}`);
    }
    throw error;
  }
}

/** Answers everything at and below `/_simulator`. */
export async function answerAdmin(engine: Engine, request: HttpRequest): Promise<HttpAnswer> {
  if (isForeign(request))
    return problem(403, "The switches are for this page and for programs on this machine.");
  const name = request.url.pathname.slice("/_simulator".length).replace(/^\//, "");
  if (request.method === "GET") {
    if (name === "") return page(overview(engine));
    if (name === "overview") return jsonAnswer(200, overview(engine));
    return problem(404, "There is nothing here.");
  }
  if (request.method !== "POST") return problem(405, "Use GET or POST.");
  const [type] = (header(request, "content-type") ?? "").split(";");
  if (type?.trim().toLowerCase() !== "application/json") return problem(415, "Send application/json.");
  return flip(engine, name, request.body);
}
