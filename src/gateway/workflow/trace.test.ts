import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readWorkflowTrace } from '../../record/search.ts'
import { entryHead, RunSteps, RunTrace } from './trace.ts'

/** A trace whose time is moved by hand. */
function traced() {
  const time = { ms: 5000 }
  const trace = new RunTrace(() => time.ms)
  return { time, trace, read: () => readWorkflowTrace(trace.close(null))! }
}
const heads = (...ids: string[]) => ids.map((id) => ({ head: entryHead(id, 'set_node') }))

test('entries have start and duration of their nodes, in the order of their starts', () => {
  const { time, trace, read } = traced()
  const steps = new RunSteps(trace, heads('a', 'b', 'c'), '')
  steps.started(0, 1)
  time.ms += 1.5
  steps.started(1, 1)
  time.ms += 2
  steps.ended(1, 'true', '')
  steps.started(0, 2)
  steps.ended(0, 'error', 'timeout')
  steps.started(2, 1)
  time.ms += 1
  steps.closed()
  const entry = (node: string, start_ms: number, duration_ms: number, more: object) => ({
    node,
    within: null,
    type: 'set_node',
    start_ms,
    duration_ms,
    attempts: 1,
    error: null,
    ...more,
  })
  assert.deepEqual(read(), {
    nodes: [
      entry('a', 0, 3.5, { handle: 'error', attempts: 2, error: 'timeout' }),
      entry('b', 1.5, 2, { handle: 'true' }),
      entry('c', 3.5, 1, { handle: null, error: 'unfinished' }),
    ],
    logs: [],
    tokens: [],
    left_off: 0,
  })
})

test('a node in whose place the request goes on ends with the request, by its success or its refusal', () => {
  for (const code of [null, 'upstream_timeout'] as const) {
    const { time, trace } = traced()
    const steps = new RunSteps(trace, heads('call'), '')
    steps.started(0, 1)
    steps.forwarded(0)
    steps.closed()
    time.ms += 7
    const { nodes } = readWorkflowTrace(trace.close(code))!
    assert.deepEqual(
      nodes.map(({ duration_ms, handle, error }) => [duration_ms, handle, error]),
      [code === null ? [7, 'success', null] : [7, null, 'upstream_timeout']],
    )
  }
})

test('of inner runs 50 entries are kept and all failures, and the rest is counted', () => {
  const { trace, read } = traced()
  for (let item = 0; item < 60; item++) {
    const steps = new RunSteps(trace, heads('a', 'b'), `each[${item}]`)
    steps.started(0, 1)
    steps.ended(0, 'default', '')
    steps.started(1, 1)
    steps.ended(1, '', item === 59 ? 'expression' : '')
  }
  const { nodes, left_off } = read()
  assert.equal(nodes.length, 51)
  assert.equal(left_off, 69)
  assert.deepEqual(nodes.at(-1)?.within, 'each[59]')
})

test('messages lose secrets in text, names and values, and are bounded', () => {
  const { trace, read } = traced()
  const token = 'pst_pk_abcdefgh12345678_secret_abc'
  trace.log('a', '', 'warn', `called with ${token}`, { password: 'hunter2', list: [{ note: `of ${token}` }] })
  trace.log('a', 'each[0]', 'info', 'x'.repeat(5000), { long: 'y'.repeat(3000) })
  for (let more = 0; more < 30; more++) trace.log('a', '', 'debug', 'm', {})
  const { logs, left_off } = read()
  assert.deepEqual(logs[0], {
    node: 'a',
    within: null,
    time_ms: 0,
    level: 'warn',
    message: 'called with [secret]',
    fields: { password: '[secret]', list: [{ note: 'of [secret]' }] },
  })
  assert.deepEqual([logs[1]?.message.length, logs[1]?.fields, logs[1]?.within], [500, null, 'each[0]'])
  assert.deepEqual([logs.length, left_off], [20, 12])
})

test('no part of a secret is left at the end of a long message', () => {
  const secret = 'Zx9'.repeat(40)
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2100 }), fc.integer({ min: 0, max: 60 }), (at, before) => {
      const { trace, read } = traced()
      const masked = `token=${'k7'.repeat(20)} `.repeat(before)
      trace.log('a', '', 'info', `${masked}${'-'.repeat(at)} Bearer ${secret} ${'.'.repeat(3000)}`, {})
      assert.doesNotMatch(read().logs[0]!.message, /Zx9|k7/)
    }),
  )
})

test('whatever nodes do, a trace can be read and is short enough for a record', () => {
  const word = fc.string({ unit: 'binary', maxLength: 300 })
  const step = fc.record({
    place: fc.integer({ min: 0, max: 2 }),
    within: fc.constantFrom('', 'each[1]'),
    error: word,
    message: word,
    fields: fc.dictionary(word, fc.jsonValue()),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (done) => {
      const { trace } = traced()
      for (const { place, within, error, message, fields } of done) {
        const steps = new RunSteps(trace, heads('a', 'b', 'c'), within)
        steps.started(place, 1)
        steps.ended(place, 'default', error)
        trace.log('a', within, 'info', message, fields)
      }
      const text = trace.close(null)
      const read = readWorkflowTrace(text)
      assert.ok(text.length < 40_000, String(text.length))
      if (read === null) assert.equal(done.length, 0)
      else assert.equal(read.nodes.length + read.logs.length + read.left_off, 2 * done.length)
    }),
    { numRuns: 50 },
  )
})

test('tokens are summed up by node, over the runs of inner workflows, and stand in a full trace too', () => {
  const { trace, read } = traced()
  const used = { model: 'small', prompt_tokens: 3, completion_tokens: 2 }
  trace.countTokens('ask', '', used)
  for (let run = 0; run < 200; run++) {
    trace.countTokens('ask', `each[${run}]/sub[0]`, { ...used, completion_tokens: null })
    for (let n = 0; n < 10; n++)
      trace.add(entryHead('a', 'set_node'), 0, 'default', 1, 'k'.repeat(60), `each[${run}]`)
  }
  const { tokens, left_off } = read()
  assert.deepEqual(tokens, [
    { node: 'ask', within: null, model: 'small', calls: 1, prompt_tokens: 3, completion_tokens: 2 },
    { node: 'ask', within: 'each/sub', model: 'small', calls: 200, prompt_tokens: 600, completion_tokens: 0 },
  ])
  assert.ok(left_off > 0)
  assert.equal(read().tokens.length, 2, 'also if it is read once more')
})

test('a trace is bounded whatever is counted', () => {
  const { trace } = traced()
  for (let n = 0; n < 5000; n++)
    trace.countTokens(`node_${n}`, '', { model: 'm'.repeat(128), prompt_tokens: 1e8, completion_tokens: 1e8 })
  assert.ok(trace.close(null).length < 41 * 1024)
})
