/** What the auditor's options mean, and the texts that several commands share. */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import { parseKnownHead } from "../ledger/knownHead.ts";
import type { KnownHead } from "../ledger/knownHead.ts";
import { parseVerifierKey } from "../ledger/noteKeys.ts";
import type { VerifierKey } from "../ledger/noteKeys.ts";
import { AuditError } from "./auditError.ts";
import { nodeSha256 } from "./nodeSha256.ts";
import { parseServerUrl } from "./server.ts";
import type { LiveLedger, ServerOptions } from "./server.ts";

export interface OutputOptions {
  readonly json?: true;
}

export const headOption =
  (isLast: boolean) =>
  (text: string): KnownHead => {
    const head = parseKnownHead(text, isLast);
    if (head === undefined) throw new InvalidArgumentError("Give SEQ:HASH or HASH, 64 hexadecimal digits.");
    return head;
  };

/** Repeatable: one key a time. */
export function keyOption(text: string, earlier: readonly VerifierKey[] | undefined): readonly VerifierKey[] {
  const key = parseVerifierKey(text, nodeSha256);
  if (!key.ok) throw new InvalidArgumentError(`Give a verifier key, NAME+ID+BASE64: ${key.reason}.`);
  if (key.value.kind !== "note")
    throw new InvalidArgumentError("That is a witness's key: name it in --witness-policy.");
  return [...(earlier ?? []), key.value];
}

const WORKERS_MAX = 64;

export function workersOption(text: string): number {
  const workers = Number(text);
  if (/^[1-9][0-9]?$/.test(text) && workers <= WORKERS_MAX) return workers;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${WORKERS_MAX}.`);
}

export function sequenceOption(text: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Give a whole number from 1.");
}

export function timeOption(text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new InvalidArgumentError("Give a time like 2026-11-21T09:00:00Z.");
  return time;
}

/** The server that the options name. Throws `AuditError`. */
export function liveLedger({ url, token }: ServerOptions): LiveLedger {
  const bearer = token ?? process.env["DAYBOOK_TOKEN"];
  if (url === undefined) throw new AuditError("No server was named.", "Add --url URL.");
  if (bearer === undefined || !/^[\x21-\x7e]+$/.test(bearer)) {
    throw new AuditError("No usable token was given.", "Set DAYBOOK_TOKEN, or add --token TOKEN.");
  }
  return { url: parseServerUrl(url), token: bearer };
}

const TOKEN_HELP = "token of an owner or auditor (better in DAYBOOK_TOKEN: others can see options)";

export function withServer(command: Command): Command {
  return command.option("--url <url>", "a running server").option("--token <token>", TOKEN_HELP);
}

export function withKeys(command: Command): Command {
  return command
    .option("--key <vkey>", "a public key of the deployment, pinned; may be repeated", keyOption)
    .option("--witness-policy <file>", "which witnesses must have cosigned (c2sp.org/tlog-policy)");
}
