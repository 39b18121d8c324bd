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

/** Defines a service; its price is in the organisation's currency. */
export function decideDefine(
  command: { name: string; durationMinutes: number; priceMinor: number },
  facts: { currency: string },
  context: DecisionContext,
): Decision {
  const serviceId = context.newId("svc");
  const { name, durationMinutes, priceMinor } = command;
  return accept(
    [
      {
        stream: `service/${serviceId}`,
        type: "service.defined",
        data: { name, durationMinutes, priceMinor, currency: facts.currency },
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
