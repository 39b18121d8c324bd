import { v } from "convex/values";
import { decideDefine, decideRetire, service } from "../domain/service.ts";
import { commandMutation, noFacts } from "../pipeline/commandMutation.ts";
import {
  depositMinor,
  durationMinutes,
  expectedVersion,
  name,
  priceMinor,
  serviceId,
} from "../access/fields.ts";

/** Defines a service. The price is in minor units of the organisation's currency; a deposit is less than it. */
export const define = commandMutation({
  function: "commands/services:define",
  args: { name, durationMinutes, priceMinor, depositMinor: depositMinor.optional() },
  result: { serviceId: v.string() },
  aggregate: service,
  facts: ({ member }) => Promise.resolve({ currency: member.organization.currency }),
  decide: ({ args, facts, context }) => decideDefine(args, facts, context),
});

export const retire = commandMutation({
  function: "commands/services:retire",
  args: { serviceId, expectedVersion },
  result: {},
  aggregate: service,
  stream: (args) => `service/${args.serviceId}`,
  facts: noFacts,
  decide: ({ state, args }) => decideRetire(state, args),
});
