/** The backend on convex-test: in memory, one call at a time. */
import rateLimiter from "@convex-dev/rate-limiter/test";
import { convexTest, type TestConvex } from "convex-test";
import eventsSchema from "../../convex/events/schema.ts";
import schema from "../../convex/schema.ts";
import type { Backend, Client, Person } from "./backend.ts";
import { STRIPE_ENVIRONMENT } from "./stripeEnvironment.ts";

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
  DAYBOOK_SEALING_KEYS: `s1:${"3".repeat(64)}`,
  ...STRIPE_ENVIRONMENT,
};

/** Claims as the platform hands them to functions: one attribute for each leaf of an object. */
function flattened(claims: Readonly<Record<string, unknown>>, prefix = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(claims).flatMap(([name, value]) =>
      typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
        ? Object.entries(flattened(value as Record<string, unknown>, `${prefix}${name}.`))
        : [[`${prefix}${name}`, value]],
    ),
  );
}

export type TestBackend = Backend & { t: TestConvex<typeof schema> };

/** `environment` adds to the variables; the functions read them once a file. */
export function openTestBackend(environment: Readonly<Record<string, string>> = {}): TestBackend {
  Object.assign(process.env, TEST_ENVIRONMENT, environment);
  const t = convexTest(schema, { ...modules, ...catalogue });
  t.registerComponent("events", eventsSchema, eventsModules);
  rateLimiter.register(t);
  const withClaims: TestBackend["withClaims"] = (subject, claims) =>
    Promise.resolve(
      t.withIdentity({
        issuer: TEST_ISSUER,
        subject,
        tokenIdentifier: `${TEST_ISSUER}|${subject}`,
        ...flattened(claims),
      }) as Client,
    );
  const as = ({ subject, orgId, authenticatedAgoS }: Person): Promise<Client> => {
    const nowS = Math.floor(Date.now() / 1000);
    return withClaims(subject, {
      ...(orgId === undefined ? {} : { daybook_org: orgId }),
      ...(authenticatedAgoS === undefined
        ? {}
        : { daybook_iat: nowS, daybook_auth_time: nowS - authenticatedAgoS }),
    });
  };
  return {
    t,
    as,
    withClaims,
    issuer: TEST_ISSUER,
    anonymous: () => t as Client,
    operator: t as never,
    close: () => Promise.resolve(),
  };
}

/** What tests do to a component's tables behind its back. */
export type ComponentDb = {
  query(table: string): { collect(): Promise<Record<string, unknown>[]> };
  insert(table: string, row: object): Promise<string>;
  patch(id: string, change: object): Promise<void>;
  delete(id: string): Promise<void>;
};

/** Runs in a component's database, by its name; in the app's with none. */
export async function inComponent<T>(
  { t }: TestBackend,
  component: string,
  run: (db: ComponentDb) => Promise<T>,
): Promise<T> {
  // The test library has this method, its types leave it out.
  const inner = t as unknown as {
    runInComponent(path: string, handler: (ctx: { db: ComponentDb }) => Promise<T>): Promise<T>;
  };
  return await inner.runInComponent(component, async ({ db }) => await run(db));
}
