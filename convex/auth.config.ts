import type { AuthConfig } from "convex/server";

const issuer = process.env["DAYBOOK_AUTH_ISSUER"];
const audience = process.env["DAYBOOK_AUTH_AUDIENCE"];

/** One OpenID provider by configuration. Without `applicationID` the audience would go unchecked: both or none. */
export default {
  providers: issuer && audience ? [{ domain: issuer, applicationID: audience }] : [],
} satisfies AuthConfig;
