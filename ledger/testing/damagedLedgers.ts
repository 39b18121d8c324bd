/** The sample ledger damaged in every way that the format names, with the verdict that each must get. */
import { genesisHash } from "../hash.ts";
import type { Sha256 } from "../hash.ts";
import type { DamageKind } from "../verify.ts";
import { lifecycleEvents, reseal, SAMPLE_ORG_ID, sampleId } from "./sampleLedger.ts";
import { at, bundleOf, resealOne, retext, rewrite, sampleChain, splice, stranger } from "./tampering.ts";
import type { ChainCase, Sample } from "./tampering.ts";
import { exportCases } from "./exportedLedgers.ts";

type Bad = readonly [name: string, kind: DamageKind, seq: number, what: string, bundle: string];

function alterations(sample: Sample): Bad[] {
  const { entries } = sample;
  const ninth = at(entries, 9);
  const last = at(entries, 23);
  const edited = { ...ninth, text: ninth.text.replace("4500", "4501") };
  return [
    ["altered", "altered", 9, "a price changed, the hash kept", splice(sample, 9, 1, edited)],
    [
      "altered-hash",
      "altered",
      9,
      "another hash beside the text",
      splice(sample, 9, 1, { ...ninth, hash: last.hash }),
    ],
    [
      "altered-head",
      "altered",
      23,
      "the last event changed and hashed again, the manifest kept",
      splice(sample, 23, 1, resealOne(sample, 23, { data: { role: "staff" } })),
    ],
    [
      "altered-before-foreign",
      "altered",
      9,
      "another organisation's id written into an event, the hash kept",
      splice(sample, 9, 1, { ...ninth, text: ninth.text.replace(SAMPLE_ORG_ID, sampleId("org", 2)) }),
    ],
  ];
}

function positions(sample: Sample): Bad[] {
  const { entries, events, head } = sample;
  const twelfth = at(events, 12);
  const later = events.slice(12).map((event) => ({ ...event, seq: event.seq + 1 }));
  const repeated = [...events.slice(0, 12), { ...twelfth, seq: 13, streamVersion: 5 }, ...later];
  const swapped = [at(entries, 11), at(entries, 10)];
  return [
    ["missing", "missing", 12, "one event left out", splice(sample, 12, 1)],
    ["missing-first", "missing", 1, "the first event left out", splice(sample, 1, 1)],
    ["missing-page", "missing", 6, "ten events left out", splice(sample, 6, 10)],
    ["reordered", "reordered", 10, "two neighbours swapped", splice(sample, 10, 2, ...swapped)],
    [
      "missing-not-foreign",
      "missing",
      12,
      "one event left out, another organisation's with the same sequence after it",
      splice(sample, 12, 2, at(entries, 13), resealOne(sample, 12, { orgId: sampleId("org", 2) })),
    ],
    [
      "reordered-far",
      "reordered",
      3,
      "the third event moved to the end",
      bundleOf([...entries.toSpliced(2, 1), at(entries, 3)], head),
    ],
    ["duplicated", "duplicated", 13, "one line twice", splice(sample, 13, 0, at(entries, 12))],
    ["duplicated-page", "duplicated", 16, "ten lines twice", splice(sample, 16, 0, ...entries.slice(5, 15))],
    [
      "duplicated-resealed",
      "duplicated",
      13,
      "an event again under the next sequence, every later link and the manifest written anew",
      bundleOf(reseal(repeated, sample.sha256)),
    ],
  ];
}

function insertions(sample: Sample): Bad[] {
  const wrongLink = { prevHash: "0".repeat(64) };
  return [
    [
      "inserted",
      "inserted",
      13,
      "a linked event with the sequence of the next one",
      splice(sample, 13, 0, stranger(sample, 13)),
    ],
    [
      "inserted-after",
      "inserted",
      13,
      "a second event with the sequence of the one before it",
      splice(sample, 14, 0, stranger(sample, 13)),
    ],
    [
      "inserted-unlinked",
      "inserted",
      13,
      "an event that does not link, where the true one follows and does",
      splice(sample, 13, 0, stranger(sample, 13, wrongLink)),
    ],
    ["inserted-tail", "inserted", 24, "an event after the head", splice(sample, 24, 0, stranger(sample, 24))],
    [
      "inserted-stream-version",
      "inserted",
      11,
      "a stream version used twice, every later link and the manifest written anew",
      rewrite(sample, 11, { streamVersion: 2 }),
    ],
    [
      "missing-stream-version",
      "missing",
      11,
      "a stream version left out, every later link and the manifest written anew",
      rewrite(sample, 11, { streamVersion: 4 }),
    ],
  ];
}

function links(sample: Sample): Bad[] {
  const { entries, sha256 } = sample;
  const otherGenesis = { prevHash: genesisHash(sampleId("org", 2), sha256) };
  return [
    [
      "broken-link",
      "broken link",
      11,
      "an event that cites another hash, hashed again",
      splice(sample, 11, 1, resealOne(sample, 11, { prevHash: at(entries, 9).hash })),
    ],
    [
      "broken-link-genesis",
      "broken link",
      1,
      "a first event with another organisation's genesis hash",
      splice(sample, 1, 1, resealOne(sample, 1, otherGenesis)),
    ],
    [
      "broken-link-after-edit",
      "broken link",
      10,
      "an event changed and hashed again: the next one does not cite it",
      splice(sample, 9, 1, resealOne(sample, 9, { data: { priceMinor: 1 } })),
    ],
    [
      "foreign-organisation",
      "foreign organisation",
      9,
      "another organisation's event, every later link and the manifest written anew",
      rewrite(sample, 9, { orgId: sampleId("org", 2) }),
    ],
    [
      "foreign-organisation-stream",
      "foreign organisation",
      3,
      "an event of another organisation's own stream, every later link and the manifest written anew",
      rewrite(sample, 3, { stream: `organization/${sampleId("org", 2)}` }),
    ],
  ];
}

const DELIVERY = {
  kind: "webhook",
  provider: "stripe",
  deliveryId: "evt_1",
  bodySha256: "ab".repeat(32),
  signedAt: 1_767_600_000,
};

function meanings(sample: Sample): Bad[] {
  return [
    [
      "unknown-type",
      "unknown type",
      10,
      "a type of the future",
      rewrite(sample, 10, { type: "booking.teleported" }),
    ],
    [
      "unknown-type-version",
      "unknown type",
      10,
      "a version of the future",
      rewrite(sample, 10, { typeVersion: 2 }),
    ],
    [
      "unknown-type-stream",
      "unknown type",
      10,
      "a booking's event in a service's stream",
      rewrite(sample, 10, { stream: `service/${sampleId("svc", 9)}`, streamVersion: 1 }),
    ],
    [
      "forbidden-source",
      "forbidden source",
      10,
      "a command's event from a webhook",
      rewrite(sample, 10, { source: DELIVERY }),
    ],
    [
      "time-reversed",
      "time reversed",
      10,
      "a time before the event before it",
      rewrite(sample, 10, { recordedAt: 1 }),
    ],
  ];
}

function texts(sample: Sample): Bad[] {
  const whole = bundleOf(sample.entries);
  const v1 = '"v":1}';
  const cases: readonly (readonly [name: string, what: string, from: string, to: string])[] = [
    ["space", "a space after a colon", '"data":', '"data": '],
    ["duplicate-key", "a key twice", '"seq":9,', '"seq":9,"seq":9,'],
    ["float", "4500.0 for 4500", "4500", "4500.0"],
    ["fraction", "canonical JSON, and no integer", "4500", "4500.5"],
    ["unsafe-integer", "an integer above 2^53", "4500", "9007199254740993"],
    ["escape", "a needless escape", '"EUR"', '"\\u0045UR"'],
    ["order", "keys out of order", '{"actor":', '{"zz":1,"actor":'],
    ["unknown-member", "a member that the envelope does not have", '"actor":', '"algorithm":"none","actor":'],
    ["version", "an envelope of another version", v1, '"v":2}'],
    ["no-version", "an envelope without a version", `,${v1}`, "}"],
  ];
  return [
    ...cases.map(([name, what, from, to]): Bad => [
      `not-canonical-${name}`,
      "not canonical",
      9,
      what,
      retext(sample, 9, from, to),
    ]),
    [
      "not-canonical-crlf",
      "not canonical",
      1,
      "CR LF after the first event",
      whole.replace('"}\n', '"}\r\n'),
    ],
    [
      "not-canonical-empty-line",
      "not canonical",
      1,
      "an empty line after the manifest",
      whole.replace("\n", "\n\n"),
    ],
    [
      "not-canonical-mark",
      "not canonical",
      1,
      "a byte order mark before the first event",
      whole.replace("\n", "\n\ufeff"),
    ],
    ["not-canonical-garbage", "not canonical", 24, "a line after the last event", `${whole}garbage\n`],
    ["not-canonical-open-garbage", "not canonical", 24, "bytes after the last newline", `${whole}garbage`],
    [
      "not-canonical-manifest",
      "not canonical",
      0,
      "a manifest whose count is not its headSeq",
      whole.replace('"count":23', '"count":22'),
    ],
    [
      "not-canonical-format",
      "not canonical",
      0,
      "a bundle format of the future",
      whole.replace("daybook-ledger/1", "daybook-ledger/2"),
    ],
  ];
}

function cuts(sample: Sample): Bad[] {
  const { entries, head } = sample;
  const whole = bundleOf(entries);
  const otherHead = { count: 0, hash: head.hash };
  return [
    [
      "broken-link-empty",
      "broken link",
      1,
      "no event, and a head that is not the genesis hash",
      bundleOf([], otherHead),
    ],
    ["truncated", "truncated", 21, "three events cut off the end", bundleOf(entries.slice(0, 20), head)],
    ["truncated-empty", "truncated", 1, "every event gone", bundleOf([], head)],
    ["truncated-line", "truncated", 23, "cut in the middle of the last line", whole.slice(0, -100)],
    ["truncated-newline", "truncated", 23, "the last newline gone", whole.slice(0, -1)],
  ];
}

/** Cases that only a head from elsewhere decides: each bundle is sound in itself. */
function headCases(sample: Sample): ChainCase[] {
  const { entries, head } = sample;
  const rewritten = rewrite(sample, 9, { data: { priceMinor: 1 } });
  const rolledBack = bundleOf(entries.slice(0, 20));
  const grown = bundleOf([...entries, stranger(sample, 24)]);
  const expectHead = `${head.count}:${head.hash}`;
  const damaged = (kind: DamageKind, seq: number) => ({ result: "damaged", kind, seq }) as const;
  return [
    {
      name: "head-rewritten",
      what: "a ledger rewritten from an event on, against its head by hash",
      bundle: rewritten,
      expectHead: head.hash,
      verdict: damaged("truncated", 24),
    },
    {
      name: "head-rewritten-numbered",
      what: "the same, against its head by sequence and hash",
      bundle: rewritten,
      expectHead,
      verdict: damaged("altered", 23),
    },
    {
      name: "head-rolled-back",
      what: "an older state of the ledger, against its head by sequence and hash",
      bundle: rolledBack,
      expectHead,
      verdict: damaged("truncated", 21),
    },
    {
      name: "head-rolled-back-hash",
      what: "the same, against its head by hash: a hash alone can't tell cut from rewritten",
      bundle: rolledBack,
      expectHead: head.hash,
      verdict: damaged("truncated", 21),
    },
    {
      name: "head-grown",
      what: "an event after the head that was expected",
      bundle: grown,
      expectHead: head.hash,
      verdict: damaged("inserted", 24),
    },
    {
      name: "head-earlier",
      what: "a ledger that grew since a head was noted",
      bundle: grown,
      earlierHead: expectHead,
      verdict: { result: "intact" },
    },
    {
      name: "head-earlier-rewritten",
      what: "a ledger that grew and was rewritten since a head was noted",
      bundle: rewritten,
      earlierHead: `20:${at(entries, 20).hash}`,
      verdict: damaged("altered", 20),
    },
  ];
}

/** The chain of an organisation that was frozen and closed, and who must not have written what it says. */
function lifecycleCases(sha256: Sha256): ChainCase[] {
  const events = lifecycleEvents(sha256);
  const closing = events.length;
  const source = { kind: "operator", name: "organizations.close" } as const;
  const byOperator = events.map((event) => (event.seq === closing ? { ...event, source } : event));
  return [
    {
      name: "valid-lifecycle",
      what: "an organisation that was linked, frozen by an owner and by the operator, lifted and closed",
      bundle: bundleOf(reseal(events, sha256)),
      verdict: { result: "intact" },
    },
    {
      name: "forbidden-source-closing",
      what: "an organisation closed by the operator, which only a command does",
      bundle: bundleOf(reseal(byOperator, sha256)),
      verdict: { result: "damaged", seq: closing, kind: "forbidden source" },
    },
  ];
}

/** Every chain of the vectors: two sound ones, then the damaged ones, then those of a lifecycle and an export. */
export function chainCases(sha256: Sha256): ChainCase[] {
  const sample = sampleChain(sha256);
  const bad = [alterations, positions, insertions, links, meanings, texts, cuts].flatMap((make) =>
    make(sample),
  );
  const empty = bundleOf([], { count: 0, hash: genesisHash(SAMPLE_ORG_ID, sha256) });
  const intact = { result: "intact" } as const;
  return [
    {
      name: "valid",
      what: "every event type of the format",
      bundle: bundleOf(sample.entries),
      verdict: intact,
    },
    { name: "valid-empty", what: "no event yet", bundle: empty, verdict: intact },
    ...bad.map(([name, kind, seq, what, bundle]): ChainCase => {
      return { name, what, bundle, verdict: { result: "damaged", seq, kind } };
    }),
    ...headCases(sample),
    ...lifecycleCases(sha256),
    ...exportCases(sha256),
  ];
}
