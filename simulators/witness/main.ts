/** `npm run witness`: a witness of the logs whose keys it is given. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { sha256Noble } from "../../ledger/hash.ts";
import {
  formatSignerKey,
  formatVerifierKey,
  isKeyName,
  parseSignerKey,
  parseVerifierKey,
  signerKey,
  verifierKey,
  type SignerKey,
  type VerifierKey,
} from "../../ledger/noteKeys.ts";
import { CheckpointStore } from "./checkpointStore.ts";
import { witnessServer } from "./witness.ts";

function publicText(key: SignerKey): string {
  return formatVerifierKey(verifierKey(key.name, key.kind, key.publicKey, sha256Noble));
}

function parseLog(text: string, known: readonly VerifierKey[]): VerifierKey[] {
  const key = parseVerifierKey(text, sha256Noble);
  if (!key.ok) throw new InvalidArgumentError(key.reason);
  if (key.value.kind !== "note") throw new InvalidArgumentError("the key is a witness's");
  return [...known, key.value];
}

function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError("not a port");
  return Number(text);
}

function makeKey(name: string, file: string): void {
  if (!isKeyName(name)) throw new InvalidArgumentError("a key's name has no white space and no plus");
  const key = signerKey(name, "cosignature", randomBytes(32), sha256Noble);
  writeFileSync(file, `${formatSignerKey(key)}\n`, { mode: 0o600, flag: "wx" });
  process.stdout.write(`${publicText(key)}\n`);
}

function readKey(file: string): SignerKey {
  const key = parseSignerKey(readFileSync(file, "utf8").trim(), sha256Noble);
  if (!key.ok) throw new Error(`${file}: ${key.reason}`);
  if (key.value.kind !== "cosignature") throw new Error(`${file}: not a witness's key`);
  return key.value;
}

type RunOptions = { key: string; log: VerifierKey[]; state: string; host: string; port: number };

function run({ key: keyFile, log, state, host, port }: RunOptions): void {
  const key = readKey(keyFile);
  const now = (): number => Math.floor(Date.now() / 1000);
  const server = witnessServer({ key, logs: log, store: new CheckpointStore(state), now });
  server.listen(port, host, () => {
    const address = server.address();
    if (address === null || typeof address === "string") return;
    process.stdout.write(`Witness ${publicText(key)}\nlistens on http://${host}:${address.port}\n`);
  });
}

const program = new Command("witness").description("cosign the checkpoints of logs that only ever grow");
program
  .command("key")
  .description("make a key: writes the secret to a file and prints the verifier key")
  .argument("<name>", "the witness's name, like witness.example")
  .requiredOption("--out <file>", "where the secret goes; must not be there yet")
  .action((name: string, { out }: { out: string }) => {
    makeKey(name, out);
  });
program
  .command("run")
  .description("answer POST /add-checkpoint")
  .requiredOption("--key <file>", "the file that `key` wrote")
  .requiredOption("--log <verifier key>", "a log that it knows; may be repeated", parseLog, [])
  .requiredOption("--state <file>", "what it cosigned last; keep it")
  .option("--host <address>", "address to listen on", "127.0.0.1")
  .option("--port <port>", "0 takes a free one", parsePort, 3280)
  .action(run);

try {
  program.parse();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
