/* eslint-disable */
/**
 * Generated `api` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type * as access_alerts from "../access/alerts.js";
import type * as access_arguments from "../access/arguments.js";
import type * as access_damage from "../access/damage.js";
import type * as access_deliveryList from "../access/deliveryList.js";
import type * as access_directory from "../access/directory.js";
import type * as access_environment from "../access/environment.js";
import type * as access_errors from "../access/errors.js";
import type * as access_evidenceVariables from "../access/evidenceVariables.js";
import type * as access_fields from "../access/fields.js";
import type * as access_lifecycle from "../access/lifecycle.js";
import type * as access_limits from "../access/limits.js";
import type * as access_operators from "../access/operators.js";
import type * as access_outboundUrl from "../access/outboundUrl.js";
import type * as access_outbox from "../access/outbox.js";
import type * as access_policy from "../access/policy.js";
import type * as access_principal from "../access/principal.js";
import type * as access_roles from "../access/roles.js";
import type * as access_securityLog from "../access/securityLog.js";
import type * as access_securityLogReader from "../access/securityLogReader.js";
import type * as access_sessions from "../access/sessions.js";
import type * as access_stripeSettings from "../access/stripeSettings.js";
import type * as access_stripeVariables from "../access/stripeVariables.js";
import type * as access_tenantDb from "../access/tenantDb.js";
import type * as commands_auditLog from "../commands/auditLog.js";
import type * as commands_bookings from "../commands/bookings.js";
import type * as commands_ledger from "../commands/ledger.js";
import type * as commands_members from "../commands/members.js";
import type * as commands_organizations from "../commands/organizations.js";
import type * as commands_payments from "../commands/payments.js";
import type * as commands_services from "../commands/services.js";
import type * as commands_session from "../commands/session.js";
import type * as commands_stripeAccount from "../commands/stripeAccount.js";
import type * as crons from "../crons.js";
import type * as domain_aggregates from "../domain/aggregates.js";
import type * as domain_booking from "../domain/booking.js";
import type * as domain_decision from "../domain/decision.js";
import type * as domain_export from "../domain/export.js";
import type * as domain_invitation from "../domain/invitation.js";
import type * as domain_member from "../domain/member.js";
import type * as domain_organization from "../domain/organization.js";
import type * as domain_payment from "../domain/payment.js";
import type * as domain_paymentAlerts from "../domain/paymentAlerts.js";
import type * as domain_paymentCommands from "../domain/paymentCommands.js";
import type * as domain_paymentDisputes from "../domain/paymentDisputes.js";
import type * as domain_paymentFacts from "../domain/paymentFacts.js";
import type * as domain_paymentForTests from "../domain/paymentForTests.js";
import type * as domain_paymentOutcomes from "../domain/paymentOutcomes.js";
import type * as domain_paymentRefunds from "../domain/paymentRefunds.js";
import type * as domain_reading from "../domain/reading.js";
import type * as domain_service from "../domain/service.js";
import type * as domain_stripeAccount from "../domain/stripeAccount.js";
import type * as effects_alerts from "../effects/alerts.js";
import type * as effects_boundedPost from "../effects/boundedPost.js";
import type * as effects_outbox from "../effects/outbox.js";
import type * as effects_payments from "../effects/payments.js";
import type * as effects_reconciliation from "../effects/reconciliation.js";
import type * as effects_refunds from "../effects/refunds.js";
import type * as effects_standardWebhook from "../effects/standardWebhook.js";
import type * as effects_stripe_answers from "../effects/stripe/answers.js";
import type * as effects_stripe_classify from "../effects/stripe/classify.js";
import type * as effects_stripe_client from "../effects/stripe/client.js";
import type * as effects_stripe_connect from "../effects/stripe/connect.js";
import type * as effects_stripe_drift from "../effects/stripe/drift.js";
import type * as effects_stripe_identifiers from "../effects/stripe/identifiers.js";
import type * as effects_stripe_parameters from "../effects/stripe/parameters.js";
import type * as effects_stripe_payments from "../effects/stripe/payments.js";
import type * as effects_stripe_refunds from "../effects/stripe/refunds.js";
import type * as effects_stripe_steps from "../effects/stripe/steps.js";
import type * as effects_stripe_vocabulary from "../effects/stripe/vocabulary.js";
import type * as effects_stripeAccounts from "../effects/stripeAccounts.js";
import type * as effects_witnesses from "../effects/witnesses.js";
import type * as http from "../http.js";
import type * as log_door from "../log/door.js";
import type * as log_published from "../log/published.js";
import type * as operator_deliveries from "../operator/deliveries.js";
import type * as operator_evidence from "../operator/evidence.js";
import type * as operator_organizations from "../operator/organizations.js";
import type * as pipeline_commandMutation from "../pipeline/commandMutation.js";
import type * as pipeline_deliveries from "../pipeline/deliveries.js";
import type * as pipeline_effects from "../pipeline/effects.js";
import type * as pipeline_evidenceMutation from "../pipeline/evidenceMutation.js";
import type * as pipeline_fingerprint from "../pipeline/fingerprint.js";
import type * as pipeline_invitationToken from "../pipeline/invitationToken.js";
import type * as pipeline_ledger from "../pipeline/ledger.js";
import type * as pipeline_operatorCommand from "../pipeline/operatorCommand.js";
import type * as pipeline_outcome from "../pipeline/outcome.js";
import type * as pipeline_overpayment from "../pipeline/overpayment.js";
import type * as pipeline_parked from "../pipeline/parked.js";
import type * as pipeline_project from "../pipeline/project.js";
import type * as pipeline_removedAccount from "../pipeline/removedAccount.js";
import type * as pipeline_response from "../pipeline/response.js";
import type * as pipeline_sessionMutation from "../pipeline/sessionMutation.js";
import type * as pipeline_signedInMutation from "../pipeline/signedInMutation.js";
import type * as pipeline_stripeLink from "../pipeline/stripeLink.js";
import type * as projections_alerts from "../projections/alerts.js";
import type * as projections_auditLog from "../projections/auditLog.js";
import type * as projections_auditLogPayments from "../projections/auditLogPayments.js";
import type * as projections_bookings from "../projections/bookings.js";
import type * as projections_deliveries from "../projections/deliveries.js";
import type * as projections_invitations from "../projections/invitations.js";
import type * as projections_ledger from "../projections/ledger.js";
import type * as projections_ledgerReader from "../projections/ledgerReader.js";
import type * as projections_members from "../projections/members.js";
import type * as projections_onlineRebuild from "../projections/onlineRebuild.js";
import type * as projections_organizations from "../projections/organizations.js";
import type * as projections_page from "../projections/page.js";
import type * as projections_payments from "../projections/payments.js";
import type * as projections_projection from "../projections/projection.js";
import type * as projections_projectionQuery from "../projections/projectionQuery.js";
import type * as projections_proofs from "../projections/proofs.js";
import type * as projections_rebuild from "../projections/rebuild.js";
import type * as projections_registry from "../projections/registry.js";
import type * as projections_rowsDigest from "../projections/rowsDigest.js";
import type * as projections_securityLog from "../projections/securityLog.js";
import type * as projections_services from "../projections/services.js";
import type * as projections_stripeAccount from "../projections/stripeAccount.js";
import type * as projections_unassignedOr from "../projections/unassignedOr.js";
import type * as validators from "../validators.js";
import type * as vault_rawDeliveries from "../vault/rawDeliveries.js";
import type * as vault_seal from "../vault/seal.js";
import type * as webhooks_stripe from "../webhooks/stripe.js";
import type * as workers_cascade from "../workers/cascade.js";
import type * as workers_checkpoints from "../workers/checkpoints.js";
import type * as workers_closing from "../workers/closing.js";
import type * as workers_integrity from "../workers/integrity.js";
import type * as workers_ledgerCheck from "../workers/ledgerCheck.js";
import type * as workers_orphans from "../workers/orphans.js";
import type * as workers_outbox from "../workers/outbox.js";
import type * as workers_rawDeliveries from "../workers/rawDeliveries.js";
import type * as workers_reconciliation from "../workers/reconciliation.js";

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";

declare const fullApi: ApiFromModules<{
  "access/alerts": typeof access_alerts;
  "access/arguments": typeof access_arguments;
  "access/damage": typeof access_damage;
  "access/deliveryList": typeof access_deliveryList;
  "access/directory": typeof access_directory;
  "access/environment": typeof access_environment;
  "access/errors": typeof access_errors;
  "access/evidenceVariables": typeof access_evidenceVariables;
  "access/fields": typeof access_fields;
  "access/lifecycle": typeof access_lifecycle;
  "access/limits": typeof access_limits;
  "access/operators": typeof access_operators;
  "access/outboundUrl": typeof access_outboundUrl;
  "access/outbox": typeof access_outbox;
  "access/policy": typeof access_policy;
  "access/principal": typeof access_principal;
  "access/roles": typeof access_roles;
  "access/securityLog": typeof access_securityLog;
  "access/securityLogReader": typeof access_securityLogReader;
  "access/sessions": typeof access_sessions;
  "access/stripeSettings": typeof access_stripeSettings;
  "access/stripeVariables": typeof access_stripeVariables;
  "access/tenantDb": typeof access_tenantDb;
  "commands/auditLog": typeof commands_auditLog;
  "commands/bookings": typeof commands_bookings;
  "commands/ledger": typeof commands_ledger;
  "commands/members": typeof commands_members;
  "commands/organizations": typeof commands_organizations;
  "commands/payments": typeof commands_payments;
  "commands/services": typeof commands_services;
  "commands/session": typeof commands_session;
  "commands/stripeAccount": typeof commands_stripeAccount;
  crons: typeof crons;
  "domain/aggregates": typeof domain_aggregates;
  "domain/booking": typeof domain_booking;
  "domain/decision": typeof domain_decision;
  "domain/export": typeof domain_export;
  "domain/invitation": typeof domain_invitation;
  "domain/member": typeof domain_member;
  "domain/organization": typeof domain_organization;
  "domain/payment": typeof domain_payment;
  "domain/paymentAlerts": typeof domain_paymentAlerts;
  "domain/paymentCommands": typeof domain_paymentCommands;
  "domain/paymentDisputes": typeof domain_paymentDisputes;
  "domain/paymentFacts": typeof domain_paymentFacts;
  "domain/paymentForTests": typeof domain_paymentForTests;
  "domain/paymentOutcomes": typeof domain_paymentOutcomes;
  "domain/paymentRefunds": typeof domain_paymentRefunds;
  "domain/reading": typeof domain_reading;
  "domain/service": typeof domain_service;
  "domain/stripeAccount": typeof domain_stripeAccount;
  "effects/alerts": typeof effects_alerts;
  "effects/boundedPost": typeof effects_boundedPost;
  "effects/outbox": typeof effects_outbox;
  "effects/payments": typeof effects_payments;
  "effects/reconciliation": typeof effects_reconciliation;
  "effects/refunds": typeof effects_refunds;
  "effects/standardWebhook": typeof effects_standardWebhook;
  "effects/stripe/answers": typeof effects_stripe_answers;
  "effects/stripe/classify": typeof effects_stripe_classify;
  "effects/stripe/client": typeof effects_stripe_client;
  "effects/stripe/connect": typeof effects_stripe_connect;
  "effects/stripe/drift": typeof effects_stripe_drift;
  "effects/stripe/identifiers": typeof effects_stripe_identifiers;
  "effects/stripe/parameters": typeof effects_stripe_parameters;
  "effects/stripe/payments": typeof effects_stripe_payments;
  "effects/stripe/refunds": typeof effects_stripe_refunds;
  "effects/stripe/steps": typeof effects_stripe_steps;
  "effects/stripe/vocabulary": typeof effects_stripe_vocabulary;
  "effects/stripeAccounts": typeof effects_stripeAccounts;
  "effects/witnesses": typeof effects_witnesses;
  http: typeof http;
  "log/door": typeof log_door;
  "log/published": typeof log_published;
  "operator/deliveries": typeof operator_deliveries;
  "operator/evidence": typeof operator_evidence;
  "operator/organizations": typeof operator_organizations;
  "pipeline/commandMutation": typeof pipeline_commandMutation;
  "pipeline/deliveries": typeof pipeline_deliveries;
  "pipeline/effects": typeof pipeline_effects;
  "pipeline/evidenceMutation": typeof pipeline_evidenceMutation;
  "pipeline/fingerprint": typeof pipeline_fingerprint;
  "pipeline/invitationToken": typeof pipeline_invitationToken;
  "pipeline/ledger": typeof pipeline_ledger;
  "pipeline/operatorCommand": typeof pipeline_operatorCommand;
  "pipeline/outcome": typeof pipeline_outcome;
  "pipeline/overpayment": typeof pipeline_overpayment;
  "pipeline/parked": typeof pipeline_parked;
  "pipeline/project": typeof pipeline_project;
  "pipeline/removedAccount": typeof pipeline_removedAccount;
  "pipeline/response": typeof pipeline_response;
  "pipeline/sessionMutation": typeof pipeline_sessionMutation;
  "pipeline/signedInMutation": typeof pipeline_signedInMutation;
  "pipeline/stripeLink": typeof pipeline_stripeLink;
  "projections/alerts": typeof projections_alerts;
  "projections/auditLog": typeof projections_auditLog;
  "projections/auditLogPayments": typeof projections_auditLogPayments;
  "projections/bookings": typeof projections_bookings;
  "projections/deliveries": typeof projections_deliveries;
  "projections/invitations": typeof projections_invitations;
  "projections/ledger": typeof projections_ledger;
  "projections/ledgerReader": typeof projections_ledgerReader;
  "projections/members": typeof projections_members;
  "projections/onlineRebuild": typeof projections_onlineRebuild;
  "projections/organizations": typeof projections_organizations;
  "projections/page": typeof projections_page;
  "projections/payments": typeof projections_payments;
  "projections/projection": typeof projections_projection;
  "projections/projectionQuery": typeof projections_projectionQuery;
  "projections/proofs": typeof projections_proofs;
  "projections/rebuild": typeof projections_rebuild;
  "projections/registry": typeof projections_registry;
  "projections/rowsDigest": typeof projections_rowsDigest;
  "projections/securityLog": typeof projections_securityLog;
  "projections/services": typeof projections_services;
  "projections/stripeAccount": typeof projections_stripeAccount;
  "projections/unassignedOr": typeof projections_unassignedOr;
  validators: typeof validators;
  "vault/rawDeliveries": typeof vault_rawDeliveries;
  "vault/seal": typeof vault_seal;
  "webhooks/stripe": typeof webhooks_stripe;
  "workers/cascade": typeof workers_cascade;
  "workers/checkpoints": typeof workers_checkpoints;
  "workers/closing": typeof workers_closing;
  "workers/integrity": typeof workers_integrity;
  "workers/ledgerCheck": typeof workers_ledgerCheck;
  "workers/orphans": typeof workers_orphans;
  "workers/outbox": typeof workers_outbox;
  "workers/rawDeliveries": typeof workers_rawDeliveries;
  "workers/reconciliation": typeof workers_reconciliation;
}>;

/**
 * A utility for referencing Convex functions in your app's public API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
export declare const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
>;

/**
 * A utility for referencing Convex functions in your app's internal API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = internal.myModule.myFunction;
 * ```
 */
export declare const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
>;

export declare const components: {
  events: import("../events/_generated/component.js").ComponentApi<"events">;
  rateLimiter: import("@convex-dev/rate-limiter/_generated/component.js").ComponentApi<"rateLimiter">;
};
