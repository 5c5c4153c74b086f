import assert from 'node:assert/strict'
import { test } from 'node:test'
import { curlWith, isCallToken, mcpWith } from './token-use.ts'

test('tokens of clients, profiles and bindings call the gateway, other secrets do not', () => {
  assert.equal(isCallToken('clients', 'profiles[0].token'), true)
  assert.equal(isCallToken('profiles', 'token'), true)
  assert.equal(isCallToken('clients', 'profiles[0].signing_secret'), false)
  assert.equal(isCallToken('personal_tokens', 'token'), false)
})

test('the snippets work as they are copied: the token stands in them', () => {
  assert.equal(
    curlWith('pst_pk_1', 'http://127.0.0.1:8080/orders'),
    'TOKEN=pst_pk_1\ncurl http://127.0.0.1:8080/orders -H "Authorization: Bearer $TOKEN"',
  )
  assert.deepEqual(JSON.parse(mcpWith('pst_pk_1', 'postern', 'http://127.0.0.1:8080/mcp')), {
    mcpServers: {
      postern: {
        type: 'http',
        url: 'http://127.0.0.1:8080/mcp',
        headers: { Authorization: 'Bearer pst_pk_1' },
      },
    },
  })
})
