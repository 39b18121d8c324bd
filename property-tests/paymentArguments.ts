/** The arguments of the commands on payments, picked from what exists; likely ones more often. */
import { PAYMENT_METHODS, REFUND_REASONS, type Args } from "./argumentModel.ts";
import { isOpenPayment, refundableMinor, type PaymentRow } from "./paymentFold.ts";
import { NOWHERE, type Scene } from "./scene.ts";
import type { Organization } from "./world.ts";

const STEPS: Readonly<Record<string, (row: PaymentRow) => boolean>> = {
  cancel: isOpenPayment,
  requestRefund: (row) => refundableMinor(row) > 0,
  approveRefund: awaitsApproval,
  declineRefund: awaitsApproval,
};

function awaitsApproval({ requests }: PaymentRow): boolean {
  return requests.some(({ status }) => status === "awaiting_approval");
}

/** A payment of the organisation, likely one that the command fits; undefined when it has none. */
export function pickPayment(
  { pick, intent }: Scene,
  { view }: Organization,
  name: string,
): PaymentRow | undefined {
  const all = [...view.payments.values()];
  const isFitting = STEPS[name.split(":")[1] ?? ""] ?? (() => true);
  const fitting = intent.isLikely ? all.filter(isFitting) : [];
  const rows = fitting.length > 0 ? fitting : all;
  return rows.length > 0 ? pick(rows) : undefined;
}

type Build = (scene: Scene, organization: Organization, name: string) => Args;

const ofPayment: Build = (scene, organization, name) => ({
  paymentId: pickPayment(scene, organization, name)?.paymentId ?? `pay_${NOWHERE}`,
});

const ofRefund: Build = (scene, organization, name) => {
  const row = pickPayment(scene, organization, name);
  const all = row?.requests ?? [];
  const waiting = scene.intent.isLikely ? all.filter(({ status }) => status === "awaiting_approval") : [];
  const requests = waiting.length > 0 ? waiting : all;
  return {
    paymentId: row?.paymentId ?? `pay_${NOWHERE}`,
    refundId: requests.length > 0 ? scene.pick(requests).refundId : `rfd_${NOWHERE}`,
  };
};

/** All of it, a part, more than there is, or no amount: all that is left. */
const refund: Build = ({ pick, ...scene }, organization, name) => {
  const row = pickPayment({ pick, ...scene }, organization, name);
  const left = Math.max(1, row === undefined ? 1 : refundableMinor(row));
  const reason = pick(REFUND_REASONS);
  const amount = pick([undefined, 1, Math.ceil(left / 3), Math.ceil(left / 2), left, left + 1]);
  return {
    paymentId: row?.paymentId ?? `pay_${NOWHERE}`,
    reason,
    ...(amount === undefined ? {} : { amountMinor: amount }),
  };
};

/** How a payer pays, and where they come back to. */
export function pickMethod({ pick }: Scene): Args {
  const method = pick([undefined, undefined, ...PAYMENT_METHODS]);
  const path = pick([undefined, undefined, "/thanks", "/a/b.c~d/", "/../etc", "/?q=1", "//evil.example"]);
  return {
    ...(method === undefined ? {} : { method }),
    ...(path === undefined ? {} : { returnPath: path }),
  };
}

/** Mostly the state of a link that is on its way in this organisation; now and then somebody else's, or nobody's. */
function pickState({ world, pick }: Scene, { view }: Organization): string {
  const all = [...world.linkStates];
  const own = all.filter(([, linkId]) => linkId === view.account?.pending?.linkId);
  const [state] = pick([...own, ...own, ...own, ...all, ["C".repeat(43), ""] as const]);
  return state;
}

/** Builds the arguments besides booking, key and version, by command. */
export const PAYMENT_ARGUMENTS: Readonly<Record<string, Build>> = {
  "commands/payments:cancel": ofPayment,
  "commands/payments:requestRefund": refund,
  "commands/payments:approveRefund": ofRefund,
  "commands/payments:declineRefund": ofRefund,
  "commands/stripeAccount:beginLink": () => ({}),
  "commands/stripeAccount:unlink": () => ({}),
  "commands/stripeAccount:completeLink": (scene, organization) => {
    const code = `ac_Secret${String(scene.pick(Array.from({ length: 1_000 }, (_, n) => n))).padStart(8, "0")}`;
    scene.world.secrets.add(code);
    return { state: pickState(scene, organization), code };
  },
  "commands/ledger:requestCheckpoint": () => ({}),
};
