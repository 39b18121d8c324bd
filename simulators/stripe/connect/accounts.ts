/** Connected accounts: made, linked by OAuth, deauthorised. */
import type Stripe from "stripe";
import type { Engine } from "../engine.ts";
import { recordEvent } from "../events/recordEvent.ts";
import { newAccount } from "../objects/account.ts";
import { newId } from "../state/ids.ts";
import { emptyBook } from "../state/simulatorState.ts";
import type { AccountBook } from "../state/simulatorState.ts";

/** Makes an account; the platform may act on it at once, as if its owner had just agreed. */
export function addConnectedAccount(engine: Engine, name: string): Stripe.Account {
  const id = newId(engine.ids, "account");
  const account = newAccount(id, Math.floor(engine.clock.nowMs() / 1000), name);
  engine.state.accounts.set(id, emptyBook(account));
  return account;
}

const application = (engine: Engine): Stripe.Application => ({
  id: engine.oauth.clientId,
  object: "application",
  name: "Daybook",
});

/** Connects an account, new or back again. */
export function authorizeAccount(engine: Engine, book: AccountBook): void {
  book.connected = true;
  recordEvent(engine.work(book.account.id), "account.application.authorized", application(engine));
}

/** The owner, or the platform, ends the connection: keys and tokens stop, and Connect endpoints learn it. */
export function deauthorizeAccount(engine: Engine, book: AccountBook): void {
  const { id } = book.account;
  book.connected = false;
  const { accessTokens, refreshTokens, oauthCodes } = engine.state;
  for (const [token, owner] of accessTokens) if (owner === id) accessTokens.delete(token);
  for (const [token, owner] of refreshTokens) if (owner === id) refreshTokens.delete(token);
  for (const [code, { accountId }] of oauthCodes) if (accountId === id) oauthCodes.delete(code);
  recordEvent(engine.work(id), "account.application.deauthorized", application(engine));
}

/** Stripe stops or allows an account's payments, as after a missing document. */
export function setChargesEnabled(engine: Engine, book: AccountBook, isEnabled: boolean): void {
  const before = { ...book.account };
  book.account.charges_enabled = isEnabled;
  recordEvent(engine.work(book.account.id), "account.updated", book.account, before);
}

/** Connected accounts, without the platform's own. */
export const connectedBooks = (engine: Engine): AccountBook[] =>
  [...engine.state.accounts.values()].filter(({ account }) => account.id !== engine.state.platformAccountId);
