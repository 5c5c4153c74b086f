import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { compilePlan } from '../compile/workflow.ts'
import type { PlanFragment } from '../plan.ts'
import { linkNodeServers } from './own-route.ts'

/** A plan whose node asks this URL. */
function asking(url: string, config: object = {}): PlanFragment {
  return compilePlan(
    WorkflowDefinition.parse({
      nodes: [
        { id: 'http', type: 'http_trigger' },
        { id: 'ask', type: 'http_request_node', config: { url, ...config } },
        { id: 'end', type: 'response_node' },
      ],
      edges: [
        { from: 'http', to: 'ask' },
        { from: 'ask', handle: 'success', to: 'end' },
      ],
    }),
  )!
}
const serverOf = (plan: PlanFragment, before?: ReturnType<typeof linkNodeServers>) =>
  linkNodeServers(plan, 'wfl_1', before).get('ask')!

test('the server of a node is a route of its own, with the credential of the node and the path of its URL', () => {
  const { route, path, stem } = serverOf(asking('https://api.example.com:8443/v1/', { credential: 'crd_1' }))
  const [target] = route.upstream!.targets
  assert.deepEqual(
    [target?.url, path, stem, route.proxies[0]?.credential, route.attachment],
    ['https://api.example.com:8443', '/v1/', '/v1', 'crd_1', 'origin'],
  )
  assert.deepEqual([serverOf(asking('http://a')).path, serverOf(asking('http://a')).stem], ['/', ''])
})

test('what is known of a server lives on while its node asks it', () => {
  const first = linkNodeServers(asking('http://a.example.com/v1'), 'wfl_1')
  const { state, targets } = first.get('ask')!.route.upstream!
  const same = serverOf(asking('http://a.example.com/v2'), first).route.upstream!
  assert.equal(same.state, state)
  assert.equal(same.targets[0]?.state, targets[0]?.state)
  const other = serverOf(asking('http://b.example.com'), first).route.upstream!
  assert.notEqual(other.targets[0]?.state, targets[0]?.state)
})

test('a workflow whose nodes ask the upstream alone has no servers, and a refused address is not linked', () => {
  assert.equal(linkNodeServers({ nodes: [] }, 'wfl_1').size, 0)
  assert.equal(linkNodeServers(null, 'wfl_1').size, 0)
  assert.throws(() => linkNodeServers(asking('http://169.254.169.254/'), 'wfl_1'), RangeError)
})
