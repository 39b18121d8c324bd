/**
 * The host's own variables, checked together with those of the functions, so that one start shows every
 * problem. Pure: reads no file and opens no port; see `developmentSecrets.ts` for the secrets that development makes.
 */
import { isIP } from "node:net";
import path from "node:path";
import { z } from "zod";
import {
  ENVIRONMENT_VARIABLES,
  parseEnvironment,
  sessionClaims,
  type Environment,
  type EnvironmentProblem,
} from "../../convex/access/environment.ts";
import { isLoopbackUrl } from "../../convex/access/outboundUrl.ts";
import type { ConnectionLimits } from "./connections.ts";
import { DEVELOPMENT_DEPLOYMENT, makeCheckpointKey } from "./developmentSecrets.ts";
import { LOG_LEVELS, type LogLevel } from "./logging.ts";
import { areProxyRanges, type SourceLimits } from "./sourceLimit.ts";
import { isLoopbackAddress, isLoopbackHostname } from "./loopback.ts";
import {
  checkStripe,
  LEDGER_VARIABLES,
  stripeConfigOf,
  stripeDefaults,
  stripeHostVariables,
  webhookSecretsIn,
  type StripeConfig,
} from "./stripeConfig.ts";

export type EnvironmentName = "development" | "production";

/** Which browser origins may use the API and the WebSocket. */
export type AllowedOrigins = { kind: "loopback" } | { kind: "listed"; origins: readonly string[] };

export type HostConfig = {
  environment: EnvironmentName;
  /** The address both listeners bind to. */
  host: string;
  /** Port of API, WebSocket and development identity provider; 0 takes any free one. */
  port: number;
  /** Port of the HTTP actions; 0 takes any free one. */
  sitePort: number;
  /** Absolute. */
  dataDir: string;
  /** Absolute path of the convex/ folder. */
  functionsDir: string;
  /** What the operator set of the variables that the functions may read. */
  functionVariables: Readonly<Record<string, string>>;
  /** Absent: development makes one, production grants no admin access. */
  adminKey?: string;
  /** Token claim that the development provider writes the active organisation to. */
  orgClaim: string;
  /** Token claims that the development provider writes the session's times to. */
  sessionClaims: { issuedAt: string; authenticatedAt: string };
  allowedOrigins: AllowedOrigins;
  /** Base of the address that HTTP actions see, when a proxy stands before the host. */
  siteUrl?: string;
  /** Base of the URLs of files, when a proxy stands before the host. */
  apiUrl?: string;
  /** What one stored file may have at most. */
  fileBytesMax: number;
  logLevel: LogLevel;
  /** Whether each call of a function runs in a context of its own. */
  freshContexts: boolean;
  /** How much of the heap may be in use while a function runs, in MiB; absent leaves it to Node's own limit. */
  engineMemoryMib?: number;
  connections: ConnectionLimits;
  /** How many calls without a valid token one source may make. */
  sources: SourceLimits;
  /** Where payments go. */
  stripe: StripeConfig;
};

/**
 * Above what one machine of this size serves well, and far below what its file descriptors allow. Behind a proxy
 * every client comes from the proxy's address, so one address may use half.
 */
const CONNECTIONS: ConnectionLimits = { most: 8_192, mostPerAddress: 4_096 };

/** Calls a minute without a valid token; pages that have signed in make none. */
const ANONYMOUS_CALLS_PER_MINUTE = 600;

export type Variables = Readonly<Record<string, string | undefined>>;

export type ConfigResult =
  { ok: true; config: HostConfig } | { ok: false; problems: readonly EnvironmentProblem[] };

/** Read by `convex/auth.config.ts`. */
const AUTH_VARIABLES = ["DAYBOOK_AUTH_ISSUER", "DAYBOOK_AUTH_AUDIENCE"] as const;

const REPOSITORY_FUNCTIONS_DIR = path.resolve(import.meta.dirname, "../../convex");

/** Of the right form, so that development can check everything else before the real ones are made. */
const STAND_INS = {
  DAYBOOK_INVITATION_KEYS: `k1:${"0".repeat(64)}`,
  DAYBOOK_FINGERPRINT_KEY: "1".repeat(64),
  DAYBOOK_SEALING_KEYS: `k1:${"2".repeat(64)}`,
  DAYBOOK_DEPLOYMENT: DEVELOPMENT_DEPLOYMENT,
};

function standIns(variables: Variables): Record<string, string> {
  // A key of development is named after its own deployment: another name needs a key of its own.
  const isOwn = variables["DAYBOOK_CHECKPOINT_KEYS"] === undefined;
  return {
    ...STAND_INS,
    ...(isOwn ? { DAYBOOK_CHECKPOINT_KEYS: makeCheckpointKey(DEVELOPMENT_DEPLOYMENT) } : {}),
  };
}

const port = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,4})$/, "must be a port number, 0 to 65535")
  .transform(Number)
  .refine((value) => value <= 65_535, "must be a port number, 0 to 65535");

const publicUrl = z
  .string()
  .refine(isOrigin, "must be a URL without a path, like https://site.example")
  .refine(
    (text) => !isOrigin(text) || isSecureOrLoopback(text),
    "must be an https URL; http is allowed for a loopback address only",
  );

const MEBIBYTE = 1 << 20;
/** A file of this many MiB has a size that a JavaScript number counts exactly, and no disk of one machine holds it. */
const UPLOAD_MIB_MOST = 1 << 30;

const hostVariables = z.object({
  DAYBOOK_ENV: z.enum(["development", "production"], "must be development or production"),
  HOST: z
    .string()
    .refine((value) => value === "localhost" || isIP(value) !== 0, "must be an IP address or localhost")
    // `localhost` may resolve to something else on a badly set up machine.
    .transform((value) => (value === "localhost" ? "127.0.0.1" : value))
    .default("127.0.0.1"),
  PORT: port.default(3210),
  SITE_PORT: port.default(3211),
  DATA_DIR: z.string().min(1, "must name a folder").default(".daybook"),
  DAYBOOK_ADMIN_KEY: z
    .string()
    .regex(/^[A-Za-z0-9|_-]{32,256}$/, "must be 32 to 256 letters, digits, '|', '_' or '-'")
    .optional(),
  DAYBOOK_ALLOWED_ORIGINS: z
    .string()
    .transform((text) => text.split(",").map((origin) => origin.trim()))
    .refine((origins) => origins.every(isOrigin), "must be origins like https://app.example, comma separated")
    .optional(),
  DAYBOOK_TRUSTED_PROXIES: z
    .string()
    .transform((text) => text.split(",").map((range) => range.trim()))
    .refine(areProxyRanges, "must be addresses or CIDR ranges, comma separated")
    .optional(),
  DAYBOOK_SITE_URL: publicUrl.optional(),
  DAYBOOK_API_URL: publicUrl.optional(),
  DAYBOOK_UPLOAD_MIB_MAX: z
    .string()
    .regex(/^[1-9][0-9]{0,9}$/, "must be a number of MiB, 1 or more")
    .transform(Number)
    .refine((mebibytes) => mebibytes <= UPLOAD_MIB_MOST, `must be ${UPLOAD_MIB_MOST} or less`)
    .default(1_024),
  DAYBOOK_FRESH_CONTEXTS: z.enum(["on", "off"], "must be on or off").default("off"),
  DAYBOOK_ENGINE_MEMORY_MIB: z
    .string()
    .regex(/^[1-9][0-9]{2,5}$/, "must be a number of MiB, 128 or more")
    .transform(Number)
    .refine((mib) => mib >= 128, "must be a number of MiB, 128 or more")
    .optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(", ")}`).default("info"),
  DAYBOOK_AUTH_ISSUER: z
    .string()
    .refine(isIssuer, "must be an https URL without query or fragment")
    .optional(),
  DAYBOOK_AUTH_AUDIENCE: z.string().min(1, "must not be empty").max(512, "is too long").optional(),
  ...stripeHostVariables,
  /** In due form for the functions; here for what only production asks of it. */
  DAYBOOK_WITNESSES: z.string().optional(),
});

type HostVariables = z.output<typeof hostVariables>;

/** Those variables that are right by themselves. */
type AcceptedVariables = { [Name in keyof HostVariables]?: HostVariables[Name] | undefined };

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text;
}

function isIssuer(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && !/[?#\s]/.test(text) && url.username === "";
}

/**
 * Checks every variable and names all that are wrong at once. No message holds a value.
 * Not yet verified: that the data folder belongs to this environment, and that the ports are free.
 */
export function parseConfig(
  variables: Variables,
  functionsDir: string = REPOSITORY_FUNCTIONS_DIR,
): ConfigResult {
  const parsed = hostVariables.safeParse(variables);
  const problems = parsed.error?.issues.map((issue) => describeIssue(issue, variables)) ?? [];
  const refused = new Set(problems.map(({ variable }) => variable));
  const accepted = Object.fromEntries(Object.entries(variables).filter(([name]) => !refused.has(name)));
  problems.push(
    ...crossCheck(hostVariables.partial().parse(accepted), variables).filter(
      ({ variable }) => !refused.has(variable),
    ),
  );

  // A bad DAYBOOK_ENV must not make every secret look missing.
  const givesEverySecret = variables["DAYBOOK_ENV"] === "production";
  const forFunctions = parseEnvironment({
    ...(givesEverySecret ? {} : standIns(variables)),
    ...stripeDefaults(parsed.data?.DAYBOOK_ENV, variables),
    ...present(variables),
  });
  if (!forFunctions.ok) problems.push(...forFunctions.problems);
  else {
    problems.push(...repeatedSecrets(forFunctions.environment, variables));
    problems.push(...checkAlertReceiver(forFunctions.environment, givesEverySecret));
  }

  if (!parsed.success || !forFunctions.ok || problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    config: assemble(parsed.data, variables, functionsDir, forFunctions.environment),
  };
}

function describeIssue(issue: z.core.$ZodIssue, variables: Variables): EnvironmentProblem {
  const variable = String(issue.path[0]);
  return { variable, problem: variables[variable] === undefined ? "is not set" : issue.message };
}

/** What only shows when several variables are seen together. */
function crossCheck(host: AcceptedVariables, variables: Variables): EnvironmentProblem[] {
  const problems: EnvironmentProblem[] = [];
  const refuse = (variable: string, problem: string): void => {
    problems.push({ variable, problem });
  };
  if ((host.PORT ?? 0) !== 0 && host.PORT === host.SITE_PORT) refuse("SITE_PORT", "must differ from PORT");
  checkIssuer(host, refuse);
  if (host.DAYBOOK_ENV === "development" && host.HOST !== undefined && !isLoopbackAddress(host.HOST)) {
    refuse("HOST", "must be a loopback address in development: anyone who reaches it can sign in as anyone");
  }
  if (host.DAYBOOK_ENV !== undefined) problems.push(...checkStripe(host.DAYBOOK_ENV, variables));
  const origins = host.DAYBOOK_ENV === "production" ? host.DAYBOOK_ALLOWED_ORIGINS : undefined;
  if (origins?.some((origin) => !isSecureOrLoopback(origin)) === true) {
    refuse("DAYBOOK_ALLOWED_ORIGINS", "must be https origins in production");
  }
  checkWitnesses(host, refuse);
  return problems;
}

function checkWitnesses(
  { DAYBOOK_ENV: environment, DAYBOOK_WITNESSES: witnesses = "" }: AcceptedVariables,
  refuse: (variable: string, problem: string) => void,
): void {
  if (environment !== "production" || !/ http:/i.test(witnesses)) return;
  refuse("DAYBOOK_WITNESSES", "must have https URLs in production");
}

function checkIssuer(host: AcceptedVariables, refuse: (variable: string, problem: string) => void): void {
  const { DAYBOOK_AUTH_ISSUER: issuer, DAYBOOK_AUTH_AUDIENCE: audience } = host;
  const required = host.DAYBOOK_ENV === "production" || issuer !== undefined || audience !== undefined;
  if (required && issuer === undefined) refuse("DAYBOOK_AUTH_ISSUER", "is not set");
  if (required && audience === undefined) refuse("DAYBOOK_AUTH_AUDIENCE", "is not set");
  if (issuer === undefined || issuer.startsWith("https:")) return;
  if (host.DAYBOOK_ENV === "production") refuse("DAYBOOK_AUTH_ISSUER", "must be an https URL");
  else if (!isSecureOrLoopback(issuer)) {
    refuse("DAYBOOK_AUTH_ISSUER", "must be an https URL; http is allowed for a loopback address only");
  }
}

/** In production nothing on the machine itself is a receiver that an operator hears of. */
function checkAlertReceiver(environment: Environment, isProduction: boolean): EnvironmentProblem[] {
  const url = environment.DAYBOOK_ALERT_WEBHOOK_URL;
  if (!isProduction || url === undefined || !isLoopbackUrl(url)) return [];
  return [{ variable: "DAYBOOK_ALERT_WEBHOOK_URL", problem: "must not be a loopback address in production" }];
}

function isSecureOrLoopback(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || isLoopbackHostname(hostname);
}

/** One secret for two purposes would let a leak of one open the other. */
function repeatedSecrets(environment: Environment, variables: Variables): EnvironmentProblem[] {
  const problems: EnvironmentProblem[] = [];
  const adminKey = variables["DAYBOOK_ADMIN_KEY"];
  const seen = new Map<string, string>();
  const groups = {
    DAYBOOK_INVITATION_KEYS: environment.DAYBOOK_INVITATION_KEYS.map(({ key }) => key),
    DAYBOOK_FINGERPRINT_KEY: [environment.DAYBOOK_FINGERPRINT_KEY],
    DAYBOOK_SEALING_KEYS: environment.DAYBOOK_SEALING_KEYS.map(({ key }) => key),
  };
  for (const [variable, keys] of Object.entries(groups)) {
    for (const key of keys) {
      const other = seen.get(key);
      const problem = other === variable ? "repeats a key" : `repeats a key of ${other ?? ""}`;
      if (other !== undefined) problems.push({ variable, problem });
      seen.set(key, variable);
    }
  }
  if ([...seen.keys()].some((key) => adminKey?.includes(key) === true)) {
    problems.push({ variable: "DAYBOOK_ADMIN_KEY", problem: "repeats another secret" });
  }
  const webhookKeys = webhookSecretsIn(variables["DAYBOOK_STRIPE_WEBHOOK_SECRETS"]).map((secret) =>
    secret.replace(/^whsec_/, ""),
  );
  const others = [...seen.keys(), adminKey, environment.DAYBOOK_STRIPE_SECRET_KEY];
  if (webhookKeys.some((key) => others.some((other) => other?.includes(key) === true))) {
    problems.push({ variable: "DAYBOOK_STRIPE_WEBHOOK_SECRETS", problem: "repeats another secret" });
  }
  return problems;
}

function assemble(
  host: HostVariables,
  variables: Variables,
  functionsDir: string,
  environment: Environment,
): HostConfig {
  const given = present(variables);
  const forFunctions = { ...stripeDefaults(host.DAYBOOK_ENV, variables), ...given };
  const names: readonly string[] = [...ENVIRONMENT_VARIABLES, ...AUTH_VARIABLES, ...LEDGER_VARIABLES];
  const listed = host.DAYBOOK_ALLOWED_ORIGINS;
  return {
    environment: host.DAYBOOK_ENV,
    host: host.HOST,
    port: host.PORT,
    sitePort: host.SITE_PORT,
    dataDir: path.resolve(host.DATA_DIR),
    functionsDir,
    functionVariables: Object.fromEntries(
      Object.entries(forFunctions).filter(([name]) => names.includes(name)),
    ),
    ...(host.DAYBOOK_ADMIN_KEY === undefined ? {} : { adminKey: host.DAYBOOK_ADMIN_KEY }),
    orgClaim: environment.DAYBOOK_ORG_CLAIM,
    sessionClaims: sessionClaims(environment),
    allowedOrigins:
      listed === undefined && host.DAYBOOK_ENV === "development"
        ? { kind: "loopback" }
        : { kind: "listed", origins: listed ?? [] },
    ...(host.DAYBOOK_SITE_URL === undefined ? {} : { siteUrl: host.DAYBOOK_SITE_URL }),
    ...(host.DAYBOOK_API_URL === undefined ? {} : { apiUrl: host.DAYBOOK_API_URL }),
    fileBytesMax: host.DAYBOOK_UPLOAD_MIB_MAX * MEBIBYTE,
    logLevel: host.LOG_LEVEL,
    freshContexts: host.DAYBOOK_FRESH_CONTEXTS === "on",
    ...(host.DAYBOOK_ENGINE_MEMORY_MIB === undefined
      ? {}
      : { engineMemoryMib: host.DAYBOOK_ENGINE_MEMORY_MIB }),
    connections: CONNECTIONS,
    sources: {
      callsPerMinute: Math.max(
        1,
        Math.floor((ANONYMOUS_CALLS_PER_MINUTE * environment.DAYBOOK_RATE_LIMIT_PERCENT) / 100),
      ),
      trustedProxies: host.DAYBOOK_TRUSTED_PROXIES ?? [],
    },
    stripe: stripeConfigOf(host.DAYBOOK_ENV, variables, host.DAYBOOK_SIMULATOR_PORT),
  };
}

function present(variables: Variables): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) if (value !== undefined) given[name] = value;
  return given;
}
