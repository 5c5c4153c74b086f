import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barsOf, phasesOf, placeOf } from './phases.ts'
import { type CallRecord, durationOf, endedOf, sentenceOf, settingLinksOf } from './sentence.ts'

/** A call that succeeded, as far as these modules read it. */
const CALL = {
  ...{ id: 'r1', surface: 'gateway', method: 'GET', path: '/orders/7', status: 200, code: null, check: null },
  ...{ client: 'cli_1', client_slug: 'shop', profile_slug: 'live', subject: null, reason: null, cache: null },
  ...{ nearest_limit: 'gold/minute', upstream_status: 200, upstream_ms: 9, gateway_ms: 3, duration_ms: 12 },
  ...{ aborted: false, count: 1, outcome_class: 'success', contract_code: null, guardrail_hits: null },
  ...{ mcp_method: null, tool: null, capability: null, upstream_target: 'http://up', workflow_trace: null },
}
const call = (members: object = {}) => ({ ...CALL, ...members }) as unknown as CallRecord

test('the sentence of a call says who called what, the answer, its time and the cause', () => {
  const expected: [object, string][] = [
    [{}, 'GET /orders/7 by client shop (profile live) was answered 200 in 12 ms.'],
    [
      { status: 429, check: 'limits', code: 'rate_limit_exceeded' },
      'GET /orders/7 by client shop (profile live) was answered 429 in 12 ms: limit minute of policy gold.',
    ],
    [
      {
        status: 401,
        check: 'authenticate',
        code: 'credential_invalid',
        reason: 'the token is expired',
        client_slug: null,
        client: null,
      },
      'GET /orders/7 without a known client was answered 401 in 12 ms: the token is expired.',
    ],
    [
      { status: 500, upstream_status: 500 },
      'GET /orders/7 by client shop (profile live) was answered 500 in 12 ms: the upstream answered 500.',
    ],
    [
      { aborted: true },
      'GET /orders/7 by client shop (profile live) ended after 12 ms because the caller disconnected.',
    ],
    [
      { cache: 'hit' },
      'GET /orders/7 by client shop (profile live) was answered 200 from the cache in 12 ms.',
    ],
    [
      { mcp_method: 'tools/call', capability: 'create_order', path: '/mcp/shop', surface: 'virtual_mcp' },
      'tools/call create_order at /mcp/shop by client shop (profile live) was answered 200 in 12 ms.',
    ],
    [
      {
        count: 1200,
        status: 401,
        client: null,
        client_slug: null,
        check: 'identify',
        code: 'identity_rejected',
      },
      '1,200 calls like GET /orders/7 without a known client were answered 401 in 12 ms: identity_rejected at the check identify.',
    ],
  ]
  for (const [members, sentence] of expected) assert.equal(sentenceOf(call(members)), sentence)
  assert.deepEqual([0.42, 12.4, 1234, 12_345].map(durationOf), ['0.4 ms', '12 ms', '1.2 s', '12 s'])
})

test('phases before the check that ended the call have passed, and those behind it were not reached', () => {
  const phases = phasesOf(call({ status: 429, check: 'limits', code: 'rate_limit_exceeded' }))
  const results = Object.fromEntries(phases.map(({ label, result }) => [label, result]))
  assert.equal(results['Authentication'], 'passed')
  assert.equal(results['Limits'], 'ended the call at the check limits: rate_limit_exceeded')
  assert.equal(results['Upstream'], 'not reached')
})

test('a call over MCP claims no phase that its record does not name', () => {
  assert.deepEqual(phasesOf(call({ surface: 'gateway_mcp' })), [])
  const stopped = phasesOf(call({ surface: 'gateway_mcp', check: 'limits', code: 'rate_limit_exceeded' }))
  assert.deepEqual(
    stopped.map(({ label }) => label),
    ['Limits'],
  )
})

test('bars have the times of the record: gateway, upstream and the nodes of a workflow', () => {
  const node = {
    node: 'ask',
    within: null,
    type: 'http_request_node',
    start_ms: 2,
    duration_ms: 6,
    handle: 'ok',
    attempts: 2,
    error: null,
  }
  const bars = barsOf(call({ workflow_trace: { nodes: [node], logs: [], tokens: [], left_off: 0 } }) as never)
  assert.deepEqual(
    bars.map(({ label, start, duration, detail }) => [label, start, duration, detail]),
    [
      ['Gateway', 0, 3, 'all checks'],
      ['Upstream', 3, 9, 'http://up'],
      ['ask', 2, 6, 'http_request_node, 2 attempts'],
    ],
  )
  assert.deepEqual(placeOf(bars[1]!, bars), { left: 0.25, width: 0.75 })
  assert.deepEqual(
    barsOf(call({ upstream_ms: null }) as never).map(({ label }) => label),
    ['Gateway'],
  )
})

test('a call ended at a check or at a node of its workflow, with the reason that is known', () => {
  assert.equal(endedOf(null, 'the upstream closed the connection'), null)
  assert.deepEqual(endedOf('limits', null), { at: 'the check limits', why: null })
  assert.deepEqual(endedOf('authenticate', 'expired'), { at: 'the check authenticate', why: 'expired' })
  assert.deepEqual(endedOf('workflow', 'node "ok": there is no member total'), {
    at: 'the node ok of the workflow',
    why: 'there is no member total',
  })
  assert.deepEqual(endedOf('workflow', 'time is up'), { at: 'the check workflow', why: 'time is up' })
})

const places = (setting: string) =>
  settingLinksOf(setting).map(({ resource, id, pointer }) =>
    resource === null ? null : `${resource}/${id}#${pointer}`,
  )

test('each setting of an explanation leads to the field of its resource', () => {
  assert.deepEqual(places('profiles/acme:live ip_allowlist'), ['profiles/acme:live#/ip_allowlist'])
  assert.deepEqual(places('clients/acme active, valid_until; profiles/acme:live active'), [
    'clients/acme#/active',
    'clients/acme#/valid_until',
    'profiles/acme:live#/active',
  ])
  assert.deepEqual(places('proxies/orders:report request_validation: enforce'), [
    'proxies/orders:report#/request_validation',
  ])
})

test('a policy leads to its limits, and a resource without a field to itself', () => {
  assert.deepEqual(places('policies/gold of the client; credentials/crd_1'), [
    'policies/gold#/limits',
    'credentials/crd_1#',
  ])
})

test('text that names no resource has no link', () => {
  assert.deepEqual(places('the process'), [null])
})
