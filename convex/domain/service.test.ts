import { expect, test } from "vitest";
import type { DomainEvent } from "../events/catalogue/catalogue.ts";
import type { DecisionContext } from "./decision.ts";
import { decideDefine, decideRetire, service, type ServiceState } from "./service.ts";

const context: DecisionContext = {
  now: 1,
  orgId: "org_1",
  userId: "usr_1",
  newId: (prefix) => `${prefix}_new`,
};

function given(...types: string[]): ServiceState {
  return types.reduce<ServiceState>(
    (state, type) => service.evolve(state, { type, data: {} } as unknown as DomainEvent),
    service.initial,
  );
}

test("define takes the currency from the organisation", () => {
  const command = { name: "Massage", durationMinutes: 60, priceMinor: 5000 };
  expect(decideDefine(command, { currency: "JPY" }, context)).toEqual({
    kind: "accepted",
    events: [{ stream: "service/svc_new", type: "service.defined", data: { ...command, currency: "JPY" } }],
    result: { serviceId: "svc_new" },
  });
});

test("retire ends an active service, once", () => {
  const retire = (...types: string[]): unknown => decideRetire(given(...types), { serviceId: "svc_1" });
  expect(retire("service.defined")).toEqual({
    kind: "accepted",
    events: [{ stream: "service/svc_1", type: "service.retired", data: {} }],
    result: {},
  });
  expect(retire("service.defined", "service.retired")).toEqual({
    kind: "rejected",
    code: "INVALID_TRANSITION",
  });
  expect(retire()).toEqual({ kind: "rejected", code: "NOT_FOUND" });
});

test("the state of a service follows its events and no others", () => {
  expect(given("service.defined")).toEqual({ kind: "active" });
  expect(given("service.defined", "service.retired")).toEqual({ kind: "retired" });
  expect(given("booking.confirmed")).toEqual({ kind: "none" });
});
