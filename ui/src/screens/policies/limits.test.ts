import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Field } from '../../schema/fields.ts'
import {
  amountsOf,
  byLimit,
  hintOfKind,
  limitFields,
  namesOf,
  newLimit,
  sentenceOf,
  titleOf,
} from './limits.ts'

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
  assert.equal(hintOfKind('For a rate: use a bucket', 'rate'), 'Use a bucket')
  assert.equal(hintOfKind('For a rate: use a bucket', 'quota'), 'For a rate: use a bucket')
  assert.equal(hintOfKind('For a calendar quota: time zone of its day', 'quota'), 'Time zone of its day')
  assert.equal(hintOfKind('For a concurrency limit: how long', 'concurrency'), 'How long')
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

test('a limit is read as a sentence that says how much, how long and for whom', () => {
  assert.equal(
    sentenceOf({ kind: 'rate', max: 1000, window: '1m' }),
    '1,000 requests in any minute, for each client or profile.',
  )
  assert.equal(
    sentenceOf({ kind: 'rate', max: 10, window: '5s', burst: 50, key: 'ip' }),
    '10 requests in each 5 seconds on average, up to 50 at once, for each IP address.',
  )
  assert.equal(
    sentenceOf({ kind: 'quota', max: 1, window: '30d', timezone: 'Europe/Berlin', key: 'global' }),
    '1 request in each month (Europe/Berlin), for all callers together.',
  )
  assert.equal(
    sentenceOf({ kind: 'quota', max: 20, window: '7d', rolling: true, key: 'claim:org' }),
    '20 requests in any 7 days, for each value of the claim org.',
  )
})

test('what is special about a limit follows in sentences of its own', () => {
  assert.equal(
    sentenceOf({ kind: 'concurrency', max: 5, wait: '500ms', cost: 2, count: ['200-299'], mode: 'observe' }),
    '5 requests at the same time, for each client or profile. Further requests wait up to 500 milliseconds. Each request counts as 2. ' +
      'Only responses with status 200-299 count. Observe mode: it refuses no requests. Records show the requests that it would refuse.',
  )
})

test('all limits of a policy stand in a line, the short forms among them', () => {
  const limits = [
    { name: 'minute', kind: 'rate', max: 6000, window: '1m' },
    { name: 'month', kind: 'quota', max: 5_000_000, window: '30d' },
  ]
  assert.equal(
    amountsOf({ limits, rate: null }),
    '6,000 requests in any minute; 5,000,000 requests in each month (UTC)',
  )
  assert.equal(amountsOf({ limits: [], quota: { max: 1, interval: '1d' } }), '1 request in each day (UTC)')
  assert.equal(amountsOf({ limits: [] }), '')
})

test('counters are gathered by limit, the fullest first, and those at zero stand apart', () => {
  const counter = (limit: string, id: string, used: number | null, refused = 0) => ({
    ...{ limit, id, used, refused },
    max: 10,
  })
  const groups = byLimit(
    [
      counter('month', 'a', 0),
      counter('minute', 'a', 2),
      counter('minute', 'b', 9),
      counter('minute', 'c', 0),
      counter('minute', 'd', 0, 4),
      counter('minute', 'e', null),
      counter('gone', 'a', 1),
    ],
    ['minute', 'month'],
  )
  assert.deepEqual(
    groups.map(({ limit, used, idle }) => [limit, used.map(({ id }) => id), idle.map(({ id }) => id)]),
    [
      ['minute', ['b', 'a', 'd', 'e'], ['c']],
      ['month', [], ['a']],
      ['gone', ['a'], []],
    ],
  )
})
