/** Numbers and names that are legal JSON or JavaScript, and no legal argument. */
import { expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Backend, Client } from "../support/backend.ts";
import { committed, foundOrganization, key } from "../support/scene.ts";

const { commands, projections } = api;

type Answer = { status: string; code?: string; field?: string };

async function define(client: Client, change: Record<string, unknown>): Promise<Answer> {
  const args = { name: "Cut", durationMinutes: 30, priceMinor: 100, idempotencyKey: key(), ...change };
  return await client.mutation(commands.services.define, args);
}

export function inputContract(open: () => Promise<Backend>): void {
  test("S05 S19 money and minutes are safe whole numbers in their range, and nothing else", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const { seq } = await owner.client.query(projections.ledger.head, {});
    const numbers = [NaN, Infinity, -Infinity, 1e308, 2 ** 53 + 2, 2 ** 53, 0.5, -1, -0.1];
    for (const field of ["priceMinor", "durationMinutes"]) {
      for (const value of [...numbers, "100", "1e2", 10n, null, true, [1], { valueOf: 1 }]) {
        const answer = await define(owner.client, { [field]: value });
        expect([field, value, answer]).toEqual([
          field,
          value,
          { status: "rejected", code: "INVALID", message: expect.any(String) as string, field },
        ]);
      }
    }
    expect((await owner.client.query(projections.ledger.head, {})).seq).toBe(seq);
    committed(await define(owner.client, { priceMinor: 0 }));
  });

  test("S07 names of the prototype are roles, ids and categories of nothing, and change no prototype", async () => {
    const backend = await open();
    const { owner } = await foundOrganization(backend);
    const before = Object.getOwnPropertyNames(Object.prototype).sort();
    for (const name of ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"]) {
      const idempotencyKey = key();
      const { members, bookings } = commands;
      const answers: Answer[] = [
        await owner.client.mutation(members.invite, { role: name as "staff", idempotencyKey }),
        await owner.client.mutation(bookings.confirm, { bookingId: name, idempotencyKey }),
        await owner.client.mutation(bookings.confirm, { bookingId: `bkg_${name}`, idempotencyKey }),
      ];
      if (name !== "__proto__") answers.push(await define(owner.client, { [name]: { isAdmin: true } }));
      expect([name, answers.map(({ code }) => code)]).toEqual([name, answers.map(() => "INVALID")]);
    }
    expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(before);
    expect(({} as Record<string, unknown>)["isAdmin"]).toBeUndefined();
  });
}
