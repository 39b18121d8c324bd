/** What the tests use of oidc-provider, which has no types of its own. */
declare module "oidc-provider" {
  import type { RequestListener } from "node:http";
  import type { JWK } from "jose";

  /** https://github.com/panva/node-oidc-provider */
  export default class Provider {
    constructor(issuer: string, configuration: { jwks: { keys: JWK[] } } & Record<string, unknown>);
    callback(): RequestListener;
  }
}
