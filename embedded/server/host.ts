/**
 * The host as a whole. Start-up goes from what is cheap to undo to what is not: data folder → ports →
 * engine → identity providers → service. Until the last step every request is answered 503; a failure on the
 * way closes what was opened. Shutting down goes the other way, and acknowledges nothing that is not on disk.
 */
import packageJson from "../../package.json" with { type: "json" };
import type { Engine, EngineOptions } from "../engine/contract.ts";
import { HostError } from "../engine/errors.ts";
import { CACHE_FOLDER } from "../compileCache.ts";
import { SupervisedEngine } from "../engineThread/supervisedEngine.ts";
import { Operator } from "../push/operator.ts";
import { Authenticator, type TrustedProvider } from "./authentication.ts";
import { Callers } from "./callers.ts";
import type { HostConfig } from "./config.ts";
import {
  DEVELOPMENT_DEPLOYMENT,
  loadDevelopmentSecrets,
  type DevelopmentSecrets,
} from "./developmentSecrets.ts";
import { claimDataFolder } from "./environmentMarker.ts";
import { DevelopmentProvider } from "./developmentProvider.ts";
import { Connections } from "./connections.ts";
import { answerUnready, READY_ROUTE, unavailable } from "./health.ts";
import { apiRoutes } from "./httpApi.ts";
import {
  dispatch,
  HttpProblem,
  refusal,
  type Exchange,
  type Handler,
  type Methods,
  type Reply,
  type Report,
} from "./httpExchange.ts";
import { trustedProviders } from "./identityProviders.ts";
import { Listener, type ListenerWatch } from "./listener.ts";
import { createLog, type Log } from "./logging.ts";
import { Metrics } from "./metrics.ts";
import { observedEngine } from "./observedEngine.ts";
import { isLoopbackAddress } from "./loopback.ts";
import { corsHeaders, preflight } from "./origins.ts";
import { SourceLimit } from "./sourceLimit.ts";
import { startSimulator, type Simulator } from "./stripeSimulator.ts";
import { answerSite, type SiteParts } from "./site.ts";
import { SyncServer } from "./syncServer.ts";

/** How long answers under way may take once the host is told to stop. */
const GRACE_MS = 10_000;

const HTTP_ACTIONS_PREFIX = "/http";
const METRICS_PATH = "/metrics";

export type Host = {
  /** Base URL for the official clients. */
  url: string;
  /** Base URL of the HTTP actions. */
  siteUrl: string;
  /** Null in production without DAYBOOK_ADMIN_KEY: nobody is admin. */
  adminKey: string | null;
  /** Only in development: POST {"user", "orgId"?} to `<developmentIssuer>/token` for a token. */
  developmentIssuer?: string;
  /** Only in development without a key of Stripe's: the page of the stand-in for it. */
  simulatorUrl?: string;
  /** Resolves when the engine can't go on: every request is refused from then on, and the process must end. */
  failed: Promise<Error>;
  /** Resolves when everything acknowledged is on disk and the ports are free. Safe to call twice. */
  stop(): Promise<void>;
};

type Ports = { api: Listener; site: Listener };

/** Starts the host. Throws HostError for what its operator can put right. */
export async function startHost(
  config: HostConfig,
  options: { writeLog?: (line: string) => void } = {},
): Promise<Host> {
  const startedAtMs = performance.now();
  claimDataFolder(config.dataDir, config.environment);
  const secrets =
    config.environment === "development" ? await loadDevelopmentSecrets(config.dataDir) : undefined;
  const adminKey = config.adminKey ?? secrets?.DAYBOOK_ADMIN_KEY;
  const configured = { ...generatedVariables(secrets), ...config.functionVariables };
  const watch = watchOf(config, secretValues(configured, adminKey), options.writeLog);
  const { log } = watch;

  const failure = Promise.withResolvers<Error>();
  const ports = await openPorts(config, watch);
  const portsOpenAtMs = performance.now();
  let engine: Engine | undefined;
  let simulator: Simulator | undefined;
  try {
    simulator = await startSimulator(config, urlOf(ports.site), secrets);
    const environment = { ...configured, ...simulator?.variables };
    const development = secrets === undefined ? undefined : developmentProvider(config, ports.api, secrets);
    const operator = new Operator(environment);
    const opened = await SupervisedEngine.open({
      functionsDir: config.functionsDir,
      dataDir: config.dataDir,
      cacheDir: CACHE_FOLDER,
      publicUrl: apiUrlOf(config, ports.api),
      fileBytesMax: config.fileBytesMax,
      environment,
      freshContexts: config.freshContexts,
      ...(config.engineMemoryMib === undefined ? {} : { memoryMib: config.engineMemoryMib }),
      redactErrors: config.environment === "production",
      log: operator.log(engineLog(watch)),
      onFatal: failure.resolve,
    });
    engine = operator.attach(observedEngine(opened, watch));
    const providers = await allProviders(engine, development, log);
    const authenticator = new Authenticator({ providers, adminKey });
    const callers = new Callers({ authenticator, ...watch });
    const failed = failure.promise;
    const parts = { config, ports, engine, authenticator, callers, development, operator, adminKey, failed };
    const host = serve({ ...parts, ...watch, simulator });
    log({
      level: "debug",
      component: "host",
      message: "serving",
      beforePortsMs: Math.round(portsOpenAtMs - startedAtMs),
      engineMs: Math.round(performance.now() - portsOpenAtMs),
    });
    return host;
  } catch (error) {
    await closePorts(ports, 0);
    await engine?.close();
    await simulator?.close();
    throw error;
  }
}

/** What everything that happens is told to. */
type Watch = {
  log: Log;
  report: Report;
  metrics: Metrics;
  connections: Connections;
  sources: SourceLimit;
};

function watchOf(
  config: HostConfig,
  secrets: readonly string[],
  write = (line: string): void => void process.stderr.write(line),
): Watch {
  const format = config.environment === "production" ? "json" : "people";
  const log = createLog({ level: config.logLevel, format, secrets, write });
  const report: Report = (message, error, context) => {
    log({ level: "error", component: "host", message, ...context, error });
  };
  const connections = new Connections(config.connections, (refused) => {
    const message = "connections are refused: there are as many as the host takes";
    log({ level: "warn", component: "http", message, refused, ...config.connections });
  });
  const sources = new SourceLimit(config.sources, (source, refused) => {
    const message = "calls without a valid token are refused: their source makes too many";
    log({ level: "warn", component: "security", message, outcome: "limited", source, refused });
  });
  return { log, report, metrics: new Metrics(), connections, sources };
}

/** Convex calls a part of the app a component; in the host's log it is a part of the host. */
function engineLog({ log, metrics }: Pick<Watch, "log" | "metrics">): EngineOptions["log"] {
  return ({ component, ...record }) => {
    metrics.functionLogged(record.message);
    const ofApp = component === undefined || component === "" ? {} : { appComponent: component };
    log({ ...record, ...ofApp, component: "engine" });
  };
}

function generatedVariables(secrets: DevelopmentSecrets | undefined): Record<string, string> {
  if (secrets === undefined) return {};
  const { DAYBOOK_ADMIN_KEY: _admin, signingKey: _signing, simulatorKey: _simulator, ...variables } = secrets;
  return { ...variables, DAYBOOK_DEPLOYMENT: DEVELOPMENT_DEPLOYMENT };
}

const SECRET_VARIABLES = [
  "DAYBOOK_INVITATION_KEYS",
  "DAYBOOK_FINGERPRINT_KEY",
  "DAYBOOK_SEALING_KEYS",
  "DAYBOOK_CHECKPOINT_KEYS",
  "DAYBOOK_STRIPE_WEBHOOK_SECRETS",
  "DAYBOOK_STRIPE_SECRET_KEY",
  "DAYBOOK_ALERT_WEBHOOK_SECRET",
];

/** Keys are also kept out of the log when only a part of a variable is logged. */
function secretValues(environment: Readonly<Record<string, string>>, adminKey: string | undefined): string[] {
  const texts = [...SECRET_VARIABLES.map((name) => environment[name]), adminKey];
  return texts
    .flatMap((text) => text?.replaceAll("whsec_", "").split(/[:,|+]/) ?? [])
    .filter((part) => part.length >= 24);
}

function isHttps(url: string | undefined): boolean {
  return url?.startsWith("https:") === true;
}

async function openPorts(config: HostConfig, watch: Watch): Promise<Ports> {
  const { host, port, sitePort, apiUrl, siteUrl } = config;
  const { log, metrics, report, connections } = watch;
  const watching: ListenerWatch = {
    connections,
    onAnswered: ({ ms, ...answered }) => {
      metrics.requestAnswered(answered.route, answered.status);
      const level = answered.status < 400 || answered.route === READY_ROUTE ? "debug" : "info";
      log({ level, component: "http", message: "answered", ...answered, ms: Math.round(ms) });
    },
  };
  const api = await Listener.open({ host, port, variable: "PORT" }, report, {
    ...watching,
    isSecure: isHttps(apiUrl),
  });
  api.serve({ answer: answerUnready("starting") });
  try {
    return {
      api,
      site: await Listener.open({ host, port: sitePort, variable: "SITE_PORT" }, report, {
        ...watching,
        isSecure: isHttps(siteUrl),
      }),
    };
  } catch (error) {
    await api.close(0);
    throw error;
  }
}

async function closePorts({ api, site }: Ports, graceMs: number): Promise<void> {
  await Promise.all([api.close(graceMs, answerUnready("stopping")), site.close(graceMs)]);
}

function developmentProvider(
  config: HostConfig,
  api: Listener,
  { signingKey }: DevelopmentSecrets,
): DevelopmentProvider {
  if (!isLoopbackAddress(api.address.address)) {
    throw new HostError(
      "ENVIRONMENT_INVALID",
      "HOST must be a loopback address in development: anyone who reaches it can sign in as anyone.",
    );
  }
  const { orgClaim, sessionClaims } = config;
  return new DevelopmentProvider({ url: urlOf(api), orgClaim, sessionClaims, signingKey });
}

async function allProviders(
  engine: Engine,
  development: DevelopmentProvider | undefined,
  log: Log,
): Promise<TrustedProvider[]> {
  const providers = await trustedProviders(engine.authProviders(), {
    onKeyFailure: (issuer, error) => {
      log({
        level: "warn",
        component: "auth",
        message: "the keys of an issuer can't be fetched",
        issuer,
        error,
      });
    },
  });
  if (development === undefined) return providers;
  if (providers.some(({ issuer }) => issuer === development.issuer)) {
    throw new HostError(
      "FUNCTIONS_INVALID",
      "auth.config.ts lists the development provider, which the host adds by itself. Remove it there.",
    );
  }
  return [...providers, development.asTrustedProvider()];
}

type HostParts = Watch & {
  config: HostConfig;
  ports: Ports;
  engine: Engine;
  authenticator: Authenticator;
  callers: Callers;
  development: DevelopmentProvider | undefined;
  operator: Operator;
  simulator: Simulator | undefined;
  adminKey: string | undefined;
  failed: Promise<Error>;
};

function serve(parts: HostParts): Host {
  const { config, ports, engine, authenticator, development, metrics, connections, simulator } = parts;
  const presentation = { exposeLogs: config.environment === "development" };
  const onTransition = (): void => {
    metrics.transitionSent();
  };
  const sync = new SyncServer({ ...parts, presentation, onTransition }, config.allowedOrigins);
  metrics.watch({
    openSockets: () => sync.openSockets,
    mutationsQueued: () => sync.mutationsQueued,
    openConnections: () => connections.open,
    refusedConnections: () => connections.refused,
    limitedCalls: () => parts.sources.refused,
  });
  const siteUrl = urlOf(ports.site);
  const site: SiteParts = {
    engine,
    authenticator,
    callers: parts.callers,
    siteUrl: config.siteUrl ?? siteUrl,
  };
  ports.api.serve({
    answer: answerApiPort(parts, site, presentation),
    upgrade: (request, socket, head) => {
      sync.upgrade(request, socket, head);
    },
  });
  ports.site.serve({ answer: (exchange) => answerSite(site, exchange, exchange.url.pathname) });
  void parts.failed.then(() => {
    ports.api.serve({ answer: answerUnready("failed") });
    ports.site.serve({ answer: unavailable });
    // Their clients come back to the next process, and send again what was not answered.
    sync.terminate();
  });

  let stopped: Promise<void> | undefined;
  return {
    url: urlOf(ports.api),
    siteUrl,
    adminKey: parts.adminKey ?? null,
    failed: parts.failed,
    ...(development === undefined ? {} : { developmentIssuer: development.issuer }),
    ...(simulator === undefined ? {} : { simulatorUrl: simulator.pageUrl }),
    stop: () => (stopped ??= shutDown(parts, sync)),
  };
}

async function shutDown({ ports, engine, operator, simulator }: HostParts, sync: SyncServer): Promise<void> {
  operator.close();
  const closing = closePorts(ports, GRACE_MS);
  const grace = new AbortController();
  const graceIsOver = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, GRACE_MS);
    grace.signal.addEventListener("abort", () => {
      clearTimeout(timer);
    });
  });
  await Promise.race([sync.shutDown(), graceIsOver]);
  grace.abort();
  sync.terminate();
  await closing;
  await engine.close();
  await simulator?.close();
}

function answerApiPort(parts: HostParts, site: SiteParts, presentation: { exposeLogs: boolean }): Handler {
  const { engine, authenticator, development, report, metrics } = parts;
  const { allowedOrigins, fileBytesMax } = parts.config;
  const version = `daybook-${packageJson.version}`;
  const forOperators = parts.operator.routes(authenticator, {
    api: apiUrlOf(parts.config, parts.ports.api),
    site: site.siteUrl,
  });
  const api = apiRoutes({
    ...{ engine, authenticator, callers: parts.callers, presentation, fileBytesMax },
    instanceName: "daybook",
    version,
  });
  const forMetrics: Methods = { GET: (exchange) => metrics.answer(exchange, authenticator) };
  const own = (pathname: string): Methods | undefined => (pathname === METRICS_PATH ? forMetrics : undefined);

  return async (exchange) => {
    const { pathname } = exchange.url;
    if (pathname === HTTP_ACTIONS_PREFIX || pathname.startsWith(`${HTTP_ACTIONS_PREFIX}/`)) {
      return await answerSite(site, exchange, pathname.slice(HTTP_ACTIONS_PREFIX.length) || "/");
    }
    const notForPages = own(pathname) ?? development?.routes(pathname) ?? forOperators(pathname);
    if (notForPages !== undefined) {
      exchange.route = pathname;
      return await dispatch(notForPages, exchange);
    }
    const found = api(pathname);
    if (found === undefined) throw new HttpProblem(404, "NotFound", "no such address");
    const { route, methods } = found;
    exchange.route = route;
    // A page must be able to read why it was refused, so these headers are on refusals too.
    const cors = corsHeaders(allowedOrigins, exchange.request.headers.origin);
    const reply =
      exchange.method === "OPTIONS"
        ? preflight(Object.keys(methods))
        : await orRefusal(exchange, report, () => dispatch(methods, exchange));
    return { ...reply, headers: { ...reply.headers, ...cors } };
  };
}

async function orRefusal(exchange: Exchange, report: Report, answer: () => Promise<Reply>): Promise<Reply> {
  try {
    return await answer();
  } catch (error) {
    return refusal(error, exchange.requestId, report);
  }
}

/** Where clients reach the API. */
function apiUrlOf(config: HostConfig, api: Listener): string {
  return config.apiUrl ?? urlOf(api);
}

/** A wildcard address is reached through loopback from this machine. */
function urlOf(listener: Listener): string {
  const { address, port, family } = listener.address;
  if (family === "IPv6") return `http://[${address === "::" ? "::1" : address}]:${port}`;
  return `http://${address === "0.0.0.0" ? "127.0.0.1" : address}:${port}`;
}
