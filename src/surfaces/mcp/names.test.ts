import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPERATIONS } from '../../operations/registry.ts'
import { toTools } from './tools.ts'

/** The tools that assistants know gateways by, in their groups. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  manage_collections: [
    'list_collections',
    'get_collection',
    'get_collection_proxies',
    'create_collection',
    'update_collection',
    'delete_collection',
    'toggle_collection_status',
  ],
  manage_proxies: ['list_proxies', 'get_proxy', 'create_proxy', 'update_proxy', 'delete_proxy'],
  manage_workflows: [
    'list_nodes',
    'list_templates',
    'get_proxy_workflow',
    'validate_workflow',
    'update_proxy_workflow',
    'test_node',
    'test_workflow',
    'start_trigger_capture',
    'get_trigger_capture',
  ],
  manage_policies: [
    'list_policies',
    'get_policy',
    'create_policy',
    'update_policy',
    'toggle_policy',
    'delete_policy',
  ],
  manage_clients: [
    'list_clients',
    'get_client',
    'create_client',
    'update_client',
    'toggle_client',
    'delete_client',
  ],
  manage_profiles: [
    'list_profiles',
    'get_profile',
    'get_profile_credential_state',
    'create_profile',
    'update_profile',
    'toggle_profile',
    'delete_profile',
    'rotate_profile_credentials',
  ],
  manage_credentials: [
    'list_credentials',
    'get_credential',
    'create_credential',
    'update_credential',
    'delete_credential',
  ],
  query_audit: ['list_audit_logs', 'get_audit_log'],
  query_metrics: [
    'metrics_overview',
    'metrics_status_codes',
    'metrics_methods',
    'metrics_top_endpoints',
    'metrics_error_endpoints',
    'metrics_over_time',
  ],
  query_logs: ['query_request_logs', 'get_request_log', 'delete_request_logs'],
}

test('the tools that are known by name are there by that name, in both views', () => {
  assert.equal(Object.values(KNOWN).flat().length, 57)
  const tools = toTools(OPERATIONS)
  for (const [group, names] of Object.entries(KNOWN))
    for (const name of names) {
      const single = tools.full.find((tool) => tool.name === name)
      const grouped = tools.grouped.find((tool) => tool.name === group)?.actions.get(name)
      assert.equal(single?.operations[0]?.tool, name, `${name} as a tool of its own`)
      assert.equal(grouped?.tool, name, `${name} in ${group}`)
    }
})
