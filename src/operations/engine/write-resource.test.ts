import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '../../base/refusal.ts'
import { mergePatch } from './write-resource.ts'

test('objects are merged member by member, everything else is replaced', () => {
  const base = { a: { b: 1, c: [1, 2] }, auth: { type: 'basic', username: 'u' }, d: 1 }
  assert.deepEqual(mergePatch(base, { a: { c: [3] }, d: null }), { ...base, a: { b: 1, c: [3] }, d: null })
  assert.deepEqual(mergePatch(base, { auth: { username: 'v' } }), {
    ...base,
    auth: { type: 'basic', username: 'v' },
  })
  assert.deepEqual(mergePatch(base, { auth: { type: 'bearer', token: 't' } }), {
    ...base,
    auth: { type: 'bearer', token: 't' },
  })
})

test('a patch that is nested too deeply is refused, however deep the value is', () => {
  const nested = (depth: number): object => {
    let value: object = {}
    for (let i = 0; i < depth; i++) value = { a: value }
    return value
  }
  assert.deepEqual(mergePatch(nested(64), nested(64)), nested(64))
  for (const depth of [65, 100_000])
    assert.throws(
      () => mergePatch(nested(depth), nested(depth)),
      (error) => error instanceof Refusal && error.code === 'input_invalid',
    )
})
