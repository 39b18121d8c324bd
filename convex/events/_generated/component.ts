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
          from?: { seq: number; hash: string; recordedAt: number };
          knownHead: null | { seq: number; hash: string };
        },
        | {
            outcome: "sound";
            at: { seq: number; hash: string; recordedAt: number };
          }
        | {
            outcome: "done";
            at: { seq: number; hash: string; recordedAt: number };
          }
        | { outcome: "damaged"; damage: { seq: number; kind: string } },
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
  };
