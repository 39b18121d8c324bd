/** The page where an account's owner lets the platform in. */
import { escapeHtml, htmlAnswer } from "../admin/html.ts";
import type { AccountBook } from "../state/simulatorState.ts";
import type { HttpAnswer } from "../wire/http.ts";
import type { AuthorizeRequest } from "./oauth.ts";

/** A form that posts the decision, with an account that exists or a new one. */
export function consentPage(
  clientId: string,
  { redirectUri, scope, state }: AuthorizeRequest,
  books: readonly AccountBook[],
  redirectOrigin: string,
): HttpAnswer {
  const hidden = {
    client_id: clientId,
    response_type: "code",
    scope,
    redirect_uri: redirectUri,
    ...(state === undefined ? {} : { state }),
  };
  const inputs = Object.entries(hidden).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  const options = books.map(({ account }) => {
    const name = account.business_profile?.name ?? "";
    return `<option value="${escapeHtml(account.id)}">${escapeHtml(`${name} (${account.id})`)}</option>`;
  });
  return htmlAnswer(
    "Connect an account — Stripe simulator",
    `<h1>Connect an account</h1>
<p>The application <code>${escapeHtml(clientId)}</code> asks for <code>${escapeHtml(scope)}</code>.</p>
<form method="post" action="/oauth/authorize">${inputs.join("")}
<p><label>Account <select name="account"><option value="new">a new account</option>${options.join("")}</select></label></p>
<p><label>Name of a new account <input name="name" value="Studio Blue" maxlength="100"></label></p>
<button name="decision" value="allow">Connect</button>
<button name="decision" value="deny">Deny</button>
</form>`,
    // A browser checks the form's target again when the answer leads elsewhere.
    { formTargets: [redirectOrigin] },
  );
}
