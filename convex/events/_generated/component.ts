/* eslint-disable */
/**
 * Generated `ComponentApi` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type { FunctionReference } from "convex/server";

/**
 * A utility for referencing a Convex component's exposed API.
 *
 * Useful when expecting a parameter like `components.myComponent`.
 * Usage:
 * ```ts
 * async function myFunction(ctx: QueryCtx, component: ComponentApi) {
 *   return ctx.runQuery(component.someFile.someQuery, { ...args });
 * }
 * ```
 */
export type ComponentApi<Name extends string | undefined = string | undefined> =
  {
    append: {
      append: FunctionReference<
        "mutation",
        "internal",
        {
          orgId: string;
          actor: any;
          source: any;
          correlationId: string;
          causationId?: string;
          events: Array<{
            stream: string;
            expectedStreamVersion: number;
            type: string;
            typeVersion: number;
            data: any;
          }>;
          receipt?: {
            actorId: string;
            command: string;
            key: string;
            fingerprint: string;
            result: Record<string, string>;
          };
        },
        {
          receipt: {
            firstSeq: number;
            lastSeq: number;
            headHash: string;
            eventIds: Array<string>;
          };
          entries: Array<{ text: string; hash: string }>;
        },
        Name
      >;
    };
    check: {
      nextOrganization: FunctionReference<
        "query",
        "internal",
        { after: null | string },
        null | string,
        Name
      >;
      page: FunctionReference<
        "query",
        "internal",
        {
          orgId: string;
          from?: {
            seq: number;
            hash: string;
            recordedAt: number;
            frontier: Array<string>;
          };
          knownHead: null | { seq: number; hash: string };
        },
        | {
            outcome: "sound" | "done";
            at: {
              seq: number;
              hash: string;
              recordedAt: number;
              frontier: Array<string>;
            };
            missingKey: null | string;
          }
        | { outcome: "damaged"; damage: { seq: number; kind: string } },
        Name
      >;
    };
    checkpoints: {
      due: FunctionReference<
        "query",
        "internal",
        {
          after: null | string;
          limit: number;
          events: number;
          intervalMs: number;
          now: number;
        },
        { due: Array<string>; next: null | string },
        Name
      >;
      make: FunctionReference<
        "mutation",
        "internal",
        { orgId: string },
        | {
            outcome: "made" | "current";
            size: number;
            root: string;
            note: string;
          }
        | { outcome: "empty" }
        | { outcome: "behind" }
        | { outcome: "keyMissing"; keyId: string }
        | { outcome: "damaged"; damage: { seq: number; kind: string } },
        Name
      >;
    };
    cosignatures: {
      keep: FunctionReference<
        "mutation",
        "internal",
        { tree: string; size: number; lines: string; witnesses: Array<string> },
        number,
        Name
      >;
      lastSize: FunctionReference<
        "query",
        "internal",
        { tree: string; witness: string; keyId: string },
        number,
        Name
      >;
    };
    deliveries: {
      accountHolder: FunctionReference<
        "query",
        "internal",
        { account: string },
        null | string,
        Name
      >;
      check: FunctionReference<
        "query",
        "internal",
        { header: string; body: ArrayBuffer },
        | { status: "genuine"; deliveryId: string; bodySha256: string }
        | { status: "refused"; reason: string },
        Name
      >;
      dismiss: FunctionReference<
        "mutation",
        "internal",
        { deliveryId: string },
        Array<{
          provider: "stripe";
          deliveryId: string;
          bodySha256: string;
          type: string;
          signedAt: number;
          receivedAt: number;
          status: "received" | "applied" | "nothing" | "parked" | "dismissed";
          reason: null | string;
          orgId: null | string;
        }>,
        Name
      >;
      objectsOf: FunctionReference<
        "query",
        "internal",
        { orgId: string; stream: string },
        Array<string>,
        Name
      >;
      receive: FunctionReference<
        "mutation",
        "internal",
        { header: string; body: ArrayBuffer },
        | { status: "refused"; reason: string }
        | { status: "duplicate" }
        | {
            status: "parked" | "nothing";
            record: {
              provider: "stripe";
              deliveryId: string;
              bodySha256: string;
              type: string;
              signedAt: number;
              receivedAt: number;
              status:
                "received" | "applied" | "nothing" | "parked" | "dismissed";
              reason: null | string;
              orgId: null | string;
            };
          }
        | {
            status: "received";
            record: {
              provider: "stripe";
              deliveryId: string;
              bodySha256: string;
              type: string;
              signedAt: number;
              receivedAt: number;
              status:
                "received" | "applied" | "nothing" | "parked" | "dismissed";
              reason: null | string;
              orgId: null | string;
            };
            source: {
              kind: "webhook";
              provider: "stripe";
              deliveryId: string;
              bodySha256: string;
              signedAt: number;
              account?: string;
            };
            fact: string;
            place: { orgId: string; stream: string };
          },
        Name
      >;
      reconsider: FunctionReference<
        "query",
        "internal",
        { deliveryId: string },
        | null
        | {
            status: "parked" | "nothing";
            record: {
              provider: "stripe";
              deliveryId: string;
              bodySha256: string;
              type: string;
              signedAt: number;
              receivedAt: number;
              status:
                "received" | "applied" | "nothing" | "parked" | "dismissed";
              reason: null | string;
              orgId: null | string;
            };
          }
        | {
            status: "received";
            record: {
              provider: "stripe";
              deliveryId: string;
              bodySha256: string;
              type: string;
              signedAt: number;
              receivedAt: number;
              status:
                "received" | "applied" | "nothing" | "parked" | "dismissed";
              reason: null | string;
              orgId: null | string;
            };
            source: {
              kind: "webhook";
              provider: "stripe";
              deliveryId: string;
              bodySha256: string;
              signedAt: number;
              account?: string;
            };
            fact: string;
            place: { orgId: string; stream: string };
          },
        Name
      >;
      settle: FunctionReference<
        "mutation",
        "internal",
        {
          deliveryId: string;
          outcome: { status: "nothing" } | { status: "parked"; reason: string };
        },
        {
          provider: "stripe";
          deliveryId: string;
          bodySha256: string;
          type: string;
          signedAt: number;
          receivedAt: number;
          status: "received" | "applied" | "nothing" | "parked" | "dismissed";
          reason: null | string;
          orgId: null | string;
        },
        Name
      >;
    };
    incidents: {
      list: FunctionReference<
        "query",
        "internal",
        {},
        Array<{ tree: string; kind: string; detail: string; at: number }>,
        Name
      >;
      record: FunctionReference<
        "mutation",
        "internal",
        { tree: string; kind: string; detail: string },
        boolean,
        Name
      >;
    };
    logOfLogs: {
      extend: FunctionReference<
        "mutation",
        "internal",
        { after?: number },
        | {
            outcome: "extended";
            added: number;
            size: number;
            next: null | number;
            damaged: Array<{
              orgId: string;
              damage: { seq: number; kind: string };
            }>;
            waiting: number;
          }
        | { outcome: "damaged"; damage: { seq: number; kind: string } }
        | { outcome: "keyMissing"; keyId: string },
        Name
      >;
    };
    parked: {
      list: FunctionReference<
        "query",
        "internal",
        {
          orgId?: string;
          reason?: string;
          before: null | number;
          limit: number;
        },
        {
          records: Array<{
            provider: "stripe";
            deliveryId: string;
            bodySha256: string;
            type: string;
            signedAt: number;
            receivedAt: number;
            status: "received" | "applied" | "nothing" | "parked" | "dismissed";
            reason: null | string;
            orgId: null | string;
          }>;
          next: null | number;
        },
        Name
      >;
      waiting: FunctionReference<
        "query",
        "internal",
        {
          of: { subjectId: string } | { orgId: string; reason: string };
          after: number;
          limit: number;
        },
        { deliveryIds: Array<string>; next: null | number },
        Name
      >;
    };
    proofs: {
      anchor: FunctionReference<
        "query",
        "internal",
        { orgId: string; size: number },
        null | {
          index: number;
          hashes: Array<string>;
          checkpoint: {
            size: number;
            root: string;
            at: number;
            keyName: string;
            keyId: string;
            note: string;
            witnesses: Array<{ name: string; keyId: string; time: number }>;
          };
        },
        Name
      >;
      checkpoint: FunctionReference<
        "query",
        "internal",
        { tree: string; size?: number },
        null | {
          size: number;
          root: string;
          at: number;
          keyName: string;
          keyId: string;
          note: string;
          witnesses: Array<{ name: string; keyId: string; time: number }>;
        },
        Name
      >;
      checkpointsAfter: FunctionReference<
        "query",
        "internal",
        { tree: string; afterSize: number; limit: number },
        Array<{
          size: number;
          root: string;
          at: number;
          keyName: string;
          keyId: string;
          note: string;
          witnesses: Array<{ name: string; keyId: string; time: number }>;
        }>,
        Name
      >;
      consistency: FunctionReference<
        "query",
        "internal",
        { tree: string; fromSize: number; toSize: number },
        null | {
          hashes: Array<string>;
          from: {
            size: number;
            root: string;
            at: number;
            keyName: string;
            keyId: string;
            note: string;
            witnesses: Array<{ name: string; keyId: string; time: number }>;
          };
          to: {
            size: number;
            root: string;
            at: number;
            keyName: string;
            keyId: string;
            note: string;
            witnesses: Array<{ name: string; keyId: string; time: number }>;
          };
        },
        Name
      >;
      event: FunctionReference<
        "query",
        "internal",
        { orgId: string; seq?: number; eventId?: string },
        null | { seq: number; text: string; hash: string },
        Name
      >;
      growth: FunctionReference<
        "query",
        "internal",
        { tree: string; fromSize: number; toSize: number },
        null | Array<string>,
        Name
      >;
      inclusion: FunctionReference<
        "query",
        "internal",
        { orgId: string; seq: number; size?: number },
        null | {
          index: number;
          hashes: Array<string>;
          checkpoint: {
            size: number;
            root: string;
            at: number;
            keyName: string;
            keyId: string;
            note: string;
            witnesses: Array<{ name: string; keyId: string; time: number }>;
          };
        },
        Name
      >;
      keys: FunctionReference<
        "query",
        "internal",
        {},
        { deployment: string; keys: Array<string> },
        Name
      >;
    };
    read: {
      head: FunctionReference<
        "query",
        "internal",
        { orgId: string },
        null | { seq: number; hash: string; recordedAt: number },
        Name
      >;
      range: FunctionReference<
        "query",
        "internal",
        { orgId: string; afterSeq: number; limit: number },
        {
          entries: Array<{ text: string; hash: string }>;
          nextAfterSeq: number;
          isDone: boolean;
        },
        Name
      >;
      receipt: FunctionReference<
        "query",
        "internal",
        { orgId: string; actorId: string; command: string; key: string },
        null | {
          fingerprint: string;
          result: Record<string, string>;
          receipt: {
            firstSeq: number;
            lastSeq: number;
            headHash: string;
            eventIds: Array<string>;
          };
        },
        Name
      >;
      stream: FunctionReference<
        "query",
        "internal",
        { orgId: string; stream: string; afterVersion: number; limit: number },
        {
          entries: Array<{ text: string; hash: string }>;
          nextAfterVersion: number;
          isDone: boolean;
        },
        Name
      >;
    };
    receipts: {
      removeOfClosed: FunctionReference<
        "mutation",
        "internal",
        { orgId: string },
        number,
        Name
      >;
    };
    rounds: {
      begin: FunctionReference<"mutation", "internal", {}, null | number, Name>;
      end: FunctionReference<"mutation", "internal", {}, null, Name>;
    };
    tree: {
      catchUp: FunctionReference<
        "mutation",
        "internal",
        { orgId: string },
        | { outcome: "grown"; left: number }
        | { outcome: "damaged"; damage: { seq: number; kind: string } },
        Name
      >;
    };
    treeCheck: {
      logPage: FunctionReference<
        "query",
        "internal",
        { from?: { seq: number; frontier: Array<string> } },
        | {
            outcome: "sound" | "done";
            at: { seq: number; frontier: Array<string> };
            missingKey: null | string;
            damaged: Array<{
              orgId: string;
              damage: { seq: number; kind: string };
            }>;
          }
        | {
            outcome: "damaged";
            damage: { seq: number; kind: string };
            damaged: Array<{
              orgId: string;
              damage: { seq: number; kind: string };
            }>;
          },
        Name
      >;
    };
  };
