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

export type TestBackend = Backend & { t: TestConvex<typeof schema> };

export function openTestBackend(): TestBackend {
  Object.assign(process.env, TEST_ENVIRONMENT);
  const t = convexTest(schema, { ...modules, ...catalogue });
  t.registerComponent("events", eventsSchema, eventsModules);
  rateLimiter.register(t);
  const as = ({ subject, orgId }: Person): Promise<Client> =>
    Promise.resolve(
      t.withIdentity({
        issuer: TEST_ISSUER,
        subject,
        tokenIdentifier: `${TEST_ISSUER}|${subject}`,
        ...(orgId === undefined ? {} : { daybook_org: orgId }),
      }) as Client,
    );
  return { t, as, anonymous: () => t as Client, operator: t as never, close: () => Promise.resolve() };
}
