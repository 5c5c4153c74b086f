import assert from 'node:assert/strict'
import { test } from 'node:test'
import { amountsOf, sentenceOf } from './sentence.ts'

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
      'Only responses with status 200-299 count. It refuses nothing: it records what it would refuse.',
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
