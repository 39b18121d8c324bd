/** The backend on convex-test: in memory, one call at a time. */
import rateLimiter from "@convex-dev/rate-limiter/test";
import { convexTest, type TestConvex } from "convex-test";
import eventsSchema from "../../convex/events/schema.ts";
import schema from "../../convex/schema.ts";
import type { Backend, Client, Person } from "./backend.ts";

const modules = import.meta.glob([
  "../../convex/**/*.{ts,js}",
  "!../../convex/**/*.test.ts",
  "!../../convex/**/*.d.ts",
  "!../../convex/events/**",
]);
const catalogue = import.meta.glob("../../convex/events/catalogue/*.ts");
const eventsModules = import.meta.glob(["../../convex/events/**/*.ts", "!../../convex/events/**/*.test.ts"]);

export const TEST_ISSUER = "https://identity.test";

/** Keys that guard nothing: they exist only in tests. */
export const TEST_ENVIRONMENT: Readonly<Record<string, string>> = {
  DAYBOOK_INVITATION_KEYS: `k1:${"1".repeat(64)}`,
  DAYBOOK_FINGERPRINT_KEY: "2".repeat(64),
};

export type TestBackend = Backend & {
  t: TestConvex<typeof schema>;
  /** A client whose token has these claims besides its subject. */
  withClaims: (subject: string, claims: Record<string, unknown>, issuer?: string) => Client;
};

export function openTestBackend(): TestBackend {
  Object.assign(process.env, TEST_ENVIRONMENT);
  const t = convexTest(schema, { ...modules, ...catalogue });
  t.registerComponent("events", eventsSchema, eventsModules);
  rateLimiter.register(t);
  const withClaims: TestBackend["withClaims"] = (subject, claims, issuer = TEST_ISSUER) =>
    t.withIdentity({ issuer, subject, tokenIdentifier: `${issuer}|${subject}`, ...claims }) as Client;
  const as = ({ subject, orgId, authenticatedAgoS }: Person): Promise<Client> => {
    const nowS = Math.floor(Date.now() / 1000);
    return Promise.resolve(
      withClaims(subject, {
        ...(orgId === undefined ? {} : { daybook_org: orgId }),
        ...(authenticatedAgoS === undefined
          ? {}
          : { daybook_iat: nowS, daybook_auth_time: nowS - authenticatedAgoS }),
      }),
    );
  };
  return {
    t,
    as,
    withClaims,
    anonymous: () => t as Client,
    operator: t as never,
    close: () => Promise.resolve(),
  };
}
