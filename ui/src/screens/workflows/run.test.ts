import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CHECKED } from './checked-order.ts'
import { byNode, fieldErrors, worstOf } from './findings.ts'
import { isTaken, mocksFor, placeOf, runOfTrial, runWords, simulatedOf } from './run.ts'

const step = { within: null, type: 'x', attempts: 1, error: null }
const TRIED = {
  ...{ status: 200, code: null, reason: null, headers: {}, body: null, body_encoding: 'json', body_bytes: 4 },
  ...{ duration_ms: 30, request_id: null },
  nodes: [
    { node: 'http', within: null, source: 'run', handle: 'default', outputs: { request: {} }, error: null },
    { node: 'check', within: null, source: 'run', handle: 'valid', outputs: { errors: [] }, error: null },
    { node: 'call', within: null, source: 'mock', handle: 'success', outputs: { status: 200 }, error: null },
    { node: 'inner', within: 'each[1]', source: 'run', handle: 'default', outputs: {}, error: null },
  ],
  trace: {
    nodes: [
      { ...step, node: 'http', start_ms: 0, duration_ms: 0.2, handle: 'default' },
      { ...step, node: 'check', start_ms: 1, duration_ms: 9, handle: 'valid', attempts: 2 },
      { ...step, node: 'call', start_ms: 10, duration_ms: 10, handle: 'success' },
      { ...step, node: 'ok', start_ms: 20, duration_ms: 0, handle: null, error: 'expression' },
    ],
    ...{ logs: [], tokens: [], left_off: 0 },
  },
} as const satisfies Parameters<typeof runOfTrial>[0]

test('nodes that a trial simulated are named once, those of inner workflows and mocks are not', () => {
  const step = (node: string, source: 'simulated' | 'mock' | 'run', within: string | null = null) => ({
    ...{ node, source, within, handle: null, outputs: null, error: null },
  })
  const nodes = [
    step('fetch', 'simulated'),
    step('fetch', 'simulated'),
    step('inner', 'simulated', 'each[0]'),
    step('told', 'mock'),
    step('ok', 'run'),
  ]
  assert.deepEqual(simulatedOf({ nodes }), ['fetch'])
})

test('a run shows state, time, attempts and the edges that it took', () => {
  const run = runOfTrial(TRIED)
  assert.equal(runWords(run.nodes.get('check')!), 'ok, 9 ms, 2 attempts')
  assert.equal(runWords(run.nodes.get('call')!), 'mock, 10 ms')
  assert.equal(run.nodes.get('ok')!.state, 'bad')
  assert.ok(!run.nodes.has('inner'))
  assert.deepEqual(
    CHECKED.edges.map((edge) => isTaken(run, edge)),
    [true, true, false, true],
  )
  assert.deepEqual(placeOf(run.bars[2]!, run.bars), { left: 0.5, width: 0.5 })
})

test('mocks of nodes that are gone are left out', () => {
  assert.deepEqual(mocksFor({ call: {}, gone: {} }, CHECKED), { call: {} })
})

test('findings lie at their node and at its field', () => {
  const findings = [
    {
      code: 'bad_expression',
      severity: 'error',
      pointer: '/nodes/1/inputs/value',
      node_id: 'check',
      message: 'no',
    },
    { code: 'unknown_reference', severity: 'warning', pointer: '/edges/2/to', message: 'gone' },
    { code: 'missing_response', severity: 'error', pointer: '/nodes', message: 'none' },
  ] as const
  assert.deepEqual([...byNode(findings, CHECKED).keys()], ['check'])
  assert.equal(byNode(findings, CHECKED).get('check')!.length, 2)
  assert.deepEqual(fieldErrors(findings, CHECKED, 'check'), { '/inputs/value': 'no' })
  assert.equal(worstOf(findings), 'error')
  assert.equal(worstOf([]), null)
})
