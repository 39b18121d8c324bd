/**
 * Reads one line of an export in a single pass over its bytes. A line is accepted exactly when `parseEntry`,
 * `parseCanonical` and `parseEvent` accept it, which are the reference and say what is wrong with the others; the
 * tests hold the two against each other. What was read stays in the bytes, as positions: most of it is compared and
 * never needed as text.
 *
 * In canonical form the members of an envelope stand in one order, so the grammar is a list.
 */
import { LINE_BYTES_MAX } from "./bundle.ts";
import {
  byteClass,
  bytesOf,
  integerValue,
  NOT_THERE,
  skipExactly,
  skipInteger,
  skipLiteral,
  skipObject,
  startsWith,
} from "./canonicalBytes.ts";
import { ROLES } from "./event.ts";
import type { Source } from "./event.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const HASH_LENGTH = 64;
const POLICY_LENGTH = 16;
const ULID_REST_LENGTH = 25;
const TOKEN_LENGTH_MAX = 256;
const NAME_LENGTH_MAX = 32;
const VERB_LENGTH_MAX = 64;
const ID_PREFIX_LENGTH = 3;

const HEX = byteClass(/[0-9a-f]/);
const ULID_FIRST = byteClass(/[0-7]/);
const ULID_REST = byteClass(/[0-9A-HJKMNP-TV-Z]/);
const SMALL_LETTER = byteClass(/[a-z]/);
const LETTER = byteClass(/[A-Za-z]/);
/** Visible ASCII but the two that are escaped. */
const TOKEN = byteClass(/[\x21-\x7e]/);
TOKEN[QUOTE] = 0;
TOKEN[BACKSLASH] = 0;

const UNDERSCORE = bytesOf("_");
const DOT = bytesOf(".");
const CLOSE = bytesOf("}");
const ACTOR = bytesOf('{"event":{"actor":{"id":"');
const ACTOR_KIND = bytesOf(',"kind":"');
const USER_ID = bytesOf("usr_");
const USER_ROLE = bytesOf('user","role":"');
const ROLE_ENDS = ROLES.map((role) => bytesOf(`${role}"`));
const OTHER_ACTORS = ["provider", "system", "operator"].map((kind) => bytesOf(`${kind}"`));
const CAUSATION_ID = bytesOf(',"causationId":"evt_');
const CORRELATION_ID = bytesOf(',"correlationId":"');
const DATA = bytesOf(',"data":');
const EVENT_ID = bytesOf(',"eventId":"evt_');
const ORG_ID = bytesOf('","orgId":"org_');
const PREV_HASH = bytesOf('","prevHash":"');
const RECORDED_AT = bytesOf('","recordedAt":');
const SEQ = bytesOf(',"seq":');
const SOURCE = bytesOf(',"source":{');
const COMMAND_KEY = bytesOf('"key":"');
const COMMAND_NAME = bytesOf(',"kind":"command","name":"');
const COMMAND_POLICY = bytesOf(',"policy":"');
const SOURCE_KIND = bytesOf('"kind":"');
const JOB_NAME = bytesOf('job","name":"');
const OPERATOR_NAME = bytesOf('operator","name":"');
const ACCOUNT = bytesOf('"account":"');
const COMMA = bytesOf(",");
const BODY_SHA256 = bytesOf('"bodySha256":"');
const DELIVERY_ID = bytesOf('","deliveryId":"');
const PROVIDER = bytesOf(',"kind":"webhook","provider":"');
const SIGNED_AT = bytesOf(',"signedAt":');
const QUOTE_CLOSE = bytesOf('"}');
const STREAM = bytesOf(',"stream":"');
const STREAM_VERSION = bytesOf('","streamVersion":');
const TYPE = bytesOf(',"type":"');
const TYPE_VERSION = bytesOf('","typeVersion":');
const VERSION = bytesOf(',"v":1}');
const HASH = bytesOf(',"hash":"');
const LINE_END = bytesOf('"}\n');
const OPENING_LENGTH = '{"event":'.length;

/** 26 digits of a ULID. */
function skipUlid(bytes: Uint8Array, at: number): number {
  return skipExactly(bytes, skipExactly(bytes, at, 1, ULID_FIRST), ULID_REST_LENGTH, ULID_REST);
}

/** The rest of a token's string, its closing quote included. */
function skipToken(bytes: Uint8Array, at: number): number {
  if (at < 0) return NOT_THERE;
  let next = at;
  let escapes = 0;
  for (;;) {
    const byte = bytes[next] ?? 0;
    if (TOKEN[byte] === 1) next += 1;
    else if (byte === BACKSLASH && (bytes[next + 1] === QUOTE || bytes[next + 1] === BACKSLASH)) {
      next += 2;
      escapes += 1;
    } else break;
  }
  const length = next - at - escapes;
  return bytes[next] === QUOTE && length > 0 && length <= TOKEN_LENGTH_MAX ? next + 1 : NOT_THERE;
}

/** A lower-case letter and further letters, `lengthMax` in all. */
function skipName(bytes: Uint8Array, at: number, lengthMax: number): number {
  if (at < 0 || SMALL_LETTER[bytes[at] ?? 0] !== 1) return NOT_THERE;
  let next = at + 1;
  while (LETTER[bytes[next] ?? 0] === 1) next += 1;
  return next - at <= lengthMax ? next : NOT_THERE;
}

function skipOneOf(bytes: Uint8Array, at: number, literals: readonly Uint8Array[]): number {
  if (at < 0) return NOT_THERE;
  for (const literal of literals) {
    if (startsWith(bytes, at, literal)) return at + literal.length;
  }
  return NOT_THERE;
}

/**
 * The line that was scanned last, as positions in its bytes and as numbers. Meaningless after a refusal. Not verified
 * here: the hashes, the chain, and that the type is known.
 */
export class EntryScanner {
  /** The event's text: the bytes that are hashed, behind the tag. */
  textAt = 0;
  textEnd = 0;
  /** The 26 digits of each id, without its prefix. */
  eventUlidAt = 0;
  orgUlidAt = 0;
  /** The stream from its first letter to the end of its id; its kind ends before the slash. */
  streamAt = 0;
  streamKindEnd = 0;
  streamUlidAt = 0;
  typeAt = 0;
  typeEnd = 0;
  prevHashAt = 0;
  hashAt = 0;
  seq = 0;
  streamVersion = 0;
  typeVersion = 0;
  recordedAt = 0;
  sourceKind: Source["kind"] = "command";
  /** A webhook's provider as it is written in its string, without the quotes. */
  providerAt = 0;
  providerEnd = 0;
  #number = 0;

  /** Scans the line that begins at `start`; a newline must follow somewhere. Returns the next line's start, or -1. */
  scan(bytes: Uint8Array, start: number): number {
    this.textAt = start + OPENING_LENGTH;
    let at = this.#scanActor(bytes, start);
    if (at >= 0 && startsWith(bytes, at, CAUSATION_ID)) at = this.#scanCausation(bytes, at);
    at = skipToken(bytes, skipLiteral(bytes, at, CORRELATION_ID));
    at = skipObject(bytes, skipLiteral(bytes, at, DATA), 0);
    at = this.#scanPlace(bytes, at);
    at = this.#scanSource(bytes, skipLiteral(bytes, at, SOURCE));
    at = this.#scanStreamAndType(bytes, at);
    this.textEnd = skipLiteral(bytes, at, VERSION);
    this.hashAt = skipLiteral(bytes, this.textEnd, HASH);
    at = skipLiteral(bytes, skipExactly(bytes, this.hashAt, HASH_LENGTH, HEX), LINE_END);
    return at - 1 - start <= LINE_BYTES_MAX ? at : NOT_THERE;
  }

  #scanActor(bytes: Uint8Array, start: number): number {
    const idAt = skipLiteral(bytes, start, ACTOR);
    const idEnd = skipToken(bytes, idAt);
    const kindAt = skipLiteral(bytes, idEnd, ACTOR_KIND);
    if (kindAt < 0) return NOT_THERE;
    if (!startsWith(bytes, kindAt, USER_ROLE)) {
      return skipLiteral(bytes, skipOneOf(bytes, kindAt, OTHER_ACTORS), CLOSE);
    }
    const ulidEnd = skipUlid(bytes, skipLiteral(bytes, idAt, USER_ID));
    if (ulidEnd + 1 !== idEnd) return NOT_THERE;
    return skipLiteral(bytes, skipOneOf(bytes, kindAt + USER_ROLE.length, ROLE_ENDS), CLOSE);
  }

  #scanCausation(bytes: Uint8Array, at: number): number {
    const end = skipUlid(bytes, at + CAUSATION_ID.length);
    return end >= 0 && bytes[end] === QUOTE ? end + 1 : NOT_THERE;
  }

  #scanPlace(bytes: Uint8Array, start: number): number {
    this.eventUlidAt = skipLiteral(bytes, start, EVENT_ID);
    this.orgUlidAt = skipLiteral(bytes, skipUlid(bytes, this.eventUlidAt), ORG_ID);
    this.prevHashAt = skipLiteral(bytes, skipUlid(bytes, this.orgUlidAt), PREV_HASH);
    let at = skipExactly(bytes, this.prevHashAt, HASH_LENGTH, HEX);
    at = this.#scanInteger(bytes, skipLiteral(bytes, at, RECORDED_AT), 0);
    this.recordedAt = this.#number;
    at = this.#scanInteger(bytes, skipLiteral(bytes, at, SEQ), 1);
    this.seq = this.#number;
    return at;
  }

  #scanInteger(bytes: Uint8Array, at: number, least: number): number {
    const end = skipInteger(bytes, at);
    if (end < 0) return NOT_THERE;
    this.#number = integerValue(bytes, at, end);
    return this.#number >= least ? end : NOT_THERE;
  }

  #scanSource(bytes: Uint8Array, at: number): number {
    if (at < 0) return NOT_THERE;
    if (startsWith(bytes, at, COMMAND_KEY)) return this.#scanCommand(bytes, at);
    if (!startsWith(bytes, at, SOURCE_KIND)) return this.#scanWebhook(bytes, at);
    const kindAt = at + SOURCE_KIND.length;
    const isJob = startsWith(bytes, kindAt, JOB_NAME);
    this.sourceKind = isJob ? "job" : "operator";
    const nameAt = skipLiteral(bytes, kindAt, isJob ? JOB_NAME : OPERATOR_NAME);
    return skipLiteral(bytes, skipToken(bytes, nameAt), CLOSE);
  }

  #scanCommand(bytes: Uint8Array, start: number): number {
    this.sourceKind = "command";
    let at = skipToken(bytes, start + COMMAND_KEY.length);
    at = skipToken(bytes, skipLiteral(bytes, at, COMMAND_NAME));
    at = skipExactly(bytes, skipLiteral(bytes, at, COMMAND_POLICY), POLICY_LENGTH, HEX);
    return skipLiteral(bytes, at, QUOTE_CLOSE);
  }

  #scanWebhook(bytes: Uint8Array, start: number): number {
    this.sourceKind = "webhook";
    let at = start;
    if (startsWith(bytes, at, ACCOUNT)) at = skipLiteral(bytes, skipToken(bytes, at + ACCOUNT.length), COMMA);
    at = skipExactly(bytes, skipLiteral(bytes, at, BODY_SHA256), HASH_LENGTH, HEX);
    at = skipToken(bytes, skipLiteral(bytes, at, DELIVERY_ID));
    this.providerAt = skipLiteral(bytes, at, PROVIDER);
    at = skipToken(bytes, this.providerAt);
    this.providerEnd = at - 1;
    return skipLiteral(bytes, this.#scanInteger(bytes, skipLiteral(bytes, at, SIGNED_AT), 0), CLOSE);
  }

  #scanStreamAndType(bytes: Uint8Array, start: number): number {
    this.streamAt = skipLiteral(bytes, start, STREAM);
    this.streamKindEnd = skipName(bytes, this.streamAt, NAME_LENGTH_MAX);
    if (this.streamKindEnd < 0 || bytes[this.streamKindEnd] !== SLASH) return NOT_THERE;
    let at = skipExactly(bytes, this.streamKindEnd + 1, ID_PREFIX_LENGTH, SMALL_LETTER);
    this.streamUlidAt = skipLiteral(bytes, at, UNDERSCORE);
    at = skipLiteral(bytes, skipUlid(bytes, this.streamUlidAt), STREAM_VERSION);
    at = this.#scanInteger(bytes, at, 1);
    this.streamVersion = this.#number;
    this.typeAt = skipLiteral(bytes, at, TYPE);
    at = skipName(bytes, this.typeAt, NAME_LENGTH_MAX);
    this.typeEnd = skipName(bytes, skipLiteral(bytes, at, DOT), VERB_LENGTH_MAX);
    at = this.#scanInteger(bytes, skipLiteral(bytes, this.typeEnd, TYPE_VERSION), 1);
    this.typeVersion = this.#number;
    return at;
  }
}
