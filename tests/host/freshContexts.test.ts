/** The same contract where each call runs in a context of its own: nothing of Daybook lives in its modules. */
import { afterAll, beforeAll, describe } from "vitest";
import { bookingsContract } from "../contract/bookings.ts";
import { membersContract } from "../contract/members.ts";
import type { Backend } from "../support/backend.ts";
import { openHostBackend } from "../support/hostBackend.ts";

let backend: Backend;
const open = (): Promise<Backend> => Promise.resolve(backend);

beforeAll(async () => {
  backend = await openHostBackend({ DAYBOOK_FRESH_CONTEXTS: "on" });
});
afterAll(async () => {
  await backend.close();
});

describe("members on the embedded host, in fresh contexts", () => {
  membersContract(open);
});
describe("bookings on the embedded host, in fresh contexts", () => {
  bookingsContract(open);
});
