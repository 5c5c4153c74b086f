import { inviteUser } from './access/local-users.ts'
import { whoami } from './access/whoami.ts'
import {
  approveAccessRequest,
  createAccessRequest,
  getAccessRequest,
  listAccessRequests,
  rejectAccessRequest,
} from './access-requests/requests.ts'
import { getAudit, listAudit, verifyAudit } from './audit/audit.ts'
import { cancelCapture, getCapture, listCaptures, startCapture } from './captures/captures.ts'
import {
  approveChangeRequest,
  diffChangeRequest,
  getChangeRequest,
  listChangeRequests,
  rejectChangeRequest,
} from './change-requests/change-requests.ts'
import { assignCollections, clientOperations, setAssignments, unassignCollections } from './clients/kind.ts'
import { contractReport, enforceCollection } from './collections/contract-report.ts'
import { importCollection } from './collections/import.ts'
import {
  collectionOperations,
  duplicateCollection,
  exportOpenapi,
  getCollectionHealth,
  getCollectionProxies,
} from './collections/kind.ts'
import { reimportCollection } from './collections/reimport.ts'
import { applyConfig, diffConfig, planConfig } from './config/apply.ts'
import { convertConfig } from './config/convert.ts'
import { exportConfig } from './config/export.ts'
import { importKeys } from './config/import-keys.ts'
import { disconnectConnection, listConnections, toggleConnection } from './connections/connections.ts'
import { credentialOperations } from './credentials/kind.ts'
import {
  getCredentialState,
  listStaleCredentials,
  revertCredential,
  rotateCredential,
} from './credentials/rotate.ts'
import { testCredential } from './credentials/test-credential.ts'
import type { Operation, Registry } from './engine/define.ts'
import { selectable } from './engine/select.ts'
import { cancelExport, createExport, downloadExport, getExport, listExports } from './exports/exports.ts'
import { grantOperations, roleOperations } from './grants/kind.ts'
import { guardrailOperations } from './guardrails/kind.ts'
import { testGuardrail } from './guardrails/test-guardrail.ts'
import { bindingOperations, hostOperations } from './hosts/kind.ts'
import { listKeys, rotateKeys } from './keys/keys.ts'
import { KIND_OPERATIONS, kindOf } from './kinds.ts'
import { listMcpEndpoints } from './mcp-endpoints/list.ts'
import {
  metricsErrorEndpoints,
  metricsMethods,
  metricsOverTime,
  metricsOverview,
  metricsStatusCodes,
  metricsTop,
  metricsTopEndpoints,
} from './metrics/metrics.ts'
import { drainProcess, getProcess, listProcesses, removeProcess } from './nodes/nodes.ts'
import { getAuthorization } from './origins/authorization.ts'
import { getCatalog, refreshCatalog } from './origins/catalog.ts'
import { originOperations } from './origins/kind.ts'
import { probeServer } from './origins/probe-server.ts'
import { testOrigin } from './origins/test-origin.ts'
import {
  createPersonalToken,
  getPersonalToken,
  listPersonalTokens,
  revokePersonalToken,
} from './personal-tokens/personal-tokens.ts'
import { policyOperations } from './policies/kind.ts'
import { explainLimits, getPolicyUsage } from './policies/usage.ts'
import { checkProfileAccess } from './profiles/access.ts'
import { getProfileCredentialState, revokeProfile, rotateProfile } from './profiles/credentials.ts'
import { importProfileToken } from './profiles/import.ts'
import { profileOperations } from './profiles/kind.ts'
import { bulkUpdateProxies } from './proxies/bulk-update.ts'
import { duplicateProxy, proxyOperations } from './proxies/kind.ts'
import { followRecords, getRecord, listRecords, purgeRecords } from './records/records.ts'
import { explainRequest } from './requests/explain.ts'
import { replayRequest } from './requests/replay.ts'
import { diffRevisions, getRevision, listRevisions } from './revisions/revisions.ts'
import { rollbackRevision } from './revisions/rollback.ts'
import { issueSecret, serviceIdentityOperations, trustRuleOperations } from './service-identities/kind.ts'
import { connectManagementMcp, getSettings, listSettings, updateSettings } from './settings/settings.ts'
import { replaySink, testSink } from './sinks/deliver.ts'
import { sinkOperations } from './sinks/kind.ts'
import { teamOperations } from './teams/kind.ts'
import { userOperations } from './users/kind.ts'
import { offboardUser, reachOfUser } from './users/reach.ts'
import { listDrift, listDrifted, resolveDrift } from './virtual-mcps/drift.ts'
import { connectVirtualMcp, virtualMcpOperations } from './virtual-mcps/kind.ts'
import { getTokenCost, previewVirtualMcp } from './virtual-mcps/preview.ts'
import { workflowOperations } from './workflows/kind.ts'
import { getProxyWorkflow, updateProxyWorkflow } from './workflows/proxy-workflow.ts'
import { applyTemplate, expandTemplate, listNodes, listTemplates } from './workflows/templates.ts'
import { runWorkflowTests, testWorkflow } from './workflows/test.ts'
import { testNode } from './workflows/test-node.ts'
import { validateWorkflow } from './workflows/validate.ts'

/** Operations in the order in which people meet them. */
const IN_ORDER: readonly Operation[] = [
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
  explainLimits,
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
  importProfileToken,
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
  ...Object.values(sinkOperations),
  testSink,
  replaySink,
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
  importKeys,
  listKeys,
  rotateKeys,
  listProcesses,
  getProcess,
  drainProcess,
  removeProcess,
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
]

/**
 * Every operation there is. Every surface projects this list. Operations that are declared beside a kind and have no place in
 * {@link IN_ORDER} come last.
 */
export const OPERATIONS: readonly Operation[] = [...new Set([...IN_ORDER, ...KIND_OPERATIONS])].map(
  selectable,
)

/** What the engine is given of them. */
export const REGISTRY: Registry = { operations: OPERATIONS, kindOf }
