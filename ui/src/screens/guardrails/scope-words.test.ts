import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scopeWords } from './scope-words.ts'

test('the scope of a guardrail names its places', () => {
  const none = { everywhere: false, collections: [], proxies: [], virtual_mcps: [], origins: [] }
  assert.equal(scopeWords({ scope: { ...none, everywhere: true } }), 'everywhere')
  assert.equal(
    scopeWords({ scope: { ...none, collections: ['orders'], virtual_mcps: ['support-desk', 'shopping'] } }),
    'collection orders; virtual MCPs support-desk, shopping',
  )
})
