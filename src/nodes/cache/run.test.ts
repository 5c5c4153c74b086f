import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALONE, executed } from '../../../test/support/executed.ts'
import { type NodeContext, NodeFailure, type NodeResult } from '../run.ts'
import { cacheNode } from './definition.ts'
import { cacheRun } from './run.ts'

function startValues() {
  const kept = new Map<string, string>()
  const times: object[] = []
  const values: NodeContext['values'] = {
    get: (key) => {
      const json = kept.get(key)
      return json === undefined ? null : { json, isFresh: !key.startsWith('old') }
    },
    set: (key, json, until) => {
      times.push(until)
      kept.set(key, json)
      return true
    },
    delete: (key) => void kept.delete(key),
  }
  const run = (config: object, inputs: object): NodeResult =>
    executed(cacheRun, { ...config }, { ...inputs }, { ...ALONE, values })
  return { run, kept, times }
}

test('a value is read as it was kept, until it is deleted', () => {
  const { run, times } = startValues()
  const value = { list: [1, null, 'ü'], more: { deep: true } }
  assert.deepEqual(run({ op: 'get' }, { key: 'a' }), { handle: 'miss', outputs: { value: null } })
  assert.deepEqual(run({ op: 'set', ttl: '1m', keep_stale: '5s' }, { key: 'a', value }), {
    handle: 'default',
    outputs: { kept: true },
  })
  assert.deepEqual(times, [{ freshMs: 60_000, staleMs: 5000 }])
  assert.deepEqual(run({ op: 'get' }, { key: 'a' }), { handle: 'hit', outputs: { value } })
  assert.deepEqual(run({ op: 'delete' }, { key: 'a' }), { handle: 'default', outputs: {} })
  assert.equal(run({ op: 'get' }, { key: 'a' }).handle, 'miss')
})

test('a value that is not fresh is a miss unless the node allows it', () => {
  const { run } = startValues()
  run({ op: 'set', ttl: '1s' }, { key: 'old', value: 7 })
  assert.deepEqual(run({ op: 'get' }, { key: 'old' }), { handle: 'miss', outputs: { value: null } })
  assert.deepEqual(run({ op: 'get', allow_stale: true }, { key: 'old' }), {
    handle: 'stale',
    outputs: { value: 7 },
  })
})

test('keys and values of other forms fail, and nothing is kept', () => {
  const { run, kept } = startValues()
  const cases: readonly (readonly [object, string])[] = [
    ...[undefined, null, '', {}, ['a'], 'x'.repeat(1025)].map((key) => [{ key, value: 1 }, 'key'] as const),
    [{ key: 'a' }, 'value'],
    [{ key: 'a', value: 'x'.repeat(256 * 1024) }, 'value'],
    [{ key: 'a', value: { deep: [new Uint8Array(3)] } }, 'value'],
  ]
  for (const [inputs, kind] of cases)
    assert.throws(
      () => run({ op: 'set', ttl: '1s' }, inputs),
      (error) => error instanceof NodeFailure && error.kind === kind,
    )
  assert.equal(kept.size, 0)
})

test('each operation has settings of its own', () => {
  const takes = (config: object): boolean => cacheNode.config.safeParse(config).success
  assert.equal(takes({ op: 'set' }), false)
  assert.equal(takes({ op: 'get', ttl: '1s' }), false)
  assert.equal(takes({ op: 'delete', allow_stale: true }), false)
  assert.equal(takes({ op: 'clear' }), false)
})
