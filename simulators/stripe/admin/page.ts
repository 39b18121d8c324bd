/** The page of the simulator: tables of its objects with buttons for the switches. */
import type { HttpAnswer } from "../wire/http.ts";
import { escapeHtml, htmlAnswer } from "./html.ts";
import type { Overview } from "./overview.ts";

type Row = Overview["payments"][number];

interface Button {
  readonly label: string;
  readonly path: string;
  readonly input: Readonly<Record<string, string | boolean>>;
}

const button = ({ label, path, input }: Button) =>
  `<button type="button" data-path="${escapeHtml(path)}" data-input="${escapeHtml(JSON.stringify(input))}">${escapeHtml(label)}</button>`;

const payerButtons = (id: string): Button[] => [
  { label: "Succeed", path: "payments/succeed", input: { id } },
  { label: "Fail", path: "payments/fail", input: { id } },
  { label: "Require action", path: "payments/require_action", input: { id } },
  { label: "Process async", path: "payments/process", input: { id } },
];

const isUnpaid = (status: Row[string] | undefined) =>
  ["requires_payment_method", "requires_confirmation", "requires_action"].includes(String(status));

function paymentButtons({ id, status }: Row): Button[] {
  const intent = String(id);
  if (isUnpaid(status)) return payerButtons(intent);
  if (status === "processing") return payerButtons(intent).slice(0, 2);
  if (status !== "succeeded") return [];
  return [
    { label: "Refund", path: "payments/refund", input: { id: intent } },
    { label: "Refund, pending", path: "payments/refund", input: { id: intent, pending: true } },
    { label: "Dispute", path: "disputes/open", input: { id: intent } },
    { label: "Inquiry", path: "disputes/open", input: { id: intent, inquiry: true } },
  ];
}

function sessionButtons({ id, status }: Row): Button[] {
  if (status !== "open") return [];
  const session = String(id);
  return [...payerButtons(session), { label: "Expire", path: "sessions/expire", input: { id: session } }];
}

function refundButtons({ id, status }: Row): Button[] {
  const refund = String(id);
  const fail = { label: "Refund fail", path: "refunds/settle", input: { id: refund, outcome: "fail" } };
  const succeed = {
    label: "Refund succeed",
    path: "refunds/settle",
    input: { id: refund, outcome: "succeed" },
  };
  if (status === "pending") return [succeed, fail];
  return status === "succeeded" ? [fail] : [];
}

function disputeButtons({ id, status }: Row): Button[] {
  if (!/needs_response|under_review/.test(String(status))) return [];
  return [
    { label: "Win", path: "disputes/decide", input: { id: String(id), outcome: "won" } },
    { label: "Lose", path: "disputes/decide", input: { id: String(id), outcome: "lost" } },
  ];
}

const accountButtons = ({ id, kind, connected }: Row): Button[] =>
  kind === "connected" && connected === true
    ? [{ label: "Deauthorise", path: "accounts/deauthorize", input: { id: String(id) } }]
    : [];

const eventButtons = ({ id }: Row): Button[] => [
  { label: "Resend", path: "deliveries/resend", input: { id: String(id) } },
];

const cell = (name: string, value: Row[string]) => {
  const shown = name === "created" ? new Date(Number(value) * 1000).toISOString() : String(value ?? "");
  return `<td>${name === "id" ? `<code>${escapeHtml(shown)}</code>` : escapeHtml(shown)}</td>`;
};

function table(caption: string, rows: readonly Row[], buttonsOf?: (row: Row) => Button[]): string {
  const [first] = rows;
  if (first === undefined) return `<table><caption>${escapeHtml(caption)}: none</caption></table>`;
  const names = Object.keys(first);
  const head = [...names, ...(buttonsOf === undefined ? [] : [""])].map(
    (name) => `<th>${escapeHtml(name)}</th>`,
  );
  const body = rows.map((row) => {
    const cells = names.map((name) => cell(name, row[name] ?? null));
    const buttons = buttonsOf === undefined ? "" : `<td>${buttonsOf(row).map(button).join("")}</td>`;
    return `<tr id="${escapeHtml(String(row["id"] ?? ""))}">${cells.join("")}${buttons}</tr>`;
  });
  return `<table><caption>${escapeHtml(caption)}</caption><thead><tr>${head.join("")}</tr></thead><tbody>${body.join("")}</tbody></table>`;
}

const SCRIPT = `document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-path]");
  if (button === null) return;
  const response = await fetch("/_simulator/" + button.dataset.path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: button.dataset.input,
  });
  if (response.ok) location.reload();
  else document.getElementById("problem").textContent = (await response.json()).error.message;
});`;

const GENERAL: readonly Button[] = [
  { label: "Release held deliveries", path: "deliveries/release", input: {} },
  { label: "Retry deliveries now", path: "deliveries/retry", input: {} },
  { label: "Clear switches and faults", path: "clear", input: {} },
  { label: "New connected account", path: "accounts/create", input: { name: "Studio Blue" } },
];

/** The whole page, as of one moment. */
export function page(shown: Overview): HttpAnswer {
  return htmlAnswer(
    "Stripe simulator",
    `<h1>Stripe simulator</h1><p>${GENERAL.map(button).join("")}</p><p id="problem" role="alert"></p>
${table("Payments", shown.payments, paymentButtons)}
${table("Checkout Sessions", shown.sessions, sessionButtons)}
${table("Refunds", shown.refunds, refundButtons)}
${table("Disputes", shown.disputes, disputeButtons)}
${table("Accounts", shown.accounts, accountButtons)}
${table("Events", shown.events, eventButtons)}
${table("Deliveries", shown.deliveries)}
${table("Delivery switches", shown.switches)}
${table("API faults", shown.faults)}`,
    { script: SCRIPT },
  );
}
