import { GRANT_OPERATIONS } from './access/grants.ts'
import { inviteUser } from './access/invite.ts'
import { ROLE_OPERATIONS } from './access/roles.ts'
import { SERVICE_IDENTITY_OPERATIONS } from './access/service-identities.ts'
import { TEAM_OPERATIONS } from './access/teams.ts'
import { TRUST_RULE_OPERATIONS } from './access/trust-rules.ts'
import { USER_OPERATIONS } from './access/users.ts'
import { whoami } from './access/whoami.ts'
import { createAccessRequest } from './access-requests/create.ts'
import { approveAccessRequest, rejectAccessRequest } from './access-requests/decide.ts'
import { getAccessRequest, listAccessRequests } from './access-requests/list.ts'
import { getAudit } from './audit/get.ts'
import { listAudit } from './audit/list.ts'
import { verifyAudit } from './audit/verify.ts'
import { approveChangeRequest } from './change-requests/approve.ts'
import { diffChangeRequest } from './change-requests/diff.ts'
import { getChangeRequest } from './change-requests/get.ts'
import { listChangeRequests } from './change-requests/list.ts'
import { rejectChangeRequest } from './change-requests/reject.ts'
import { assignCollections, setAssignments, unassignCollections } from './clients/assign.ts'
import { createClient } from './clients/create.ts'
import { deleteClient } from './clients/delete.ts'
import { getClient } from './clients/get.ts'
import { listClients } from './clients/list.ts'
import { putClient } from './clients/put.ts'
import { toggleClient } from './clients/toggle.ts'
import { updateClient } from './clients/update.ts'
import { contractReport } from './collections/contract-report.ts'
import { createCollection } from './collections/create.ts'
import { deleteCollection } from './collections/delete.ts'
import { duplicateCollection } from './collections/duplicate.ts'
import { enforceCollection } from './collections/enforce.ts'
import { exportOpenapi } from './collections/export.ts'
import { getCollection } from './collections/get.ts'
import { getCollectionHealth } from './collections/health.ts'
import { importCollection } from './collections/import.ts'
import { listCollections } from './collections/list.ts'
import { getCollectionProxies } from './collections/proxies.ts'
import { publishCollection } from './collections/publish.ts'
import { putCollection } from './collections/put.ts'
import { reimportCollection } from './collections/reimport.ts'
import { updateCollection } from './collections/update.ts'
import { applyConfig } from './config/apply.ts'
import { convertConfig } from './config/convert.ts'
import { diffConfig } from './config/diff.ts'
import { exportConfig } from './config/export.ts'
import { planConfig } from './config/plan.ts'
import { createCredential } from './credentials/create.ts'
import { deleteCredential } from './credentials/delete.ts'
import { getCredential } from './credentials/get.ts'
import { listCredentials } from './credentials/list.ts'
import { putCredential } from './credentials/put.ts'
import { revertCredential } from './credentials/revert.ts'
import { rotateCredential } from './credentials/rotate.ts'
import { listStaleCredentials } from './credentials/stale.ts'
import { getCredentialState } from './credentials/state.ts'
import { testCredential } from './credentials/test-credential.ts'
import { updateCredential } from './credentials/update.ts'
import type { Operation } from './define.ts'
import { cancelExport } from './exports/cancel.ts'
import { createExport } from './exports/create.ts'
import { downloadExport } from './exports/download.ts'
import { getExport } from './exports/get.ts'
import { listExports } from './exports/list.ts'
import { listKeys } from './keys/list.ts'
import { rotateKeys } from './keys/rotate.ts'
import { metricsMethods, metricsStatusCodes } from './metrics/distributions.ts'
import { metricsErrorEndpoints, metricsTopEndpoints } from './metrics/endpoints.ts'
import { metricsOverTime } from './metrics/over-time.ts'
import { metricsOverview } from './metrics/overview.ts'
import { createPersonalToken } from './personal-tokens/create.ts'
import { getPersonalToken } from './personal-tokens/get.ts'
import { listPersonalTokens } from './personal-tokens/list.ts'
import { revokePersonalToken } from './personal-tokens/revoke.ts'
import { createPolicy } from './policies/create.ts'
import { deletePolicy } from './policies/delete.ts'
import { getPolicy } from './policies/get.ts'
import { listPolicies } from './policies/list.ts'
import { putPolicy } from './policies/put.ts'
import { togglePolicy } from './policies/toggle.ts'
import { updatePolicy } from './policies/update.ts'
import { getPolicyUsage } from './policies/usage.ts'
import { checkProfileAccess } from './profiles/access.ts'
import { createProfile } from './profiles/create.ts'
import { deleteProfile } from './profiles/delete.ts'
import { getProfile } from './profiles/get.ts'
import { listProfiles } from './profiles/list.ts'
import { putProfile } from './profiles/put.ts'
import { revokeProfile } from './profiles/revoke.ts'
import { rotateProfile } from './profiles/rotate.ts'
import { getProfileCredentialState } from './profiles/state.ts'
import { toggleProfile } from './profiles/toggle.ts'
import { updateProfile } from './profiles/update.ts'
import { bulkUpdateProxies } from './proxies/bulk-update.ts'
import { createProxy } from './proxies/create.ts'
import { deleteProxy } from './proxies/delete.ts'
import { duplicateProxy } from './proxies/duplicate.ts'
import { getProxy } from './proxies/get.ts'
import { listProxies } from './proxies/list.ts'
import { publishProxy } from './proxies/publish.ts'
import { putProxy } from './proxies/put.ts'
import { updateProxy } from './proxies/update.ts'
import { getRecord } from './records/get.ts'
import { listRecords } from './records/list.ts'
import { purgeRecords } from './records/purge.ts'
import { explainRequest } from './requests/explain.ts'
import { replayRequest } from './requests/replay.ts'
import { diffRevisions } from './revisions/diff.ts'
import { getRevision, listRevisions } from './revisions/list.ts'
import { rollbackRevision } from './revisions/rollback.ts'
import { selectable } from './select.ts'
import { getSettings } from './settings/get.ts'
import { listSettings } from './settings/list.ts'
import { updateSettings } from './settings/update.ts'
import { WORKFLOW_OPERATIONS } from './workflows/crud.ts'
import { listNodes } from './workflows/nodes.ts'
import { getProxyWorkflow, updateProxyWorkflow } from './workflows/proxy-workflow.ts'
import { applyTemplate, listTemplates } from './workflows/templates.ts'
import { validateWorkflow } from './workflows/validate.ts'

/** Every operation there is, in the order in which people meet them. Every surface projects this list. */
export const OPERATIONS: readonly Operation[] = [
  listCollections,
  getCollection,
  getCollectionProxies,
  getCollectionHealth,
  createCollection,
  updateCollection,
  putCollection,
  deleteCollection,
  publishCollection,
  duplicateCollection,
  importCollection,
  exportOpenapi,
  reimportCollection,
  contractReport,
  enforceCollection,
  listProxies,
  getProxy,
  createProxy,
  updateProxy,
  putProxy,
  deleteProxy,
  publishProxy,
  duplicateProxy,
  bulkUpdateProxies,
  ...WORKFLOW_OPERATIONS,
  getProxyWorkflow,
  updateProxyWorkflow,
  validateWorkflow,
  listNodes,
  listTemplates,
  applyTemplate,
  listPolicies,
  getPolicy,
  getPolicyUsage,
  createPolicy,
  updatePolicy,
  putPolicy,
  deletePolicy,
  togglePolicy,
  listClients,
  getClient,
  createClient,
  updateClient,
  putClient,
  deleteClient,
  toggleClient,
  setAssignments,
  assignCollections,
  unassignCollections,
  listAccessRequests,
  getAccessRequest,
  createAccessRequest,
  approveAccessRequest,
  rejectAccessRequest,
  listProfiles,
  getProfile,
  getProfileCredentialState,
  checkProfileAccess,
  createProfile,
  updateProfile,
  putProfile,
  deleteProfile,
  toggleProfile,
  rotateProfile,
  revokeProfile,
  listCredentials,
  getCredential,
  getCredentialState,
  listStaleCredentials,
  createCredential,
  updateCredential,
  putCredential,
  deleteCredential,
  testCredential,
  rotateCredential,
  revertCredential,
  ...ROLE_OPERATIONS,
  ...USER_OPERATIONS,
  inviteUser,
  ...TEAM_OPERATIONS,
  ...SERVICE_IDENTITY_OPERATIONS,
  ...GRANT_OPERATIONS,
  ...TRUST_RULE_OPERATIONS,
  listRevisions,
  getRevision,
  diffRevisions,
  rollbackRevision,
  listSettings,
  getSettings,
  updateSettings,
  listChangeRequests,
  getChangeRequest,
  diffChangeRequest,
  approveChangeRequest,
  rejectChangeRequest,
  listPersonalTokens,
  getPersonalToken,
  createPersonalToken,
  revokePersonalToken,
  whoami,
  exportConfig,
  planConfig,
  applyConfig,
  diffConfig,
  convertConfig,
  listKeys,
  rotateKeys,
  listAudit,
  getAudit,
  verifyAudit,
  metricsOverview,
  metricsStatusCodes,
  metricsMethods,
  metricsTopEndpoints,
  metricsErrorEndpoints,
  metricsOverTime,
  listRecords,
  getRecord,
  purgeRecords,
  explainRequest,
  replayRequest,
  listExports,
  getExport,
  createExport,
  cancelExport,
  downloadExport,
].map(selectable)
