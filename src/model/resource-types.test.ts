import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inWords, NOUNS, withArticle } from './resource-types.ts'

test('nouns are written as people read them, with their article', () => {
  assert.deepEqual(['virtual_mcps', 'service_identities'].map(inWords), [
    'virtual MCPs',
    'service identities',
  ])
  assert.deepEqual([NOUNS.origins, NOUNS.virtual_mcps, NOUNS.users].map(withArticle), [
    'an origin',
    'a virtual MCP',
    'a user',
  ])
})
