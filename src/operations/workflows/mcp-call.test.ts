/** Who may have an origin called by a workflow, and what keeps it from being deleted. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import type { Grant, Permission } from '../../access/principal.ts'

let control: Control
before(async () => {
  control = await startControl()
  await example(control)
  const url = 'http://127.0.0.1:9002/mcp'
  await control.run('origins.create', { name: 'Desk', slug: 'desk', url, probe: false })
})
after(() => control.close())

const CALLING = {
  nodes: [
    { id: 'http', type: 'http_trigger' },
    { id: 'call', type: 'mcp_call_node', config: { origin: 'desk', tool: 'add' } },
    { id: 'end', type: 'response_node' },
  ],
  edges: [
    { from: 'http', to: 'call' },
    { from: 'call', handle: 'success', to: 'end' },
  ],
}
const holding = (...permissions: Permission[]): Grant[] => [{ role: { permissions: new Set(permissions) } }]
const FLOWS = ['workflows:read', 'workflows:create', 'workflows:update'] as const

test('a workflow, a proxy and a virtual MCP refer to another origin only with origins:read for it', async () => {
  const made = (name: string, grants: Grant[]) =>
    control.run('workflows.create', { name, definition: CALLING }, { grants })
  const refusal = await refused(made('Sly', holding(...FLOWS)), 'permission_denied')
  assert.match(refusal.message, /origins:read/)
  await made('Open', holding(...FLOWS, 'origins:read'))
  // Who may not name it is not told that it is there
  const scope = { types: ['workflows'], verbs: [], collections: [], tags: [] } as const
  await refused(made('Narrow', [{ role: 'modifier', scope }]), 'input_invalid')
  // What refers to it already may be changed
  const own = { id: 'open', name: 'Opened' }
  await control.run('workflows.update', own, { grants: holding(...FLOWS) })
  await refused(
    control.run(
      'proxies.set_workflow',
      { id: 'get-order', definition: CALLING },
      { grants: holding('proxies:read', 'proxies:update') },
    ),
    'permission_denied',
  )
  const desk = { name: 'Desk', members: [{ origin: 'desk' }] }
  await refused(
    control.run('virtual_mcps.create', desk, { grants: holding('virtual_mcps:read', 'virtual_mcps:create') }),
    'permission_denied',
  )
})

test('an origin without a catalogue is judged by nothing, and is kept while a workflow refers to it', async () => {
  const { output } = await control.run('workflows.validate', { definition: CALLING })
  assert.deepEqual(output, {
    valid: true,
    nodes: 3,
    findings: [],
    handles: { http: ['default'], call: ['success', 'error'], end: [] },
  })
  await control.run('proxies.set_workflow', { id: 'get-order', definition: CALLING })
  const refusal = await refused(control.run('origins.delete', { id: 'desk' }, { confirm: 'desk' }), 'in_use')
  assert.match(refusal.message, /proxies\/get-order/)
  assert.match(refusal.message, /workflows\/open/)
})
