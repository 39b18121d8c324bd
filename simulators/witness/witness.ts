/**
 * A witness (c2sp.org/tlog-witness): cosigns a checkpoint of a log that it knows when it is proven to begin with the
 * one that it cosigned before. Checking and keeping happen in one step of one thread, so that two requests can never
 * both be measured by the same old checkpoint.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { ALGORITHMS_NOBLE } from "../../ledger/algorithms.ts";
import { cosign } from "../../ledger/cosignature.ts";
import { signNoble } from "../../ledger/ed25519.ts";
import type { SignerKey, VerifierKey } from "../../ledger/noteKeys.ts";
import {
  decideAddCheckpoint,
  formatCosignatures,
  formatKnownSize,
  SIZE_CONTENT_TYPE,
} from "../../ledger/witnessProtocol.ts";
import type { CheckpointStore } from "./checkpointStore.ts";

const BODY_BYTES_MAX = 65_536;
const PLAIN = "text/plain; charset=utf-8";

export type Answer = { status: number; contentType: string; body: string };

export type WitnessOptions = {
  /** Of signature type 04. */
  key: SignerKey;
  /** Keys of the logs it knows, named after an origin or a deployment. */
  logs: readonly VerifierKey[];
  store: CheckpointStore;
  /** Seconds since the epoch. */
  now: () => number;
};

/** Answers the body of one `add-checkpoint`. */
export function answerAddCheckpoint(body: string, options: WitnessOptions): Answer {
  const { key, logs, store, now } = options;
  const decision = decideAddCheckpoint(body, (origin) => store.lastOf(origin), logs, ALGORITHMS_NOBLE);
  if (decision.status === 409) {
    return { status: 409, contentType: SIZE_CONTENT_TYPE, body: formatKnownSize(decision.size) };
  }
  if (decision.status !== 200) {
    return { status: decision.status, contentType: PLAIN, body: `${decision.reason}\n` };
  }
  store.keep(decision.checkpoint);
  const signature = cosign(decision.note.text, now(), key, signNoble);
  return { status: 200, contentType: PLAIN, body: formatCosignatures([signature]) };
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function answerTo(request: IncomingMessage, options: WitnessOptions): Promise<Answer> {
  if (request.url !== "/add-checkpoint") return { status: 404, contentType: PLAIN, body: "Not found.\n" };
  if (request.method !== "POST") return { status: 405, contentType: PLAIN, body: "Only POST.\n" };
  const body = await readBody(request);
  if (body === undefined) return { status: 413, contentType: PLAIN, body: "Too large.\n" };
  return answerAddCheckpoint(body, options);
}

function send(response: ServerResponse, { status, contentType, body }: Answer): void {
  response.writeHead(status, { "content-type": contentType, "cache-control": "no-store" });
  response.end(body);
}

/** The witness as an HTTP server that does not listen yet. */
export function witnessServer(options: WitnessOptions): Server {
  return createServer((request, response) => {
    answerTo(request, options).then(
      (answer) => {
        send(response, answer);
      },
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
        if (response.headersSent) response.destroy();
        else send(response, { status: 500, contentType: PLAIN, body: "The witness failed.\n" });
      },
    );
  });
}
