/* eslint-disable */
/**
 * Generated `api` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type * as append from "../append.js";
import type * as catalogue_booking from "../catalogue/booking.js";
import type * as catalogue_catalogue from "../catalogue/catalogue.js";
import type * as catalogue_definition from "../catalogue/definition.js";
import type * as catalogue_export from "../catalogue/export.js";
import type * as catalogue_fields from "../catalogue/fields.js";
import type * as catalogue_invitation from "../catalogue/invitation.js";
import type * as catalogue_member from "../catalogue/member.js";
import type * as catalogue_organization from "../catalogue/organization.js";
import type * as catalogue_payment from "../catalogue/payment.js";
import type * as catalogue_reading from "../catalogue/reading.js";
import type * as catalogue_service from "../catalogue/service.js";
import type * as catalogue_stripeAccount from "../catalogue/stripeAccount.js";
import type * as check from "../check.js";
import type * as checkpointRows from "../checkpointRows.js";
import type * as checkpoints from "../checkpoints.js";
import type * as claims from "../claims.js";
import type * as closed from "../closed.js";
import type * as cosignatures from "../cosignatures.js";
import type * as deliveries from "../deliveries.js";
import type * as deliveryRecord from "../deliveryRecord.js";
import type * as fence from "../fence.js";
import type * as incidents from "../incidents.js";
import type * as logOfLogs from "../logOfLogs.js";
import type * as parked from "../parked.js";
import type * as places from "../places.js";
import type * as proofs from "../proofs.js";
import type * as providerFact from "../providerFact.js";
import type * as read from "../read.js";
import type * as receipts from "../receipts.js";
import type * as rounds from "../rounds.js";
import type * as row from "../row.js";
import type * as signing from "../signing.js";
import type * as strictJson from "../strictJson.js";
import type * as stripeDelivery from "../stripeDelivery.js";
import type * as stripeEnvironment from "../stripeEnvironment.js";
import type * as stripeFacts from "../stripeFacts.js";
import type * as stripeSignature from "../stripeSignature.js";
import type * as tree from "../tree.js";
import type * as treeCheck from "../treeCheck.js";
import type * as trees from "../trees.js";

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";
import { anyApi, componentsGeneric } from "convex/server";

const fullApi: ApiFromModules<{
  append: typeof append;
  "catalogue/booking": typeof catalogue_booking;
  "catalogue/catalogue": typeof catalogue_catalogue;
  "catalogue/definition": typeof catalogue_definition;
  "catalogue/export": typeof catalogue_export;
  "catalogue/fields": typeof catalogue_fields;
  "catalogue/invitation": typeof catalogue_invitation;
  "catalogue/member": typeof catalogue_member;
  "catalogue/organization": typeof catalogue_organization;
  "catalogue/payment": typeof catalogue_payment;
  "catalogue/reading": typeof catalogue_reading;
  "catalogue/service": typeof catalogue_service;
  "catalogue/stripeAccount": typeof catalogue_stripeAccount;
  check: typeof check;
  checkpointRows: typeof checkpointRows;
  checkpoints: typeof checkpoints;
  claims: typeof claims;
  closed: typeof closed;
  cosignatures: typeof cosignatures;
  deliveries: typeof deliveries;
  deliveryRecord: typeof deliveryRecord;
  fence: typeof fence;
  incidents: typeof incidents;
  logOfLogs: typeof logOfLogs;
  parked: typeof parked;
  places: typeof places;
  proofs: typeof proofs;
  providerFact: typeof providerFact;
  read: typeof read;
  receipts: typeof receipts;
  rounds: typeof rounds;
  row: typeof row;
  signing: typeof signing;
  strictJson: typeof strictJson;
  stripeDelivery: typeof stripeDelivery;
  stripeEnvironment: typeof stripeEnvironment;
  stripeFacts: typeof stripeFacts;
  stripeSignature: typeof stripeSignature;
  tree: typeof tree;
  treeCheck: typeof treeCheck;
  trees: typeof trees;
}> = anyApi as any;

/**
 * A utility for referencing Convex functions in your app's public API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
export const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
> = anyApi as any;

/**
 * A utility for referencing Convex functions in your app's internal API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = internal.myModule.myFunction;
 * ```
 */
export const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
> = anyApi as any;

export const components = componentsGeneric() as unknown as {};
