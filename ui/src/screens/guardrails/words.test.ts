import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findingsOf, scopeWords } from './words.ts'

const hit = (changes: object = {}) => ({
  ...{ rule: 'gdr_1', detector: 'pii', leg: 'request', action: 'mask', observed: true, count: 2 },
  ...changes,
})

test('findings of a guardrail are summed by detector, leg and action, and a call counts once in each', () => {
  const records = [
    { guardrail_hits: [hit(), hit({ count: 1 }), hit({ leg: 'response' }), hit({ rule: 'gdr_2' })] },
    { guardrail_hits: [hit({ observed: false })] },
    { guardrail_hits: [hit()] },
    { guardrail_hits: null },
  ]
  assert.deepEqual(
    findingsOf(records, 'gdr_1').map(({ leg, observed, calls, values }) => [leg, observed, calls, values]),
    [
      ['request', true, 2, 5],
      ['response', true, 1, 2],
      ['request', false, 1, 2],
    ],
  )
  assert.deepEqual(findingsOf(records, 'gdr_3'), [])
})

test('the scope of a guardrail names its places', () => {
  const none = { everywhere: false, collections: [], proxies: [], virtual_mcps: [], origins: [] }
  assert.equal(scopeWords({ scope: { ...none, everywhere: true } }), 'everywhere')
  assert.equal(
    scopeWords({ scope: { ...none, collections: ['orders'], virtual_mcps: ['support-desk', 'shopping'] } }),
    'collection orders; virtual MCPs support-desk, shopping',
  )
})
