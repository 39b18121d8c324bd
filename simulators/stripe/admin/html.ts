/** The simulator's HTML: everything that comes from outside is escaped, and only its own script runs. */
import { randomBytes } from "node:crypto";
import type { HttpAnswer } from "../wire/http.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for an element or a quoted attribute. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

const STYLE = `body{font:14px system-ui,sans-serif;margin:2rem;color:#1a1f36;background:#fff}
table{border-collapse:collapse;margin:0 0 1.5rem}caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{border:1px solid #d5dbe1;padding:.25rem .5rem;text-align:left;vertical-align:top}
tr:target{background:#fff3c4}code{font-size:12px}button{margin:0 .25rem .1rem 0}#problem{color:#b3093c}`;

/** A whole page; `body` is HTML already, `script` runs under a nonce of this answer. */
export function htmlAnswer(
  title: string,
  body: string,
  { script = "", formTargets = [] }: { script?: string; formTargets?: readonly string[] } = {},
): HttpAnswer {
  const nonce = randomBytes(16).toString("base64");
  const policy = [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    `form-action 'self' ${formTargets.join(" ")}`.trim(),
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return {
    status: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
    },
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<style nonce="${nonce}">${STYLE}</style></head><body>${body}
<script nonce="${nonce}">${script}</script></body></html>`,
  };
}
