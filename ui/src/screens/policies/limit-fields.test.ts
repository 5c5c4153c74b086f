import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Field } from '../../schema/fields.ts'
import { hintOfKind, limitFields, namesOf, newLimit, titleOf } from './limit-fields.ts'

const NAMES = ['name', 'kind', 'max', 'window', 'burst', 'rolling', 'timezone', 'wait', 'key', 'count']
const FIELDS = NAMES.map((name) => ({ kind: 'text', name, description: '' }) as unknown as Field)
const shown = (limit: Record<string, string | number>, faulty: readonly string[] = []) => {
  const { first, more } = limitFields(FIELDS, limit, (name) => faulty.includes(name))
  return [first.map(({ name }) => name).join(' '), more.map(({ name }) => name).join(' ')]
}

test('a limit shows what its kind takes', () => {
  assert.deepEqual(shown({ kind: 'rate' }), ['name kind max window', 'burst key count'])
  assert.deepEqual(shown({ kind: 'quota' }), ['name kind max window', 'rolling timezone key count'])
  assert.deepEqual(shown({ kind: 'concurrency' }), ['name kind max', 'wait key'])
})

test('what is set or refused is shown for every kind, and without a kind everything is', () => {
  assert.deepEqual(shown({ kind: 'concurrency', window: '1m', burst: 4 }), [
    'name kind max window',
    'burst wait key',
  ])
  assert.deepEqual(shown({ kind: 'rate' }, ['wait']), ['name kind max window', 'burst wait key count'])
  assert.deepEqual(shown({}), [NAMES.slice(0, 4).join(' '), NAMES.slice(4).join(' ')])
})

test('a hint says what holds for the kind', () => {
  const window = 'rate: 1s to 24h; quota: 1d (day), with rolling 1h to 30d; concurrency: none'
  assert.equal(hintOfKind(window, 'rate'), '1s to 24h')
  assert.equal(hintOfKind(window, 'quota'), '1d (day), with rolling 1h to 30d')
  assert.equal(hintOfKind('Of a rate: count by a bucket', 'rate'), 'Count by a bucket')
  assert.equal(hintOfKind('Of a rate: count by a bucket', 'quota'), 'Of a rate: count by a bucket')
  assert.equal(hintOfKind('Of a calendar quota: where its day begins', 'quota'), 'Where its day begins')
  assert.equal(hintOfKind('Of a concurrency limit: how long', 'concurrency'), 'How long')
  assert.equal(hintOfKind('observe: counts; refuses nothing', 'rate'), 'observe: counts; refuses nothing')
})

test('a new limit has a name that no other limit of the policy has', () => {
  assert.deepEqual(newLimit('rate', []), { name: 'rate', kind: 'rate' })
  assert.equal(newLimit('rate', namesOf({ limits: [{ name: 'rate-2' }, {}], rate: {} }))['name'], 'rate-3')
  assert.deepEqual(namesOf({ rate: null, quota: { max: 1 } }), ['quota'])
})

test('a limit is titled by its kind', () => {
  assert.deepEqual(
    ['rate', 'quota', 'concurrency', ''].map((kind) => titleOf({ kind })),
    ['Rate limit', 'Quota', 'Concurrency limit', 'Limit'],
  )
})
