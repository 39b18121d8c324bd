/** Where the functions may send something (ASVS 1.3.6): https, and no address of a private network. */
import ipaddr from "ipaddr.js";

/** Names that a resolver answers with an address of its own network (RFC 6761, RFC 6762, RFC 9476, ICANN's `.internal`). */
const PRIVATE_NAME = /(?:^|\.)(?:local|localhost|internal|intranet|lan|home|corp|onion|alt|home\.arpa)\.?$/;

/** The host of a URL without the brackets of IPv6. */
function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** Whether a URL leads to the machine itself, by its text alone. */
export function isLoopbackUrl(text: string): boolean {
  const host = bareHost(URL.parse(text)?.hostname ?? "");
  if (host === "localhost") return true;
  return ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback";
}

/**
 * Why nothing may be sent to a URL; null when it may: https to a public host, or to loopback, where http will do as
 * well. Not yet verified: what the host's name resolves to.
 */
export function outboundUrlProblem(text: string): string | null {
  const url = URL.parse(text);
  // What the parser would strip or fold, another one may read as another host.
  if (url === null || /[\s\\]/.test(text) || !/^https?:\/\//.test(text)) return "must be an https URL";
  if (url.username !== "" || url.password !== "" || url.hash !== "") {
    return "must be an https URL without user, password and fragment";
  }
  if (isLoopbackUrl(text)) return null;
  if (url.protocol !== "https:") return "must be an https URL; http is allowed for a loopback address only";
  const host = bareHost(url.hostname);
  const isPublic = ipaddr.isValid(host)
    ? ipaddr.process(host).range() === "unicast"
    : host.includes(".") && !PRIVATE_NAME.test(host);
  return isPublic ? null : "must not lead to a private address";
}
