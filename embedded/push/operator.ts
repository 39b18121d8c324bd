/** What the official CLI needs of a host, in one piece: push API, system functions and function logs. */
import type { Engine, EngineOptions } from "../engine/contract.ts";
import type { Authenticator } from "../server/authentication.ts";
import type { Methods } from "../server/httpExchange.ts";
import { FunctionLogs, type FunctionKind, type LoggedFunction } from "./functionLogs.ts";
import { pushRoutes } from "./pushApi.ts";
import { OperatorEngine } from "./systemFunctions.ts";

/** Made before the engine, because the engine logs while it opens. */
export class Operator {
  readonly logs: FunctionLogs;
  readonly #environment: Readonly<Record<string, string>>;
  #engine: Engine | undefined;

  /** `environment` is what the functions see as `process.env`. */
  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = environment;
    this.logs = new FunctionLogs((of) => this.#kindOf(of));
  }

  /** The engine's log, which also keeps what functions logged lately. */
  log(write: EngineOptions["log"]): EngineOptions["log"] {
    return (record) => {
      write(record);
      this.logs.take(record);
    };
  }

  /** The engine as the host's doors see it. */
  attach(engine: Engine): Engine {
    this.#engine = new OperatorEngine(engine, { environment: this.#environment, logs: this.logs });
    return this.#engine;
  }

  /** Address → what it answers; undefined for an address that is not the CLI's. Not for web pages. */
  routes(
    authenticator: Authenticator,
    urls: { api: string; site: string },
  ): (pathname: string) => Methods | undefined {
    return pushRoutes({
      authenticator,
      environment: this.#environment,
      running: () => this.#engine?.inspection.components() ?? [],
      logs: this.logs,
      urls,
    });
  }

  /** Ends the requests that wait for logs. */
  close(): void {
    this.logs.close();
  }

  #kindOf({ component, path }: LoggedFunction): FunctionKind {
    const components = this.#engine?.inspection.components() ?? [];
    const functions = components.find((one) => one.path === component)?.functions ?? [];
    return functions.find((one) => one.path === path)?.kind ?? "httpAction";
  }
}
