import { afterAll, beforeAll, describe } from "vitest";
import { accessContract } from "../contract/access.ts";
import { bookingsContract } from "../contract/bookings.ts";
import { evidenceContract } from "../contract/evidence.ts";
import { inputContract } from "../contract/input.ts";
import { ledgerContract } from "../contract/ledger.ts";
import { lifecycleContract } from "../contract/lifecycle.ts";
import { membersContract } from "../contract/members.ts";
import { membershipContract } from "../contract/membership.ts";
import { principalContract } from "../contract/principal.ts";
import { readingsContract } from "../contract/readings.ts";
import type { Backend } from "../support/backend.ts";
import { openHostBackend } from "../support/hostBackend.ts";

let backend: Backend;
const open = (): Promise<Backend> => Promise.resolve(backend);

beforeAll(async () => {
  backend = await openHostBackend();
});
afterAll(async () => {
  await backend.close();
});

describe("access on the embedded host", () => {
  accessContract(open);
});
describe("members on the embedded host", () => {
  membersContract(open);
});
describe("bookings on the embedded host", () => {
  bookingsContract(open);
});
describe("ledger on the embedded host", () => {
  ledgerContract(open);
});
describe("lifecycle on the embedded host", () => {
  lifecycleContract(open);
});
describe("membership on the embedded host", () => {
  membershipContract(open);
});
describe("principal on the embedded host", () => {
  principalContract(open);
});
describe("evidence on the embedded host", () => {
  evidenceContract(open);
});
describe("readings on the embedded host", () => {
  readingsContract(open);
});
describe("input on the embedded host", () => {
  inputContract(open);
});
