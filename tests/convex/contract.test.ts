import { describe } from "vitest";
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
import { openTestBackend } from "../support/testBackend.ts";

const open = (): Promise<ReturnType<typeof openTestBackend>> => Promise.resolve(openTestBackend());

describe("access on convex-test", () => {
  accessContract(open);
});
describe("members on convex-test", () => {
  membersContract(open);
});
describe("bookings on convex-test", () => {
  bookingsContract(open);
});
describe("ledger on convex-test", () => {
  ledgerContract(open);
});
describe("lifecycle on convex-test", () => {
  lifecycleContract(open);
});
describe("membership on convex-test", () => {
  membershipContract(open);
});
describe("principal on convex-test", () => {
  principalContract(open);
});
describe("evidence on convex-test", () => {
  evidenceContract(open);
});
describe("readings on convex-test", () => {
  readingsContract(open);
});
describe("input on convex-test", () => {
  inputContract(open);
});
