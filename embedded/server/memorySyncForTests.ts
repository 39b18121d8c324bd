/**
 * The sync side of a host without a network: client and server share a pipe that holds next to nothing, so that a
 * client that does not read stops the server at once, and a clock that tests can move.
 */
import { createServer } from "node:http";
import { duplexPair } from "node:stream";
import { generateKeyPair, SignJWT } from "jose";
import { WebSocket } from "ws";
import type { Engine } from "../engine/contract.ts";
import { Authenticator } from "./authentication.ts";
import { Callers } from "./callers.ts";
import type { LogRecord } from "./logging.ts";
import { Metrics } from "./metrics.ts";
import { RawClient } from "./rawClientForTests.ts";
import { SourceLimit } from "./sourceLimit.ts";
import { SyncServer } from "./syncServer.ts";

const ISSUER = "https://issuer.example";
const AUDIENCE = "test";

type Sign = (claims: Record<string, unknown>) => Promise<string>;

/** One sync server over an engine. */
export class MemorySync {
  readonly logged: LogRecord[] = [];
  /** Transitions that were computed and sent. */
  transitions = 0;
  readonly #sign: Sign;
  readonly #sync: SyncServer;
  readonly #http = createServer();

  private constructor(engine: Engine, authenticator: Authenticator, sign: Sign) {
    this.#sign = sign;
    this.#sync = new SyncServer(
      {
        engine,
        authenticator,
        callers: new Callers({
          authenticator,
          sources: new SourceLimit({ callsPerMinute: 1_000_000, trustedProxies: [] }),
          log: (record) => this.logged.push(record),
          metrics: new Metrics(),
        }),
        presentation: { exposeLogs: false },
        report: (message, error) => {
          throw new Error(message, { cause: error });
        },
        log: (record) => this.logged.push(record),
        onTransition: () => {
          this.transitions += 1;
        },
      },
      { kind: "loopback" },
    );
    this.#http.on("upgrade", (request, socket, head) => {
      this.#sync.upgrade(request, socket, head);
    });
  }

  get openSockets(): number {
    return this.#sync.openSockets;
  }

  static async over(engine: Engine): Promise<MemorySync> {
    const { privateKey, publicKey } = await generateKeyPair("ES256");
    const provider = {
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: ["ES256"] as const,
      keys: () => publicKey,
    };
    const sign: Sign = (claims) =>
      new SignJWT({ iss: ISSUER, aud: AUDIENCE, ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "k1" })
        .sign(privateKey);
    return new MemorySync(
      engine,
      new Authenticator({ providers: [provider], adminKey: undefined, nowMs: () => Date.now() }),
      sign,
    );
  }

  /** A client that has sent Connect. */
  async connect(): Promise<RawClient> {
    const [ours, theirs] = duplexPair();
    this.#http.emit("connection", ours);
    const url = "ws://host.invalid/api/1.48.0/sync";
    const client = new RawClient(new WebSocket(url, { createConnection: () => theirs as never }));
    await client.opened();
    client.greet();
    return client;
  }

  /** A token that the server accepts until `expiresAtMs`. */
  token(subject: string, expiresAtMs: number): Promise<string> {
    const exp = Math.floor(expiresAtMs / 1000);
    return this.#sign({ sub: subject, iat: exp - 600, exp });
  }
}
