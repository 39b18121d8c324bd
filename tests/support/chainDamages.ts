/** What somebody can do to the events of a ledger: see `damages`. */
import { ulid } from "ulid";
import { ERROR, MIDDLE, type Damage } from "./damage.ts";
import { eventOf, flipped, sealed, type StoredEvent, type StoredLedger } from "./storedLedger.ts";

function textOf({ text }: StoredEvent, from: string, to: string): { text: string } {
  if (!text.includes(from)) throw new Error(`no ${from} in ${text}`);
  return { text: text.replace(from, to) };
}

const EDITS: readonly Damage[] = [
  {
    name: "P01 one bit of a payload",
    change: (ledger) => {
      ledger.setEvent(MIDDLE, textOf(ledger.event(MIDDLE), ":5000", ":4000"));
    },
    chain: [MIDDLE, "altered"],
    attempt: [{ cancel: MIDDLE }, ERROR],
    unread: MIDDLE,
    check: [MIDDLE, "altered"],
  },
  {
    name: "P01 one bit of a hash",
    change: (ledger) => {
      ledger.setEvent(MIDDLE, { hash: flipped(ledger.event(MIDDLE).hash) });
    },
    chain: [MIDDLE, "altered"],
    attempt: [{ cancel: MIDDLE }, ERROR],
    unread: MIDDLE,
    check: [MIDDLE, "altered"],
  },
  {
    name: "P01 one bit of the newest event: no command is linked to it",
    change: (ledger) => {
      ledger.setEvent(19, textOf(ledger.event(19), ":5000", ":4000"));
    },
    chain: [19, "altered"],
    attempt: ["define", ERROR],
    unread: 19,
    check: [19, "altered"],
  },
  {
    name: "P15 a byte that goes from one member to the next",
    change: (ledger) => {
      ledger.setEvent(1, textOf(ledger.event(1), 'e","timeZone":"', '","timeZone":"e'));
    },
    chain: [1, "altered"],
    attempt: ["rename", ERROR],
    unread: 1,
    check: [1, "altered"],
  },
  {
    name: "P13 a member that names an algorithm, hashed anew to the end",
    change: (ledger) => {
      ledger.rewrite(MIDDLE, (event) => ({ ...event, alg: "none" }));
    },
    chain: [MIDDLE, "not canonical"],
    attempt: [{ cancel: MIDDLE }, ERROR],
    unread: MIDDLE,
    check: [MIDDLE, "altered"],
  },
  {
    name: "P13 another version of the format, hashed anew to the end",
    change: (ledger) => {
      ledger.rewrite(MIDDLE, (event) => ({ ...event, v: 2 }));
    },
    chain: [MIDDLE, "not canonical"],
    attempt: [{ cancel: MIDDLE }, ERROR],
    unread: MIDDLE,
    check: [MIDDLE, "altered"],
  },
  {
    name: "P23 an event of a type that does not exist yet, hashed anew to the end",
    change: (ledger) => {
      ledger.rewrite(MIDDLE, (event) => ({ ...event, type: "booking.foreseen" }));
    },
    chain: [MIDDLE, "unknown type"],
    attempt: [{ cancel: MIDDLE }, ERROR],
    check: [MIDDLE, "unknown type"],
  },
  {
    name: "P23 an event of a version that does not exist yet, hashed anew to the end",
    change: (ledger) => {
      ledger.rewrite(MIDDLE, (event) => ({ ...event, typeVersion: 9 }));
    },
    chain: [MIDDLE, "unknown type"],
    attempt: [{ cancel: MIDDLE }, ERROR],
    check: [MIDDLE, "unknown type"],
  },
  {
    name: "P01 a payment that a member confirmed, hashed anew to the end",
    change: (ledger) => {
      const payment = { type: "payment.confirmed", stream: `payment/pay_${ulid()}` };
      ledger.rewrite(MIDDLE, (event) => ({ ...event, ...payment }));
    },
    chain: [MIDDLE, "forbidden source"],
    check: [MIDDLE, "unknown type"],
  },
  {
    name: "P01 an earlier time, hashed anew to the end",
    change: (ledger) => {
      ledger.rewrite(MIDDLE, (event) => ({ ...event, recordedAt: 1 }));
    },
    chain: [MIDDLE, "time reversed"],
    check: [MIDDLE, "time reversed"],
  },
];

const DELETIONS: readonly Damage[] = [
  {
    name: "P03 an event in the middle, of a stream that goes on: no state is folded without it",
    change: (ledger) => {
      ledger.removeEvents((seq) => seq === 16);
    },
    chain: [16, "missing"],
    attempt: [{ cancel: 4 }, ERROR],
    check: [16, "missing"],
  },
  {
    name: "P03 an event in the middle, with its stream",
    change: (ledger) => {
      ledger.removeEvents((seq) => seq === MIDDLE);
    },
    chain: [MIDDLE, "missing"],
    attempt: [{ cancel: MIDDLE }, "NOT_FOUND"],
    check: [MIDDLE, "missing"],
  },
  {
    name: "P03 the first event",
    change: (ledger) => {
      ledger.removeEvents((seq) => seq === 1);
    },
    chain: [1, "missing"],
    check: [1, "missing"],
  },
  {
    name: "P03 the last events",
    change: (ledger) => {
      ledger.removeEvents((seq) => seq >= 18);
    },
    chain: [18, "truncated"],
    attempt: ["define", ERROR],
    check: [18, "truncated"],
  },
  {
    name: "P03 all events",
    change: (ledger) => {
      ledger.removeEvents(() => true);
    },
    chain: [1, "truncated"],
    attempt: ["define", ERROR],
    check: [1, "truncated"],
  },
  {
    // Nothing that is left in the database tells that there was more: only who kept the head knows.
    name: "P03 the last events that were not signed, and the head set back: only who kept the head finds it",
    change: (ledger) => {
      ledger.setHeadBack(17);
      ledger.removeEvents((seq) => seq > 17);
      ledger.regrow();
    },
    chain: "intact",
    kept: { key: "intact", since: "intact", head: [18, "truncated"] },
    check: "done",
  },
  {
    name: "P03 the last events that were signed, and the head set back",
    change: (ledger) => {
      ledger.setHeadBack(15);
      ledger.removeEvents((seq) => seq > 15);
      ledger.regrow();
    },
    chain: "intact",
    kept: { key: [1, "unsigned"], since: [16, "rolled back"], head: [16, "truncated"] },
    signing: [16, "a checkpoint of 17 events was signed"],
    check: [16, "a checkpoint of 17 was signed"],
  },
];

const INSERTIONS: readonly Damage[] = [
  {
    name: "P05 an event that fits, before the one that is there",
    change: (ledger) => {
      const row = ledger.event(MIDDLE);
      const names = { eventId: `evt_${ulid()}`, stream: `booking/bkg_${ulid()}` };
      const fields = sealed({ ...eventOf(row), ...names });
      ledger.database.insert("events", { ...fields, _creationTime: row._creationTime - 1 });
    },
    chain: [MIDDLE, "inserted"],
    check: [MIDDLE, "inserted"],
  },
  {
    name: "P05 neighbours that change places",
    change: (ledger) => {
      const [one, other] = [ledger.event(MIDDLE), ledger.event(MIDDLE + 1)];
      ledger.database.replace("events", one, { ...one, seq: other.seq });
      ledger.database.replace("events", other, { ...other, seq: one.seq });
    },
    chain: [MIDDLE, "reordered"],
    attempt: [{ cancel: MIDDLE }, ERROR],
    check: [MIDDLE, "altered"],
  },
  {
    name: "P07 an event again, at the end and linked to it",
    change: (ledger) => {
      ledger.extend(eventOf(ledger.event(MIDDLE)));
    },
    chain: [20, "duplicated"],
    attempt: [{ cancel: MIDDLE }, ERROR],
    check: [MIDDLE, "inserted"],
  },
  {
    name: "P09 another organisation's event, at the end and linked to it",
    change: (ledger, of) => {
      ledger.extend(eventOf(of("P09 giver").event(MIDDLE + 1)));
    },
    chain: [20, "foreign organisation"],
    attempt: ["define", ERROR],
    check: [20, "altered"],
  },
  {
    name: "P09 a row of another organisation",
    change: (ledger, of) => {
      const row = of("P09 giver").event(MIDDLE);
      const moved = { ...row, orgId: ledger.orgId, _creationTime: row._creationTime + 60_000 };
      ledger.database.replace("events", row, moved);
    },
    chain: [MIDDLE + 1, "foreign organisation"],
    check: [MIDDLE, "inserted"],
  },
  {
    name: "P09 giver",
    change: () => undefined,
    chain: [MIDDLE, "missing"],
    attempt: [{ cancel: MIDDLE }, "NOT_FOUND"],
    check: [MIDDLE, "missing"],
  },
];

/** The price of one booking, and every hash from there on: the chain is sound by itself. */
function rewritten(ledger: StoredLedger): void {
  ledger.rewrite(MIDDLE, (event) => ({ ...event, data: { ...event.data, priceMinor: 4000 } }));
}

const REWRITINGS: readonly Damage[] = [
  {
    name: "P11 a chain that was hashed anew",
    change: rewritten,
    chain: "intact",
    kept: { key: [1, "checkpoint mismatch"], head: [19, "altered"] },
    signing: [17, "the tree of 19 does not begin with the one that was signed"],
    check: [16, "damaged tile"],
  },
  {
    name: "P11 a chain that was hashed anew, with its tree",
    change: (ledger) => {
      rewritten(ledger);
      ledger.regrow();
    },
    chain: "intact",
    kept: { key: [1, "checkpoint mismatch"], since: [1, "checkpoint mismatch"], head: [19, "altered"] },
    signing: [17, "the tree of 19 does not begin with the one that was signed"],
    check: [17, "the chain is not the one that was signed"],
  },
  {
    // The check of the organisation has nothing left to hold it against; that of the log of logs has.
    name: "P11 a chain that was hashed anew, with its tree and without its checkpoint",
    change: (ledger) => {
      rewritten(ledger);
      ledger.regrow();
      ledger.removeTree("checkpoints");
    },
    chain: "intact",
    kept: { key: [1, "unsigned"], since: [1, "checkpoint mismatch"], head: [19, "altered"] },
    check: "done",
    log: [17, "a checkpoint that was signed is missing"],
  },
];

export const CHAIN_DAMAGES: readonly Damage[] = [...EDITS, ...DELETIONS, ...INSERTIONS, ...REWRITINGS];
