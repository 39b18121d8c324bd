/** A running server as the command line names it, and where a token may be sent. */
import { AuditError } from "./auditError.ts";

export interface ServerOptions {
  readonly url?: string;
  readonly token?: string;
}

export interface LiveLedger {
  readonly url: string;
  readonly token: string;
}

const ON_THIS_MACHINE = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Accepts an https address, or plain http on this machine, where nobody can read the token on its way. */
export function parseServerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe =
    url?.protocol === "https:" || (url?.protocol === "http:" && ON_THIS_MACHINE.test(url.hostname));
  if (url !== undefined && isSafe) return url.href.replace(/\/+$/, "");
  throw new AuditError(
    `${text} is not an address to send a token to.`,
    "Give the server's https:// address; http:// is accepted for localhost only.",
  );
}
