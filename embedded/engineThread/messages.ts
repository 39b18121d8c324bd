/**
 * What the host's main thread and the engine's thread say to each other. Everything is plain data that can be
 * cloned; what must not be lost is a request with an answer, the rest are notices in order.
 */
import type {
  AuthProvider,
  Call,
  ComponentDescription,
  EngineOptions,
  Identity,
  Inspection,
  LiveQuery,
  Outcome,
  QueryResult,
  SessionRequest,
  TablePage,
  Timestamp,
} from "../engine/contract.ts";
import type { HostErrorCode } from "../engine/errors.ts";
import type { Files, StoredFile, UploadAdmission } from "../engine/files/contract.ts";

export type PlainRequest = {
  method: string;
  url: string;
  headers: [name: string, value: string][];
  /** Null where the method has none. */
  body: Uint8Array<ArrayBuffer> | null;
};

export type PlainResponse = {
  status: number;
  headers: [name: string, value: string][];
  body: Uint8Array<ArrayBuffer>;
};

export type Refreshed = { ts: Timestamp; results: ReadonlyMap<number, QueryResult> };

/** Each request by its method: its arguments and its answer. */
export type Requests = {
  query: { args: [Call, Timestamp | undefined]; answer: Outcome & { ts: Timestamp } };
  mutation: { args: [Call, SessionRequest | undefined]; answer: Outcome & { ts: Timestamp } };
  action: { args: [Call]; answer: Outcome };
  run: { args: [Call]; answer: Outcome };
  httpAction: { args: [PlainRequest, Identity, string]; answer: PlainResponse | null };
  refresh: { args: [subscription: number]; answer: Refreshed };
  readTable: { args: Parameters<Inspection["readTable"]>; answer: TablePage };
  admitUpload: { args: Parameters<Files["admitUpload"]>; answer: UploadAdmission };
  commitUpload: { args: Parameters<Files["commitUpload"]>; answer: string };
  findFile: { args: Parameters<Files["find"]>; answer: StoredFile | null };
  close: { args: []; answer: undefined };
};

export type Method = keyof Requests;

export type Request<M extends Method = Method> = {
  kind: "request";
  id: number;
  method: M;
  args: Requests[M]["args"];
};

export type ToEngine =
  | Request
  | { kind: "subscribe"; subscription: number }
  | { kind: "add"; subscription: number; queryId: number; query: LiveQuery }
  | { kind: "remove"; subscription: number; queryId: number }
  | { kind: "unsubscribe"; subscription: number };

/** What stays as it is while the engine is open. */
export type Opened = {
  authProviders: readonly AuthProvider[];
  components: readonly ComponentDescription[];
  /** Names of each component's own tables. */
  tables: Readonly<Record<string, readonly string[]>>;
};

/**
 * An error in a form that can be cloned; `code` where the host can't start, `visible` for a platform's refusal,
 * `storage` where the disk failed and the outcome is open.
 */
export type PlainError =
  | { kind: "host"; code: HostErrorCode; message: string }
  | { kind: "platform"; message: string; visible: boolean }
  | { kind: "storage"; message: string }
  | { kind: "other"; message: string; stack: string };

export type FromEngine =
  | { kind: "opened"; opened: Opened; ts: Timestamp }
  | { kind: "refused"; error: PlainError }
  | { kind: "answer"; id: number; answer: Requests[Method]["answer"]; ts: Timestamp }
  | { kind: "failure"; id: number; error: PlainError; ts: Timestamp }
  | { kind: "stale"; subscription: number; ts: Timestamp }
  | { kind: "fatal"; error: PlainError }
  | { kind: "log"; record: Parameters<EngineOptions["log"]>[0] };

/** What the engine's thread is started with: the options that can be cloned. */
export type ThreadOptions = Omit<EngineOptions, "log" | "onFatal">;
