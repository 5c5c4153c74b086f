import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createChallenge, createOriginFor } from './challenge.ts'

test('each listed origin is named to whoever came by it, and the first to all others', () => {
  const originFor = createOriginFor([
    'https://gw.example',
    'https://admin.internal:8443',
    'http://localhost:8081',
  ])
  assert.equal(originFor('gw.example'), 'https://gw.example')
  assert.equal(originFor('ADMIN.internal:8443'), 'https://admin.internal:8443')
  assert.equal(originFor('127.0.0.1:8081'), 'http://127.0.0.1:8081')
  for (const host of ['admin.internal', 'evil.example', 'localhost:8080', '', null])
    assert.equal(originFor(host), 'https://gw.example', String(host))
})

test('a caller by another loopback name is answered with its own, and nobody else', () => {
  const local = createChallenge(['http://localhost:8080'], '/mcp', 'mcp:tools')
  const named = (origin: string): string =>
    `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp", scope="mcp:tools"`
  assert.equal(local('localhost:8080', 'credentials_missing'), named('http://localhost:8080'))
  assert.equal(local('127.0.0.1:8080', 'credentials_missing'), named('http://127.0.0.1:8080'))
  assert.equal(local('[::1]:8080', 'credentials_missing'), named('http://[::1]:8080'))
  for (const host of ['127.0.0.1:9', 'evil.example', 'localhost:8080.evil.example', '', '127.0.0.1:8080"'])
    assert.equal(local(host, 'credentials_missing'), named('http://localhost:8080'), host)
  const open = createChallenge(['https://api.example'], '/management/mcp', null)
  assert.equal(
    open('localhost', 'credential_expired'),
    'Bearer resource_metadata="https://api.example/.well-known/oauth-protected-resource/management/mcp", error="invalid_token"',
  )
})

test('the challenge of a token that is too narrow describes the error in the characters that RFC 6750 allows', () => {
  const challenge = createChallenge(['https://api.example'], '/mcp', 'mcp:tools')
  const named = challenge(
    'api.example',
    'insufficient_scope',
    'management:write',
    'Needs "x\\y"\r\n für alle.',
  )
  assert.match(named, /scope="management:write", error="insufficient_scope", error_description="([^"]*)"$/)
  assert.match(named, /error_description="Needs 'x'y''' f'r alle\."$/)
})
