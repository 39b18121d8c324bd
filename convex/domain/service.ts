import { accept, refuse, type Aggregate, type Decision, type DecisionContext } from "./decision.ts";

export type ServiceState = { kind: "none" } | { kind: "active" } | { kind: "retired" };

export const service: Aggregate<ServiceState> = {
  initial: { kind: "none" },
  evolve(state, event) {
    switch (event.type) {
      case "service.defined":
        return { kind: "active" };
      case "service.retired":
        return { kind: "retired" };
      default:
        return state;
    }
  },
};

/** Defines a service; its price is in the organisation's currency, and a deposit is a part of it. */
export function decideDefine(
  command: {
    name: string;
    durationMinutes: number;
    priceMinor: number;
    depositMinor?: number | undefined;
  },
  facts: { currency: string },
  context: DecisionContext,
): Decision {
  const { name, durationMinutes, priceMinor, depositMinor } = command;
  if (depositMinor !== undefined && depositMinor >= priceMinor) return refuse("INVALID", "depositMinor");
  const serviceId = context.newId("svc");
  const data = { name, durationMinutes, priceMinor, currency: facts.currency };
  return accept(
    [
      {
        stream: `service/${serviceId}`,
        type: "service.defined",
        data: depositMinor === undefined ? data : { ...data, depositMinor },
      },
    ],
    { serviceId },
  );
}

export function decideRetire(state: ServiceState, command: { serviceId: string }): Decision {
  if (state.kind === "none") return refuse("NOT_FOUND");
  if (state.kind === "retired") return refuse("INVALID_TRANSITION");
  return accept([{ stream: `service/${command.serviceId}`, type: "service.retired", data: {} }]);
}
