/** Movements of an account's balance. */
import type Stripe from "stripe";
import { newBalanceTransaction } from "../objects/balanceTransaction.ts";
import type { NewBalanceTransaction } from "../objects/balanceTransaction.ts";
import { newId } from "../state/ids.ts";
import type { Work } from "../state/work.ts";

type Movement = Omit<NewBalanceTransaction, "id" | "created" | "fee"> & { readonly fee?: number };

/** What Stripe keeps of a card payment in the simulator: 1.5 % and 25 minor units. */
export const paymentFee = (amount: number): number => Math.round((amount * 15) / 1000) + 25;

/** What a dispute costs besides its amount, in minor units. */
export const DISPUTE_FEE = 2000;

/** Books a movement, and gives it. */
export function bookMovement(work: Work, movement: Movement): Stripe.BalanceTransaction {
  const transaction = newBalanceTransaction({
    fee: 0,
    ...movement,
    id: newId(work.ids, "balanceTransaction"),
    created: work.nowS,
  });
  work.book.balanceTransactions.set(transaction.id, transaction);
  return transaction;
}
