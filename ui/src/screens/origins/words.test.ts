import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authWords, countWords, usesOAuth } from './words.ts'

test('the settings of OAuth belong to the modes with an authorization server', () => {
  assert.deepEqual(['static', 'user_key', undefined].map(usesOAuth), [false, false, false])
  assert.deepEqual(['user_oauth', 'shared_oauth', 'token_exchange', 'id_jag'].map(usesOAuth), [
    true,
    true,
    true,
    true,
  ])
})

test('what is sent to an origin is told in words', () => {
  assert.deepEqual(
    [authWords('static', false), authWords('static', true)],
    ['None', 'A credential, for every call'],
  )
  assert.match(authWords('user_oauth', false), /each person connects/)
})

test('the items of a catalogue are counted by type', () => {
  const none = { tools: 0, prompts: 0, resources: 0, resource_templates: 0 }
  assert.equal(countWords(none), 'No items')
  assert.equal(countWords({ ...none, tools: 3, prompts: 1 }), '3 tools, 1 prompt')
})
