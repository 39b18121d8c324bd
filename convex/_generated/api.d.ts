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
import type * as access_directory from "../access/directory.js";
import type * as access_environment from "../access/environment.js";
import type * as access_errors from "../access/errors.js";
import type * as access_evidenceVariables from "../access/evidenceVariables.js";
import type * as access_fields from "../access/fields.js";
import type * as access_lifecycle from "../access/lifecycle.js";
import type * as access_limits from "../access/limits.js";
import type * as access_policy from "../access/policy.js";
import type * as access_principal from "../access/principal.js";
import type * as access_roles from "../access/roles.js";
import type * as access_securityLog from "../access/securityLog.js";
import type * as access_securityLogReader from "../access/securityLogReader.js";
import type * as access_sessions from "../access/sessions.js";
import type * as access_tenantDb from "../access/tenantDb.js";
import type * as commands_bookings from "../commands/bookings.js";
import type * as commands_ledger from "../commands/ledger.js";
import type * as commands_members from "../commands/members.js";
import type * as commands_organizations from "../commands/organizations.js";
import type * as commands_services from "../commands/services.js";
import type * as commands_session from "../commands/session.js";
import type * as crons from "../crons.js";
import type * as domain_aggregates from "../domain/aggregates.js";
import type * as domain_booking from "../domain/booking.js";
import type * as domain_decision from "../domain/decision.js";
import type * as domain_export from "../domain/export.js";
import type * as domain_invitation from "../domain/invitation.js";
import type * as domain_member from "../domain/member.js";
import type * as domain_organization from "../domain/organization.js";
import type * as domain_service from "../domain/service.js";
import type * as effects_boundedPost from "../effects/boundedPost.js";
import type * as effects_witnesses from "../effects/witnesses.js";
import type * as http from "../http.js";
import type * as log_door from "../log/door.js";
import type * as log_published from "../log/published.js";
import type * as operator_evidence from "../operator/evidence.js";
import type * as operator_organizations from "../operator/organizations.js";
import type * as pipeline_commandMutation from "../pipeline/commandMutation.js";
import type * as pipeline_evidenceMutation from "../pipeline/evidenceMutation.js";
import type * as pipeline_fingerprint from "../pipeline/fingerprint.js";
import type * as pipeline_invitationToken from "../pipeline/invitationToken.js";
import type * as pipeline_ledger from "../pipeline/ledger.js";
import type * as pipeline_operatorCommand from "../pipeline/operatorCommand.js";
import type * as pipeline_project from "../pipeline/project.js";
import type * as pipeline_response from "../pipeline/response.js";
import type * as pipeline_sessionMutation from "../pipeline/sessionMutation.js";
import type * as pipeline_signedInMutation from "../pipeline/signedInMutation.js";
import type * as projections_alerts from "../projections/alerts.js";
import type * as projections_auditLog from "../projections/auditLog.js";
import type * as projections_bookings from "../projections/bookings.js";
import type * as projections_invitations from "../projections/invitations.js";
import type * as projections_ledger from "../projections/ledger.js";
import type * as projections_ledgerReader from "../projections/ledgerReader.js";
import type * as projections_members from "../projections/members.js";
import type * as projections_onlineRebuild from "../projections/onlineRebuild.js";
import type * as projections_organizations from "../projections/organizations.js";
import type * as projections_page from "../projections/page.js";
import type * as projections_projection from "../projections/projection.js";
import type * as projections_projectionQuery from "../projections/projectionQuery.js";
import type * as projections_proofs from "../projections/proofs.js";
import type * as projections_rebuild from "../projections/rebuild.js";
import type * as projections_registry from "../projections/registry.js";
import type * as projections_rowsDigest from "../projections/rowsDigest.js";
import type * as projections_securityLog from "../projections/securityLog.js";
import type * as projections_services from "../projections/services.js";
import type * as projections_unassignedOr from "../projections/unassignedOr.js";
import type * as workers_cascade from "../workers/cascade.js";
import type * as workers_checkpoints from "../workers/checkpoints.js";
import type * as workers_closing from "../workers/closing.js";
import type * as workers_integrity from "../workers/integrity.js";
import type * as workers_ledgerCheck from "../workers/ledgerCheck.js";
import type * as workers_orphans from "../workers/orphans.js";

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";

declare const fullApi: ApiFromModules<{
  "access/alerts": typeof access_alerts;
  "access/arguments": typeof access_arguments;
  "access/damage": typeof access_damage;
  "access/directory": typeof access_directory;
  "access/environment": typeof access_environment;
  "access/errors": typeof access_errors;
  "access/evidenceVariables": typeof access_evidenceVariables;
  "access/fields": typeof access_fields;
  "access/lifecycle": typeof access_lifecycle;
  "access/limits": typeof access_limits;
  "access/policy": typeof access_policy;
  "access/principal": typeof access_principal;
  "access/roles": typeof access_roles;
  "access/securityLog": typeof access_securityLog;
  "access/securityLogReader": typeof access_securityLogReader;
  "access/sessions": typeof access_sessions;
  "access/tenantDb": typeof access_tenantDb;
  "commands/bookings": typeof commands_bookings;
  "commands/ledger": typeof commands_ledger;
  "commands/members": typeof commands_members;
  "commands/organizations": typeof commands_organizations;
  "commands/services": typeof commands_services;
  "commands/session": typeof commands_session;
  crons: typeof crons;
  "domain/aggregates": typeof domain_aggregates;
  "domain/booking": typeof domain_booking;
  "domain/decision": typeof domain_decision;
  "domain/export": typeof domain_export;
  "domain/invitation": typeof domain_invitation;
  "domain/member": typeof domain_member;
  "domain/organization": typeof domain_organization;
  "domain/service": typeof domain_service;
  "effects/boundedPost": typeof effects_boundedPost;
  "effects/witnesses": typeof effects_witnesses;
  http: typeof http;
  "log/door": typeof log_door;
  "log/published": typeof log_published;
  "operator/evidence": typeof operator_evidence;
  "operator/organizations": typeof operator_organizations;
  "pipeline/commandMutation": typeof pipeline_commandMutation;
  "pipeline/evidenceMutation": typeof pipeline_evidenceMutation;
  "pipeline/fingerprint": typeof pipeline_fingerprint;
  "pipeline/invitationToken": typeof pipeline_invitationToken;
  "pipeline/ledger": typeof pipeline_ledger;
  "pipeline/operatorCommand": typeof pipeline_operatorCommand;
  "pipeline/project": typeof pipeline_project;
  "pipeline/response": typeof pipeline_response;
  "pipeline/sessionMutation": typeof pipeline_sessionMutation;
  "pipeline/signedInMutation": typeof pipeline_signedInMutation;
  "projections/alerts": typeof projections_alerts;
  "projections/auditLog": typeof projections_auditLog;
  "projections/bookings": typeof projections_bookings;
  "projections/invitations": typeof projections_invitations;
  "projections/ledger": typeof projections_ledger;
  "projections/ledgerReader": typeof projections_ledgerReader;
  "projections/members": typeof projections_members;
  "projections/onlineRebuild": typeof projections_onlineRebuild;
  "projections/organizations": typeof projections_organizations;
  "projections/page": typeof projections_page;
  "projections/projection": typeof projections_projection;
  "projections/projectionQuery": typeof projections_projectionQuery;
  "projections/proofs": typeof projections_proofs;
  "projections/rebuild": typeof projections_rebuild;
  "projections/registry": typeof projections_registry;
  "projections/rowsDigest": typeof projections_rowsDigest;
  "projections/securityLog": typeof projections_securityLog;
  "projections/services": typeof projections_services;
  "projections/unassignedOr": typeof projections_unassignedOr;
  "workers/cascade": typeof workers_cascade;
  "workers/checkpoints": typeof workers_checkpoints;
  "workers/closing": typeof workers_closing;
  "workers/integrity": typeof workers_integrity;
  "workers/ledgerCheck": typeof workers_ledgerCheck;
  "workers/orphans": typeof workers_orphans;
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
