/**
 * Log records → lines on stderr: JSON in production, for people in development. One record is one line, and a
 * known secret, a token or the value of a field that is named like one is never part of it. Records name no
 * organisation and no user, but for those that stand in for the security log.
 */
import { pino } from "pino";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogRecord = { level: LogLevel; component: string; message: string; requestId?: string } & Record<
  string,
  unknown
>;

export type Log = (record: LogRecord) => void;

export type LogOptions = {
  /** The least level that is written. */
  level: LogLevel;
  format: "json" | "people";
  /** Values to keep out, whoever logs them. */
  secrets: readonly string[];
  write: (line: string) => void;
};

const TOKEN = /eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g;
const CREDENTIALS = /\b(Bearer|Convex|Basic) +[A-Za-z0-9._~+/=|:-]{16,}/gi;
const SECRET_FIELD =
  /^(authorization|proxy-authorization|cookie|set-cookie|token|adminKey|secret|password)$/i;
/** Line breaks forge a second record; escape sequences and changes of direction act on the reader's screen. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
const REDACTED = "[redacted]";
const TEXT_LENGTH_MAX = 16 * 1024;

/** Makes the log of one host. What it returns never throws. */
export function createLog({ level, format, secrets, write }: LogOptions): Log {
  const known = secrets.filter((secret) => secret !== "");
  const writeLine = (json: string): void => {
    let line = json.trimEnd();
    for (const secret of known) line = line.replaceAll(secret, REDACTED);
    line = line.replace(TOKEN, REDACTED).replace(CREDENTIALS, `$1 ${REDACTED}`);
    write(`${escapeUnprintable(format === "json" ? line : forPeople(line))}\n`);
  };
  const logger = pino(
    {
      level,
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: writeLine },
  );
  return ({ level: recordLevel, message, ...fields }) => {
    if (logger.isLevelEnabled(recordLevel)) logger[recordLevel](plain(fields), shorten(message));
  };
}

/** What JSON can hold of the fields, without those that are named like secrets. */
function plain(fields: Record<string, unknown>): object {
  try {
    return JSON.parse(JSON.stringify(fields, plainValue)) as object;
  } catch {
    return { component: fields["component"], unreadable: true };
  }
}

function plainValue(key: string, value: unknown): unknown {
  if (SECRET_FIELD.test(key)) return REDACTED;
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") return shorten(value);
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { name, message, ...("code" in value ? { code: value.code } : {}), stack, cause };
}

function shorten(text: string): string {
  return text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX)} …`;
}

function forPeople(json: string): string {
  const { time, level, component, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const details = Object.entries(fields).map(
    ([name, value]) =>
      ` ${name}=${typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`,
  );
  return `${clock} ${String(level).padEnd(5)} ${String(component)}: ${String(message)}${details.join("")}`;
}

/** In JSON text these characters stand inside strings only, where this is how they are escaped. */
function escapeUnprintable(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
