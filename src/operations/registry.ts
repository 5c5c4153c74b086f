import { inviteUser } from './access/invite.ts'
import { whoami } from './access/whoami.ts'
import { createAccessRequest } from './access-requests/create.ts'
import { approveAccessRequest, rejectAccessRequest } from './access-requests/decide.ts'
import { getAccessRequest, listAccessRequests } from './access-requests/list.ts'
import { getAudit, listAudit } from './audit/list.ts'
import { verifyAudit } from './audit/verify.ts'
import { cancelCapture } from './captures/cancel.ts'
import { getCapture, listCaptures } from './captures/get.ts'
import { startCapture } from './captures/start.ts'
import { approveChangeRequest, rejectChangeRequest } from './change-requests/decide.ts'
import { diffChangeRequest } from './change-requests/diff.ts'
import { getChangeRequest, listChangeRequests } from './change-requests/list.ts'
import { assignCollections, setAssignments, unassignCollections } from './clients/assign.ts'
import { clientOperations } from './clients/kind.ts'
import { contractReport } from './collections/contract-report.ts'
import { duplicateCollection } from './collections/duplicate.ts'
import { enforceCollection } from './collections/enforce.ts'
import { exportOpenapi } from './collections/export.ts'
import { getCollectionHealth } from './collections/health.ts'
import { importCollection } from './collections/import.ts'
import { collectionOperations } from './collections/kind.ts'
import { getCollectionProxies } from './collections/proxies.ts'
import { reimportCollection } from './collections/reimport.ts'
import { applyConfig } from './config/apply.ts'
import { convertConfig } from './config/convert.ts'
import { diffConfig } from './config/diff.ts'
import { exportConfig } from './config/export.ts'
import { planConfig } from './config/plan.ts'
import { listConnections } from './connections/list.ts'
import { disconnectConnection, toggleConnection } from './connections/switch.ts'
import { credentialOperations } from './credentials/kind.ts'
import { revertCredential } from './credentials/revert.ts'
import { rotateCredential } from './credentials/rotate.ts'
import { listStaleCredentials } from './credentials/stale.ts'
import { getCredentialState } from './credentials/state.ts'
import { testCredential } from './credentials/test-credential.ts'
import type { Operation, Registry } from './engine/define.ts'
import { selectable } from './engine/select.ts'
import { cancelExport } from './exports/cancel.ts'
import { createExport } from './exports/create.ts'
import { downloadExport } from './exports/download.ts'
import { getExport, listExports } from './exports/list.ts'
import { grantOperations, roleOperations } from './grants/kind.ts'
import { guardrailOperations } from './guardrails/kind.ts'
import { testGuardrail } from './guardrails/test-guardrail.ts'
import { bindingOperations, hostOperations } from './hosts/kind.ts'
import { listKeys } from './keys/list.ts'
import { rotateKeys } from './keys/rotate.ts'
import { kindOf } from './kinds.ts'
import { listMcpEndpoints } from './mcp-endpoints/list.ts'
import { metricsMethods, metricsStatusCodes } from './metrics/distributions.ts'
import { metricsErrorEndpoints, metricsTopEndpoints } from './metrics/endpoints.ts'
import { metricsOverTime } from './metrics/over-time.ts'
import { metricsOverview } from './metrics/overview.ts'
import { metricsTop } from './metrics/top.ts'
import { getAuthorization } from './origins/authorization.ts'
import { getCatalog } from './origins/catalog.ts'
import { originOperations } from './origins/kind.ts'
import { probeServer } from './origins/probe-server.ts'
import { refreshCatalog } from './origins/refresh-catalog.ts'
import { testOrigin } from './origins/test-origin.ts'
import { createPersonalToken } from './personal-tokens/create.ts'
import { getPersonalToken, listPersonalTokens } from './personal-tokens/list.ts'
import { revokePersonalToken } from './personal-tokens/revoke.ts'
import { policyOperations } from './policies/kind.ts'
import { getPolicyUsage } from './policies/usage.ts'
import { checkProfileAccess } from './profiles/access.ts'
import { profileOperations } from './profiles/kind.ts'
import { revokeProfile } from './profiles/revoke.ts'
import { rotateProfile } from './profiles/rotate.ts'
import { getProfileCredentialState } from './profiles/state.ts'
import { bulkUpdateProxies } from './proxies/bulk-update.ts'
import { duplicateProxy } from './proxies/duplicate.ts'
import { proxyOperations } from './proxies/kind.ts'
import { followRecords } from './records/follow.ts'
import { getRecord, listRecords } from './records/list.ts'
import { purgeRecords } from './records/purge.ts'
import { explainRequest } from './requests/explain.ts'
import { replayRequest } from './requests/replay.ts'
import { diffRevisions } from './revisions/diff.ts'
import { getRevision, listRevisions } from './revisions/list.ts'
import { rollbackRevision } from './revisions/rollback.ts'
import { issueSecret, serviceIdentityOperations, trustRuleOperations } from './service-identities/kind.ts'
import { connectManagementMcp } from './settings/connect.ts'
import { getSettings, listSettings } from './settings/list.ts'
import { updateSettings } from './settings/update.ts'
import { teamOperations } from './teams/kind.ts'
import { userOperations } from './users/kind.ts'
import { offboardUser, reachOfUser } from './users/reach.ts'
import { connectVirtualMcp } from './virtual-mcps/connect.ts'
import { listDrift, listDrifted } from './virtual-mcps/drift.ts'
import { virtualMcpOperations } from './virtual-mcps/kind.ts'
import { getTokenCost, previewVirtualMcp } from './virtual-mcps/preview.ts'
import { resolveDrift } from './virtual-mcps/resolve-drift.ts'
import { workflowOperations } from './workflows/kind.ts'
import { listNodes } from './workflows/nodes.ts'
import { getProxyWorkflow, updateProxyWorkflow } from './workflows/proxy-workflow.ts'
import { runWorkflowTests } from './workflows/run-tests.ts'
import { applyTemplate, expandTemplate, listTemplates } from './workflows/templates.ts'
import { testWorkflow } from './workflows/test.ts'
import { testNode } from './workflows/test-node.ts'
import { validateWorkflow } from './workflows/validate.ts'

/** Every operation there is, in the order in which people meet them. Every surface projects this list. */
export const OPERATIONS: readonly Operation[] = [
  collectionOperations.list,
  collectionOperations.get,
  getCollectionProxies,
  getCollectionHealth,
  collectionOperations.create,
  collectionOperations.update,
  collectionOperations.put,
  collectionOperations.delete,
  collectionOperations.publish,
  duplicateCollection,
  importCollection,
  exportOpenapi,
  reimportCollection,
  contractReport,
  enforceCollection,
  proxyOperations.list,
  proxyOperations.get,
  proxyOperations.create,
  proxyOperations.update,
  proxyOperations.put,
  proxyOperations.delete,
  proxyOperations.publish,
  duplicateProxy,
  bulkUpdateProxies,
  ...Object.values(workflowOperations),
  getProxyWorkflow,
  updateProxyWorkflow,
  validateWorkflow,
  testNode,
  testWorkflow,
  runWorkflowTests,
  startCapture,
  getCapture,
  listCaptures,
  cancelCapture,
  listNodes,
  listTemplates,
  expandTemplate,
  applyTemplate,
  policyOperations.list,
  policyOperations.get,
  getPolicyUsage,
  policyOperations.create,
  policyOperations.update,
  policyOperations.put,
  policyOperations.delete,
  policyOperations.toggle,
  ...Object.values(guardrailOperations),
  testGuardrail,
  clientOperations.list,
  clientOperations.get,
  clientOperations.create,
  clientOperations.update,
  clientOperations.put,
  clientOperations.delete,
  clientOperations.toggle,
  setAssignments,
  assignCollections,
  unassignCollections,
  listAccessRequests,
  getAccessRequest,
  createAccessRequest,
  approveAccessRequest,
  rejectAccessRequest,
  profileOperations.list,
  profileOperations.get,
  getProfileCredentialState,
  checkProfileAccess,
  profileOperations.create,
  profileOperations.update,
  profileOperations.put,
  profileOperations.delete,
  profileOperations.toggle,
  rotateProfile,
  revokeProfile,
  credentialOperations.list,
  credentialOperations.get,
  getCredentialState,
  listStaleCredentials,
  credentialOperations.create,
  credentialOperations.update,
  credentialOperations.put,
  credentialOperations.delete,
  testCredential,
  rotateCredential,
  revertCredential,
  originOperations.list,
  originOperations.get,
  getCatalog,
  getAuthorization,
  originOperations.create,
  originOperations.update,
  originOperations.put,
  originOperations.delete,
  originOperations.toggle,
  testOrigin,
  probeServer,
  refreshCatalog,
  ...Object.values(virtualMcpOperations),
  previewVirtualMcp,
  getTokenCost,
  listDrifted,
  connectVirtualMcp,
  listDrift,
  resolveDrift,
  ...Object.values(roleOperations),
  ...Object.values(userOperations),
  inviteUser,
  reachOfUser,
  offboardUser,
  ...Object.values(teamOperations),
  serviceIdentityOperations.list,
  serviceIdentityOperations.get,
  serviceIdentityOperations.create,
  serviceIdentityOperations.update,
  serviceIdentityOperations.put,
  serviceIdentityOperations.delete,
  issueSecret,
  serviceIdentityOperations.toggle,
  ...Object.values(grantOperations),
  ...Object.values(trustRuleOperations),
  ...Object.values(hostOperations),
  ...Object.values(bindingOperations),
  listMcpEndpoints,
  listRevisions,
  getRevision,
  diffRevisions,
  rollbackRevision,
  listSettings,
  connectManagementMcp,
  getSettings,
  updateSettings,
  listChangeRequests,
  getChangeRequest,
  diffChangeRequest,
  approveChangeRequest,
  rejectChangeRequest,
  listConnections,
  toggleConnection,
  disconnectConnection,
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
  metricsTop,
  listRecords,
  followRecords,
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

/** What the engine is given of them. */
export const REGISTRY: Registry = { operations: OPERATIONS, kindOf }
