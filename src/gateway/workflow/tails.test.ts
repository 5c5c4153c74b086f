import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { compilePlan } from '../../snapshot/compile/workflow.ts'
import { linkedPlan } from './linked.ts'

const HTTP = { id: 'http', type: 'http_trigger' }
const PASS = { status: '{{ $.call.status }}', headers: '{{ $.call.headers }}', body: '{{ $.call.body }}' }

/** What is found of a plan with one call and a response, and perhaps a node before. */
function found(call: object, response: object, before: object | null = null): string {
  const first = before === null ? [] : [{ id: 'before', type: 'set_node', inputs: before }]
  const plan = compilePlan(
    WorkflowDefinition.parse({
      nodes: [
        HTTP,
        ...first,
        { id: 'call', type: 'proxy_node', ...call },
        { id: 'other', type: 'response_node' },
        { id: 'ok', type: 'response_node', inputs: response },
      ],
      edges: [
        ...(before === null
          ? [{ from: 'http', to: 'call' }]
          : [
              { from: 'http', to: 'before' },
              { from: 'before', to: 'call' },
            ]),
        { from: 'call', handle: 'success', to: 'ok' },
      ],
    }),
  )
  assert.ok(plan !== null)
  const { needsBody, nodes } = linkedPlan(plan)
  return `${nodes.some(({ isTail }) => isTail) ? 'forwards' : 'answers'}, body ${needsBody ? 'read' : 'not read'}`
}

test('a call whose whole answer is the response is forwarded with its bodies unread', () => {
  assert.equal(found({}, PASS), 'forwards, body not read')
  assert.equal(found({ inputs: { path: '/v2{{ $.http.request.path }}' } }, PASS), 'forwards, body not read')
  assert.equal(
    found({ inputs: {} }, PASS, { tenant: '{{ $.http.request.headers["x-tenant"] }}' }),
    'forwards, body not read',
  )
})

test('any other call is answered by the run', () => {
  for (const call of [
    { inputs: { query: {} } },
    { inputs: { headers: {} } },
    { config: { method: 'GET' } },
    { timeout: '1s' },
    { retry: { max: 1 } },
    { on_error: 'fallback', fallback: {} },
  ])
    assert.equal(found(call, PASS), 'answers, body read', JSON.stringify(call))
  assert.equal(found({ inputs: { body: null } }, PASS), 'answers, body not read')
  const { body: _, ...partial } = PASS
  for (const response of [
    partial,
    { ...PASS, body: '{{ $.call.body.id }}' },
    { ...PASS, status: 200 },
    { ...PASS, problem: {} },
  ])
    assert.equal(found({}, response), 'answers, body read', JSON.stringify(response))
})

test('a body is read where an expression may look at it, in whatever way it names it', () => {
  for (const text of [
    '{{ $.http.request.body.a }}',
    '{{ $.http.request["body"] }}',
    '{{ $.http["request"].body }}',
    '{{ $.http.request }}',
    '{{ has($.http.request.body) }}',
    '{{ [1].map(x, http.request) }}',
    'a {{ $.http.request.body }}',
  ])
    assert.equal(found({}, PASS, { value: text }), 'forwards, body read', text)
  assert.equal(found({}, PASS, { value: ['{{ $.http.request.query.body }}'] }), 'forwards, body not read')
})
