/**
 * A host in production with canaries in every secret: after a walk over the whole surface none of them is in an
 * answer, the log, the metrics or the database, which is what a backup holds, where it does not belong.
 */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { getFunctionName, type FunctionReference } from "convex/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { everyFunction } from "../contract/access.ts";
import type { Backend, Client, Person } from "../support/backend.ts";
import { HostProcess } from "../support/hostProcess.ts";
import { checkpointKey } from "../support/checkpointKeys.ts";
import { committed, defineService, foundOrganization, join, key, requestBooking } from "../support/scene.ts";

const { commands } = api;
const ISSUER = "https://issuer.example";

const hex = (): string => randomBytes(32).toString("hex");
/** Secrets of the deployment, each one found by its own text. */
const CHECKPOINT_KEY = checkpointKey(0x5a);
const SECRETS = {
  invitationKey: hex(),
  oldInvitationKey: hex(),
  fingerprintKey: hex(),
  sealingKey: hex(),
  webhookSecret: `whsec_${hex()}`,
  stripeKey: `sk_live_${hex()}`,
  checkpointKey: CHECKPOINT_KEY.slice(CHECKPOINT_KEY.lastIndexOf("+") + 1),
  adminKey: `CANARY-admin-${hex()}`,
  alertSecret: Buffer.from(randomBytes(32)).toString("base64"),
  alertPath: `CANARY-alert-${hex()}`,
  forgedToken: "CANARY-token-forged",
  refusedArgument: "CANARY-argument-refused",
};

let host: HostProcess;
const answers: string[] = [];

beforeAll(async () => {
  host = await HostProcess.launch({
    DAYBOOK_ENV: "production",
    DAYBOOK_AUTH_ISSUER: ISSUER,
    DAYBOOK_AUTH_AUDIENCE: "daybook",
    DAYBOOK_INVITATION_KEYS: `k2:${SECRETS.invitationKey},k1:${SECRETS.oldInvitationKey}`,
    DAYBOOK_FINGERPRINT_KEY: SECRETS.fingerprintKey,
    DAYBOOK_SEALING_KEYS: `s1:${SECRETS.sealingKey}`,
    DAYBOOK_STRIPE_WEBHOOK_SECRETS: SECRETS.webhookSecret,
    DAYBOOK_STRIPE_SECRET_KEY: SECRETS.stripeKey,
    DAYBOOK_DEPLOYMENT: "daybook.test",
    DAYBOOK_CHECKPOINT_KEYS: CHECKPOINT_KEY,
    DAYBOOK_ADMIN_KEY: SECRETS.adminKey,
    DAYBOOK_ALERT_WEBHOOK_URL: `https://alerts.example/${SECRETS.alertPath}`,
    DAYBOOK_ALERT_WEBHOOK_SECRET: `whsec_${SECRETS.alertSecret}`,
    LOG_LEVEL: "debug",
  });
});
afterAll(async () => {
  await host.remove();
});

async function ask(kind: string, name: string, args: unknown, authorization?: string): Promise<string> {
  const response = await fetch(`${host.url}/api/${kind}`, {
    method: "POST",
    headers: authorization === undefined ? {} : { authorization },
    body: JSON.stringify({ path: name, args, format: "json" }),
  });
  const headers = [...response.headers].map((pair) => pair.join(": ")).join("\n");
  const body = await response.text();
  answers.push(`${headers}\n${body}`);
  return body;
}

async function call(
  kind: string,
  ref: FunctionReference<never>,
  args: unknown,
  as?: string,
): Promise<unknown> {
  const answer = JSON.parse(await ask(kind, getFunctionName(ref), args, as)) as {
    status: string;
    value?: unknown;
    errorData?: unknown;
  };
  if (answer.status === "success") return answer.value;
  throw Object.assign(new Error("refused"), { data: answer.errorData });
}

function client(authorization?: string): Client {
  return {
    query: (ref, args) => call("query", ref as never, args, authorization),
    mutation: (ref, args) => call("mutation", ref as never, args, authorization),
  };
}

/** No provider signs in this test: the operator acts in each person's name. */
function acting({ subject, orgId }: Person): Client {
  const identity = { issuer: ISSUER, subject, ...(orgId === undefined ? {} : { daybook_org: orgId }) };
  const encoded = Buffer.from(JSON.stringify(identity)).toString("base64");
  return client(`Convex ${SECRETS.adminKey}:${encoded}`);
}

const backend = { as: (person: Person) => Promise.resolve(acting(person)) } as Backend;

/** All that the host has on disk, as text. */
function stored(): string {
  return readdirSync(host.dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), "latin1"))
    .join("\n");
}

test("O01 R79 no secret, token or refused argument is in answers, log, metrics or database", async () => {
  const { orgId, owner } = await foundOrganization(backend);
  const guest = await join(backend, orgId, owner.client, "guest");
  const serviceId = await defineService(owner.client);
  await requestBooking(owner.client, serviceId, 5);
  const invited = committed(
    await owner.client.mutation(commands.members.invite, { role: "staff", idempotencyKey: key() }),
  );
  const { invitationToken = "" } = invited.result;
  const tokenAnswer = answers.length - 1;
  for (const { run } of everyFunction()) {
    for (const each of [client(), guest.client, owner.client]) await run(each);
    await ask("mutation", "commands/organizations:rename", { name: 1, surplus: SECRETS.refusedArgument });
  }
  const rename = { name: SECRETS.refusedArgument, idempotencyKey: key() };
  await guest.client.mutation(commands.organizations.rename, rename);
  await ask("query", "projections/ledger:head", {}, `Bearer ${SECRETS.forgedToken}`);
  await ask("query", "no/such:function", { name: SECRETS.refusedArgument });
  const metrics = await (
    await fetch(`${host.url}/metrics`, { headers: { authorization: `Convex ${SECRETS.adminKey}` } })
  ).text();
  expect(metrics).toContain("daybook_refusals_total");
  await host.kill("SIGTERM");

  const others = answers.filter((_, index) => index !== tokenAnswer).join("\n");
  const database = stored();
  expect(database).toContain(orgId);
  expect(host.output).toContain('"component":"calls"');
  expect(answers[tokenAnswer]).toContain(invitationToken);
  for (const [what, secret] of Object.entries({ ...SECRETS, invitationToken })) {
    expect([what, "answers", others.includes(secret)]).toEqual([what, "answers", false]);
    expect([what, "metrics", metrics.includes(secret)]).toEqual([what, "metrics", false]);
    expect([what, "database", database.includes(secret)]).toEqual([what, "database", false]);
    expect([what, "log", host.output.includes(secret)]).toEqual([what, "log", false]);
  }
});

test("K05 R80 an internal error shows an id that is in the log, and nothing of the inside", async () => {
  await host.start();
  const { orgId, owner } = await foundOrganization(backend);
  const serviceId = await defineService(owner.client);
  await host.kill("SIGTERM");
  const database = new DatabaseSync(path.join(host.dataDir, "daybook.sqlite"));
  const damaged = database
    .prepare("UPDATE documents SET value = replace(value, '5000', '4000') WHERE value LIKE ?")
    .run(`%"stream":"service/${serviceId}"%prevHash%`);
  database.close();
  expect(damaged.changes).toBe(1);
  await host.start();
  const identity = Buffer.from(
    JSON.stringify({ issuer: ISSUER, subject: owner.subject, daybook_org: orgId }),
  ).toString("base64");
  const retire = { serviceId, idempotencyKey: key() };
  const as = `Convex ${SECRETS.adminKey}:${identity}`;
  const body = JSON.parse(await ask("mutation", "commands/services:retire", retire, as)) as object;
  expect(body).toEqual({
    status: "error",
    errorMessage: expect.stringMatching(/^\[Request ID: [0-9a-f]{16}\] Server Error$/) as string,
  });
  const [requestId = ""] = /[0-9a-f]{16}/.exec(JSON.stringify(body)) ?? [];
  const lines = host.output.split("\n").filter((line) => line.includes(requestId));
  expect(lines.join("\n")).toContain("INV-02");
});
