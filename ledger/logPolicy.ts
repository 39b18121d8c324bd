/**
 * Trust policies (c2sp.org/tlog-policy): which logs and witnesses an auditor believes, and which witnesses have to
 * have cosigned a checkpoint. A text of lines `log`, `witness`, `group` and one `quorum`.
 */
import type { PinnedKeys } from "./checkpoint.ts";
import type { Cosignature } from "./cosignature.ts";
import { areEqualBytes, fromDecimal } from "./bytes.ts";
import type { Sha256 } from "./hash.ts";
import { isSameKey, parseVerifierKey } from "./noteKeys.ts";
import type { KeyKind, VerifierKey } from "./noteKeys.ts";
import { accepted, refused } from "./parsed.ts";
import type { Parsed } from "./parsed.ts";

export interface PolicyLog {
  readonly key: VerifierKey;
  readonly url?: string;
}

export interface PolicyWitness {
  /** What groups and the quorum call it; no other meaning. */
  readonly name: string;
  readonly key: VerifierKey;
  readonly url?: string;
}

export interface WitnessGroup {
  readonly kind: "group";
  readonly name: string;
  /** So many of the members have to have witnessed: 1 to their number. */
  readonly threshold: number;
  readonly members: readonly WitnessOrGroup[];
}

export type WitnessOrGroup = { readonly kind: "witness"; readonly witness: PolicyWitness } | WitnessGroup;

export type Quorum = { readonly kind: "none" } | WitnessOrGroup;

export interface LogPolicy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly quorum: Quorum;
}

export interface QuorumVerdict {
  readonly isMet: boolean;
  /** Names, in the policy, of the witnesses that cosigned, in the policy's order. */
  readonly witnessedBy: readonly string[];
}

/** Predefined: the quorum that asks for no witness. */
const NONE = "none";
/** Tab, newline and printable characters; beyond ASCII anything, which is compared as it stands. */
const FORBIDDEN_CHARACTER = /[\0-\x08\x0b-\x1f\x7f]/;

/** A policy of keys alone: these logs, no witness. */
export function policyOfKeys(logs: readonly VerifierKey[]): LogPolicy {
  return { logs: logs.map((key) => ({ key })), witnesses: [], quorum: { kind: "none" } };
}

/** The keys that a policy pins, to open checkpoints with. */
export function pinnedKeys(policy: LogPolicy): PinnedKeys {
  return { logs: policy.logs.map(({ key }) => key), witnesses: policy.witnesses.map(({ key }) => key) };
}

/** Whether verified cosignatures meet the policy's quorum. A witness counts once, however often it cosigned. */
export function evaluateQuorum(policy: LogPolicy, cosignatures: readonly Cosignature[]): QuorumVerdict {
  const hasCosigned = ({ key }: PolicyWitness) => cosignatures.some(({ witness }) => isSameKey(witness, key));
  const witnessedBy = policy.witnesses.filter(hasCosigned).map(({ name }) => name);
  return { isMet: isWitnessed(policy.quorum, new Set(witnessedBy)), witnessedBy };
}

function isWitnessed(quorum: Quorum, names: ReadonlySet<string>): boolean {
  if (quorum.kind === "none") return true;
  if (quorum.kind === "witness") return names.has(quorum.witness.name);
  return quorum.members.filter((member) => isWitnessed(member, names)).length >= quorum.threshold;
}

/** What the quorum asks for, in words: `2 of (a, b, 1 of (c, d))`. */
export function describeQuorum(quorum: Quorum): string {
  if (quorum.kind === "none") return "no witness";
  if (quorum.kind === "witness") return quorum.witness.name;
  return `${quorum.threshold} of (${quorum.members.map(describeQuorum).join(", ")})`;
}

/** Reads the lines of a policy one by one; each answers why it is refused, or nothing. */
class PolicyReader {
  readonly logs: PolicyLog[] = [];
  readonly witnesses: PolicyWitness[] = [];
  quorum: Quorum | undefined;
  readonly #named = new Map<string, WitnessOrGroup>();
  readonly #members = new Set<string>();
  readonly #sha256: Sha256;

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  read(items: readonly string[]): string | undefined {
    const [keyword, ...rest] = items;
    switch (keyword) {
      case "log":
        return this.#readLog(rest);
      case "witness":
        return this.#readWitness(rest);
      case "group":
        return this.#readGroup(rest);
      case "quorum":
        return this.#readQuorum(rest);
      default:
        return "it begins with none of log, witness, group, quorum";
    }
  }

  #readKey(
    text: string,
    kind: KeyKind,
    others: readonly { readonly key: VerifierKey }[],
  ): Parsed<VerifierKey> {
    const key = parseVerifierKey(text, this.#sha256);
    if (!key.ok) return key;
    if (key.value.kind !== kind) return refused(`the key is not one for a ${kind}`);
    const isTwice = others.some((other) => areEqualBytes(other.key.publicKey, key.value.publicKey));
    return isTwice ? refused("an earlier line has the same public key") : key;
  }

  #readLog([vkey, url, ...more]: readonly string[]): string | undefined {
    if (vkey === undefined || more.length > 0) return "a log has a key, and a URL or none";
    const key = this.#readKey(vkey, "note", this.logs);
    if (!key.ok) return key.reason;
    this.logs.push({ key: key.value, ...(url === undefined ? {} : { url }) });
    return undefined;
  }

  #readWitness([name, vkey, url, ...more]: readonly string[]): string | undefined {
    if (name === undefined || vkey === undefined || more.length > 0) {
      return "a witness has a name, a key, and a URL or none";
    }
    const key = this.#readKey(vkey, "cosignature", this.witnesses);
    if (!key.ok) return key.reason;
    const witness = { name, key: key.value, ...(url === undefined ? {} : { url }) };
    const fault = this.#define(name, { kind: "witness", witness });
    if (fault === undefined) this.witnesses.push(witness);
    return fault;
  }

  #readGroup([name, threshold, ...names]: readonly string[]): string | undefined {
    if (name === undefined || threshold === undefined || names.length === 0) {
      return "a group has a name, a threshold and at least one member";
    }
    const least = thresholdOf(threshold, names.length);
    if (least === undefined) return `the threshold is not any, all or 1 to ${names.length}`;
    const members: WitnessOrGroup[] = [];
    for (const member of names) {
      const known = this.#named.get(member);
      if (known === undefined) return `no earlier line defines ${member}`;
      // Otherwise one witness would count for two members.
      if (this.#members.has(member)) return `${member} is a member of a group already`;
      this.#members.add(member);
      members.push(known);
    }
    return this.#define(name, { kind: "group", name, threshold: least, members });
  }

  #readQuorum([name, ...more]: readonly string[]): string | undefined {
    if (name === undefined || more.length > 0) return "a quorum has one name";
    if (this.quorum !== undefined) return "an earlier line is a quorum";
    this.quorum = name === NONE ? { kind: "none" } : this.#named.get(name);
    return this.quorum === undefined ? `no earlier line defines ${name}` : undefined;
  }

  #define(name: string, defined: WitnessOrGroup): string | undefined {
    if (name === NONE || this.#named.has(name)) return `the name ${name} is taken`;
    this.#named.set(name, defined);
    return undefined;
  }
}

function thresholdOf(text: string, count: number): number | undefined {
  if (text === "any") return 1;
  if (text === "all") return count;
  const threshold = fromDecimal(text);
  return threshold !== undefined && threshold >= 1 && threshold <= count ? threshold : undefined;
}

/**
 * Reads a policy. A refusal names the line. Keys are Ed25519: of logs with signature type 01, named after an origin
 * or a deployment; of witnesses with type 04. The URLs are not looked at.
 */
export function parsePolicy(text: string, sha256: Sha256): Parsed<LogPolicy> {
  if (FORBIDDEN_CHARACTER.test(text) || !text.isWellFormed()) {
    return refused("the policy holds a control character, or is not UTF-8");
  }
  if (!text.endsWith("\n")) return refused("the last line of the policy has no newline");
  const reader = new PolicyReader(sha256);
  for (const [at, line] of text.slice(0, -1).split("\n").entries()) {
    const items = line.split(/[ \t]+/).filter((item) => item !== "");
    if (items.length === 0 || items[0]?.startsWith("#") === true) continue;
    const fault = reader.read(items);
    if (fault !== undefined) return refused(`line ${at + 1}: ${fault}`);
  }
  const { logs, witnesses, quorum } = reader;
  return quorum === undefined ? refused("the policy has no quorum") : accepted({ logs, witnesses, quorum });
}
