/** The simulator's command: starts one, or shows and flips the switches of one that runs. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { FAULT_KINDS } from "./wire/faults.ts";
import { flip, show, SimulatorCallError } from "./admin/remote.ts";
import { runStart } from "./startCommand.ts";
import type { StartOptions } from "./startCommand.ts";

const DEFAULT_URL = "http://127.0.0.1:12111";

const LISTS = [
  "payments",
  "sessions",
  "refunds",
  "disputes",
  "events",
  "deliveries",
  "accounts",
  "switches",
  "faults",
] as const;

interface Remote {
  readonly url: string;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError("Give a whole number.");
  return value;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("Give JSON, like 100, true or '\"text\"'.");
  }
}

const remote = (program: Command, name: string, description: string) =>
  program.command(name).description(description).addOption(urlOption());

const urlOption = () =>
  new Option("--url <url>", "the simulator that runs").env("STRIPE_SIMULATOR_URL").default(DEFAULT_URL);

function addLists(program: Command): void {
  for (const name of LISTS) {
    remote(program, name, `list ${name}`).action(async ({ url }: Remote) => {
      process.stdout.write(`${await show(url, name)}\n`);
    });
  }
}

const print = async (url: string, path: string, input: object) => {
  process.stdout.write(`${await flip(url, path, input)}\n`);
};

function addPayments(program: Command): void {
  const payer = (name: string, description: string) =>
    remote(program, `${name} <id>`, `${description}, by the id of a PaymentIntent or a Checkout Session`);
  payer("succeed", "the payer pays").action((id: string, { url }: Remote) =>
    print(url, "payments/succeed", { id }),
  );
  payer("fail", "the payer's bank declines")
    .option("--decline <code>", "why", "generic_decline")
    .action((id: string, { url, decline }: Remote & { decline: string }) =>
      print(url, "payments/fail", { id, decline_code: decline }),
    );
  payer("require-action", "the payer must authenticate").action((id: string, { url }: Remote) =>
    print(url, "payments/require_action", { id }),
  );
  payer("process", "the payer's bank takes its time").action((id: string, { url }: Remote) =>
    print(url, "payments/process", { id }),
  );
  remote(program, "refund <id>", "refund a PaymentIntent, a session or a charge, as from the dashboard")
    .option("--amount <minor>", "a part, in minor units", whole)
    .option("--pending", "leave it pending")
    .action((id: string, { url, amount, pending }: Remote & { amount?: number; pending?: true }) =>
      print(url, "payments/refund", { id, amount, pending }),
    );
  remote(
    program,
    "settle-refund <id> <outcome>",
    "a refund succeeds, or fails (outcome: succeed, fail)",
  ).action((id: string, outcome: string, { url }: Remote) => print(url, "refunds/settle", { id, outcome }));
  remote(program, "expire <id>", "a Checkout Session expires").action((id: string, { url }: Remote) =>
    print(url, "sessions/expire", { id }),
  );
}

function addDisputes(program: Command): void {
  remote(program, "dispute <id>", "the payer's bank disputes a payment")
    .option("--reason <reason>", "as Stripe names reasons", "fraudulent")
    .option("--inquiry", "only ask; no money moves")
    .action((id: string, { url, reason, inquiry }: Remote & { reason: string; inquiry?: true }) =>
      print(url, "disputes/open", { id, reason, inquiry }),
    );
  remote(program, "decide-dispute <id> <outcome>", "the bank decides (outcome: won, lost)").action(
    (id: string, outcome: string, { url }: Remote) => print(url, "disputes/decide", { id, outcome }),
  );
}

function addAccounts(program: Command): void {
  remote(program, "create-account <name>", "make a connected account").action(
    (name: string, { url }: Remote) => print(url, "accounts/create", { name }),
  );
  remote(program, "deauthorise <id>", "a connected account's owner ends the connection").action(
    (id: string, { url }: Remote) => print(url, "accounts/deauthorize", { id }),
  );
  remote(
    program,
    "charges <id> <state>",
    "Stripe stops or allows an account's payments (state: on, off)",
  ).action((id: string, state: string, { url }: Remote) =>
    print(url, "accounts/charges", { id, enabled: ["on", "off"].includes(state) ? state === "on" : state }),
  );
}

interface DeliveryOptions extends Remote {
  readonly times: number;
  readonly type?: string;
  readonly seconds?: number;
  readonly copies?: number;
  readonly path?: string;
  readonly value?: unknown;
}

const KINDS =
  "delay, duplicate, drop, reorder, other_body, wrong_mode, wrong_account, wrong_version, tamper, wrong_secret, signed_ago, rewrite";

function addDeliveries(program: Command): void {
  remote(program, "alter <kind>", `change the next deliveries: ${KINDS}`)
    .option("--times <n>", "how many deliveries", whole, 1)
    .option("--type <type>", "only events of this type")
    .option("--seconds <n>", "of delay and signed_ago", whole)
    .option("--copies <n>", "of duplicate", whole)
    .option("--path <path>", "of rewrite, like data.object.amount")
    .option("--value <json>", "of rewrite", json)
    .action((kind: string, { url, times, type, ...rest }: DeliveryOptions) =>
      print(url, "deliveries/alter", { switch: { kind, ...rest }, times, type }),
    );
  remote(program, "retry", "try every pending delivery now").action(({ url }: Remote) =>
    print(url, "deliveries/retry", {}),
  );
  remote(program, "release", "send what reorder holds").action(({ url }: Remote) =>
    print(url, "deliveries/release", {}),
  );
  remote(program, "resend <event>", "send an event again").action((id: string, { url }: Remote) =>
    print(url, "deliveries/resend", { id }),
  );
}

interface FaultOptions extends Remote {
  readonly times: number;
  readonly method?: string;
  readonly path?: string;
  readonly delayMs?: number;
  readonly retryAfter?: number;
  readonly shouldRetry?: string;
}

function addFaults(program: Command): void {
  remote(program, "fault <kind>", `the next API calls fail: ${FAULT_KINDS.join(", ")}`)
    .option("--times <n>", "how many calls", whole, 1)
    .option("--method <method>", "only GET or POST")
    .option("--path <path>", "only this path; * stands for one part, like /v1/payment_intents/*")
    .option("--delay-ms <n>", "of slow", whole)
    .option("--retry-after <seconds>", "of rate_limited", whole)
    .option("--should-retry <boolean>", "the header Stripe-Should-Retry: true or false")
    .action((kind: string, { url, delayMs, retryAfter, shouldRetry, ...rest }: FaultOptions) =>
      print(url, "faults", {
        ...rest,
        kind,
        delay_ms: delayMs,
        retry_after_s: retryAfter,
        should_retry: shouldRetry === undefined ? undefined : shouldRetry === "true",
      }),
    );
  remote(program, "clear", "forget switches and faults").action(({ url }: Remote) => print(url, "clear", {}));
}

function createProgram(): Command {
  const program = new Command("simulator")
    .description("A local stand-in for Stripe.")
    .exitOverride()
    .showHelpAfterError("(--help lists the commands and options)");
  program
    .command("start")
    .description("start a simulator on this machine; without keys of yours it makes some and prints them")
    .option("--port <port>", "0 lets the system choose", whole, 12111)
    .option("--webhook-url <url>", "where signed events go, on this machine")
    .option("--state <file>", "keep everything in this file")
    .option("--redirect-uri <uri>", "where Connect's OAuth may lead back to")
    .addOption(new Option("--secret-key <key>", "sk_test_…").env("STRIPE_SECRET_KEY"))
    .addOption(new Option("--webhook-secret <secret>", "whsec_…").env("STRIPE_WEBHOOK_SECRET"))
    .action((options: StartOptions) => runStart(options));
  for (const add of [addLists, addPayments, addDisputes, addAccounts, addDeliveries, addFaults]) add(program);
  return program;
}

/** Runs one command; gives the exit code: 0, or 1 when it was refused or nothing runs there. */
export async function runCommandLine(parameters: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(parameters, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (!(error instanceof SimulatorCallError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}
