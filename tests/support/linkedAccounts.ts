/** Accounts at Stripe that are linked, on convex-test: what an owner and Stripe would have done, as events. */
import { ulid } from "ulid";
import { components } from "../../convex/_generated/api.js";
import { accept } from "../../convex/domain/decision.ts";
import type { NewEvent } from "../../convex/events/catalogue/catalogue.ts";
import { appendDecision, type Appending } from "../../convex/pipeline/ledger.ts";
import { project } from "../../convex/pipeline/project.ts";
import type { Actor } from "./scene.ts";
import type { TestBackend } from "./testBackend.ts";

type Organization = { orgId: string; owner: Actor };
type By = Pick<Appending, "actor" | "source">;

export const BY_JOB: By = {
  actor: { kind: "system", id: "effects/stripe" },
  source: { kind: "job", name: "effects/stripe" },
};

export function byOwner({ owner }: Organization, name: string): By {
  return {
    actor: { kind: "user", id: owner.userId, role: "owner" },
    source: { kind: "command", name, key: ulid(), policy: "0".repeat(16) },
  };
}

/** Appends an event to its stream and projects it. */
export async function write(
  { t }: TestBackend,
  { orgId }: Pick<Organization, "orgId">,
  event: NewEvent,
  by: By,
): Promise<void> {
  await t.run(async (ctx) => {
    const { nextAfterVersion } = await ctx.runQuery(components.events.read.stream, {
      ...{ orgId, stream: event.stream },
      ...{ afterVersion: 0, limit: 200 },
    });
    const { events } = await appendDecision(ctx, {
      orgId,
      decision: accept([event]),
      versions: new Map([[event.stream, nextAfterVersion]]),
      correlationId: "cor_1",
      ...by,
    });
    await project(ctx, orgId, events);
  });
}

/** Links an account of test mode. */
export async function linkAccount(
  backend: TestBackend,
  organization: Organization,
  account: string,
): Promise<void> {
  const stream = `stripeAccount/${organization.orgId}`;
  const linkId = `lnk_${ulid()}`;
  const by = byOwner(organization, "stripeAccount.beginLink");
  await write(backend, organization, { stream, type: "stripeAccount.linkBegun", data: { linkId } }, by);
  await write(backend, organization, { stream, type: "stripeAccount.linkReturned", data: { linkId } }, by);
  const data = { linkId, account, livemode: false };
  await write(backend, organization, { stream, type: "stripeAccount.linked", data }, BY_JOB);
}
