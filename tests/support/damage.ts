/** How a damage of a ledger is described, and what has to be said of it afterwards. */
import type { Verdict } from "./auditor.ts";
import type { StoredLedger } from "./storedLedger.ts";

/** A position, and the kind of damage there; KEY stands for the name and id of the organisation's key. */
export type Found = readonly [seq: number, kind: string];

/** What the auditor brings along: the deployment's key, the checkpoint or the head of an earlier audit. */
export type Kept = "key" | "since" | "head";

/** A command of the damaged organisation: on the booking that a sequence requested, or on none. */
export type Attempt = { cancel: number } | "define" | "rename";

export type Damage = {
  /** Begins with the attack's id. */
  name: string;
  change: (ledger: StoredLedger, of: (name: string) => StoredLedger) => void;
  /** What the auditor's program says of the live chain by itself. */
  chain: Verdict;
  /** What it says besides with something that was kept. */
  kept?: Partial<Record<Kept, Verdict>>;
  /** A command that meets the damage, and its answer: a code, or the error that tells nothing. */
  attempt?: [Attempt, answer: string];
  /** What freezes the organisation when a checkpoint is asked for. */
  signing?: Found;
  /** A damaged event that no read but the auditor's may answer. */
  unread?: number;
  /** What the host's own check says of the organisation; "done" where it sees nothing. */
  check: Found | "done";
  /** What its check of the log of logs says of it then. */
  log?: Found;
};

/** What an error of the host tells: nothing. */
export const ERROR = "Server Error";

/** A sequence in the middle, of a booking that nothing else is about. */
export const MIDDLE = 10;
