/** Offers to witnesses on the test library. Their decisions are the protocol's own; only the network is a stand-in. */
import { afterAll, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { ALGORITHMS_NOBLE } from "../../ledger/algorithms.ts";
import type { Checkpoint } from "../../ledger/checkpoint.ts";
import { cosign } from "../../ledger/cosignature.ts";
import { signNoble } from "../../ledger/ed25519.ts";
import { sha256Noble } from "../../ledger/hash.ts";
import { formatVerifierKey, signerKey, verifierKey } from "../../ledger/noteKeys.ts";
import { formatOrigin } from "../../ledger/origin.ts";
import { decideAddCheckpoint, formatCosignatures, formatKnownSize } from "../../ledger/witnessProtocol.ts";
import type { Client } from "../support/backend.ts";
import { log, pinned, statusOf, tamper, work } from "../support/evidenceScene.ts";
import { defineService, eventually, FIRST_PAGE, foundOrganization } from "../support/scene.ts";
import { openTestBackend, type TestBackend } from "../support/testBackend.ts";

type Answer = { status: number; body: string };

/** A witness that remembers what it cosigned. */
class Witness {
  readonly name: string;
  /** The request bodies that it got. */
  readonly bodies: string[] = [];
  /** What it waits for before it reads a request. */
  held: Promise<void> = Promise.resolve();
  /** What it answers instead of itself; none while it is honest. */
  lie: Answer | undefined;
  readonly #key;
  readonly #last = new Map<string, Checkpoint>();

  constructor(name: string, byte: number) {
    this.name = name;
    this.#key = signerKey(name, "cosignature", new Uint8Array(32).fill(byte), sha256Noble);
  }

  /** As `DAYBOOK_WITNESSES` has it. */
  get setting(): string {
    const key = verifierKey(this.name, "cosignature", this.#key.publicKey, sha256Noble);
    return `${formatVerifierKey(key)} https://${this.name}`;
  }

  async answer(body: string): Promise<Answer> {
    this.bodies.push(body);
    await this.held;
    if (this.lie !== undefined) return this.lie;
    const decision = decideAddCheckpoint(body, (of) => this.#last.get(of), [pinned(1)], ALGORITHMS_NOBLE);
    if (decision.status === 409) return { status: 409, body: formatKnownSize(decision.size) };
    if (decision.status !== 200) return { status: decision.status, body: decision.reason };
    this.#last.set(formatOrigin(decision.checkpoint.origin), decision.checkpoint);
    return { status: 200, body: formatCosignatures([cosign(decision.note.text, 1, this.#key, signNoble)]) };
  }
}

/** A backend with two witnesses. */
function open(): { backend: TestBackend; near: Witness; far: Witness } {
  const near = new Witness("near.test", 8);
  const far = new Witness("far.test", 9);
  vi.stubGlobal("fetch", async (url: string, { body }: { body: string }): Promise<Response> => {
    const to = [near, far].find(({ name }) => url === `https://${name}/add-checkpoint`);
    if (to === undefined) throw new TypeError("unreachable");
    const answer = await to.answer(body);
    return new Response(answer.body, { status: answer.status });
  });
  const backend = openTestBackend({ DAYBOOK_WITNESSES: `${near.setting},${far.setting}` });
  return { backend, near, far };
}

afterAll(() => {
  vi.unstubAllGlobals();
});

/** Signs the organisation's head; offers nothing. */
async function sign({ operator }: TestBackend, orgId: string): Promise<void> {
  expect(await operator.mutation(internal.workers.checkpoints.sign, { orgId })).toBe("made");
}

/** Offers the organisation's newest checkpoint; answers what came of it at each witness. */
async function offer({ t }: TestBackend, orgId: string): Promise<string[]> {
  const outcomes = await t.action(internal.effects.witnesses.offer, { trees: [orgId] });
  return outcomes.filter(({ tree }) => tree === orgId).map(({ outcome }) => outcome);
}

async function incidents({ operator }: TestBackend): Promise<string[][]> {
  const found = await operator.query(internal.operator.evidence.status, {});
  return found.incidents.map(({ tree, kind, detail }) => [tree, kind, detail]);
}

test("an offer that a newer one overtook is no disagreement, and is not made to who has the newer one", async () => {
  const { backend, near, far } = open();
  const { orgId, owner } = await foundOrganization(backend);
  await sign(backend, orgId);
  let release = (): void => undefined;
  near.held = new Promise((resolve) => (release = resolve));
  const overtaken = offer(backend, orgId);
  await eventually(() => Promise.resolve(near.bodies.length === 1));
  near.held = Promise.resolve();
  await defineService(owner.client);
  await sign(backend, orgId);
  expect(await offer(backend, orgId)).toEqual(["cosigned", "cosigned"]);
  release();
  expect(await overtaken).toEqual(["known", "known"]);
  expect(far.bodies).toHaveLength(1);
  expect(await incidents(backend)).toEqual([]);
  expect(await statusOf(backend, orgId)).toMatchObject({ status: "active" });
});

test.each([
  ["a larger ledger", { status: 409, body: "999999\n" }, "it knows 999999 leaves, we have 2"],
  ["another ledger of the size", { status: 422, body: "no" }, "its tree of 0 is not ours"],
])(
  "P11 a witness that knows %s is told once and kept, and its word alone stops nobody",
  async (_what, lie, says) => {
    const { backend, near } = open();
    const { orgId, owner } = await foundOrganization(backend);
    await sign(backend, orgId);
    near.lie = lie;
    expect(await offer(backend, orgId)).toEqual(["disagrees", "cosigned"]);
    expect(await offer(backend, orgId)).toEqual(["disagrees", "known"]);
    const detail = `size 2: near.test: ${says}`;
    expect(await incidents(backend)).toEqual([[orgId, "witness disagrees", detail]]);
    const alerts = await owner.client.query(api.projections.alerts.list, { paginationOpts: FIRST_PAGE });
    expect(alerts.page.map((alert) => [alert.kind, alert.detail])).toEqual([["WITNESS_DISAGREES", detail]]);
    // The look at the ledger that it brings about comes to an end, and finds it whole.
    await eventually(async () => {
      const { verifiedHead } = await backend.operator.query(internal.operator.organizations.status, {
        orgId,
      });
      return verifiedHead?.seq === 2;
    });
    expect(await statusOf(backend, orgId)).toMatchObject({ status: "active" });
    await defineService(owner.client);
  },
);

test("P11 a ledger that a witness disagrees with is looked at, and frozen for the damage that shows in it", async () => {
  const { backend, near } = open();
  const { orgId } = await work(backend, 17);
  await sign(backend, orgId);
  await tamper(backend, "treeHashes", (db, [row]) => db.patch(row?._id ?? "", { hash: "0".repeat(64) }));
  near.lie = { status: 409, body: "999999\n" };
  expect(await offer(backend, orgId)).toEqual(["disagrees", "cosigned"]);
  await eventually(async () => {
    const { damage } = await backend.operator.query(internal.operator.organizations.status, { orgId });
    return damage?.kind === "damaged tile";
  });
  expect(await statusOf(backend, orgId)).toMatchObject({ status: "frozen", frozenBy: "integrity" });
});

test("R74 while witnesses do not answer, a ledger stays proven at the checkpoint that they cosigned", async () => {
  const { backend, near, far } = open();
  const down = { status: 500, body: "" };
  /** Another organisation's checkpoint in the log of logs, once it was offered. */
  const grow = async (): Promise<Client> => {
    const asked = far.bodies.length;
    const { orgId, owner } = await foundOrganization(backend);
    await sign(backend, orgId);
    await log(backend);
    await eventually(() => Promise.resolve(far.bodies.length > asked));
    // What the witnesses answered is kept.
    await eventually(async () => {
      const outcomes = await backend.t.action(internal.effects.witnesses.offer, { trees: [] });
      return outcomes.every(({ outcome }) => outcome === "known" || outcome === "unreachable");
    });
    return owner.client;
  };
  /** The size of the log that proves a ledger, and how many witnesses cosigned it. */
  const anchorOf = async (client: Client): Promise<(number | undefined)[]> => {
    const { anchor } = await client.query(api.projections.ledger.checkpoint, {});
    return [anchor?.checkpoint.size, anchor?.checkpoint.witnesses.length];
  };
  const early = await grow();
  expect(await anchorOf(early)).toEqual([1, 2]);
  near.lie = down;
  far.lie = down;
  const late = await grow();
  expect([await anchorOf(early), await anchorOf(late)]).toEqual([
    [1, 2],
    [2, 0],
  ]);
  near.lie = undefined;
  await grow();
  expect([await anchorOf(early), await anchorOf(late)]).toEqual([
    [1, 2],
    [3, 1],
  ]);
  far.lie = undefined;
  await grow();
  expect([await anchorOf(early), await anchorOf(late)]).toEqual([
    [4, 2],
    [4, 2],
  ]);
});
