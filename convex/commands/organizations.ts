import { v } from "convex/values";
import { ulid } from "ulid";
import { decideCreate, decideRename, organization } from "../domain/organization.ts";
import { commandMutation, noFacts } from "../pipeline/commandMutation.ts";
import { currency, expectedVersion, name, timeZone } from "../access/fields.ts";
import { signedInMutation } from "../pipeline/signedInMutation.ts";

/** Founds an organisation; the caller becomes its owner. */
export const create = signedInMutation({
  function: "commands/organizations:create",
  args: { name, timeZone, currency },
  result: { orgId: v.string() },
  organization: () => Promise.resolve({ orgId: `org_${ulid(Date.now(), Math.random)}`, isNew: true }),
  facts: () => Promise.resolve({ facts: null, versions: new Map<string, number>() }),
  decide: ({ args, context }) => decideCreate(args, context),
});

export const rename = commandMutation({
  function: "commands/organizations:rename",
  args: { name, expectedVersion },
  result: {},
  aggregate: organization,
  stream: (_args, orgId) => `organization/${orgId}`,
  facts: noFacts,
  decide: ({ state, args, context }) => decideRename(state, args, context),
});
