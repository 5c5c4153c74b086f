import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createAllowedOrigins,
  createChallenge,
  createOriginFor,
  createProtectedResources,
} from './origins.ts'

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

const OWN = ['https://api.example.com', 'http://127.0.0.1:8081']
const NEVER = [
  'null',
  '',
  '*',
  'https://evil.example',
  'https://api.example.com.evil.example',
  'https://api.example.com:444',
  'http://api.example.com',
  'http://localhost.evil.example',
  'http://127.0.0.1.evil.example',
  'http://evil.example@localhost',
  'http://localhost/evil',
  'file://localhost',
  'http://localhost, http://evil.example',
]

test('without a list pages of our own origins are allowed, and those of the loopback where that is said', () => {
  const open = createAllowedOrigins(OWN, null, true)
  const closed = createAllowedOrigins(OWN, null, false)
  for (const origin of [
    'https://api.example.com',
    'HTTPS://API.example.com',
    'http://localhost:8081',
    'http://[::1]:8081',
  ])
    assert.deepEqual([open(origin), closed(origin)], [true, true], origin)
  for (const origin of [
    'http://localhost:6274',
    'http://127.0.0.1',
    'https://[::1]:3000',
    'http://tool.localhost:1',
  ])
    assert.deepEqual([open(origin), closed(origin)], [true, false], origin)
  for (const origin of NEVER) assert.deepEqual([open(origin), closed(origin)], [false, false], origin)
})

test('a list stands in the place of the loopback, beside our own origins', () => {
  const allows = createAllowedOrigins(OWN, ['https://app.example.com'], true)
  for (const origin of ['https://app.example.com', 'https://api.example.com', 'http://localhost:8081'])
    assert.equal(allows(origin), true, origin)
  for (const origin of [
    'http://localhost:6274',
    'http://app.example.com',
    'https://x.app.example.com',
    ...NEVER,
  ])
    assert.equal(allows(origin), false, origin)
})

test('a resource is found by its path, its alias and any name of the loopback', () => {
  const { find, nameOf } = createProtectedResources(['http://localhost:8080'])
  for (const name of [
    'http://localhost:8080/management/mcp',
    'HTTP://LOCALHOST:8080/management/mcp/',
    'http://127.0.0.1:8080/api/v1/mcp',
    'http://[::1]:8080/management/mcp',
    'http://localhost:8080',
  ])
    assert.equal(find(name), 'mcp', name)
  assert.equal(find('http://localhost:8080/management/v1'), 'rest')
  assert.equal(nameOf('rest'), 'http://localhost:8080/management/v1')
})

test('a resource is known by every listed origin, and has one name', () => {
  const { find, nameOf, namesOf } = createProtectedResources(['https://gw.example', 'http://localhost:8081'])
  assert.equal(find('https://gw.example/management/mcp'), 'mcp')
  assert.equal(find('http://127.0.0.1:8081/management/mcp'), 'mcp')
  assert.equal(find('https://localhost:8081/management/mcp'), null)
  assert.equal(nameOf('mcp'), 'https://gw.example/management/mcp')
  assert.deepEqual(namesOf('rest'), [
    'https://gw.example/management/v1',
    'http://localhost:8081/management/v1',
  ])
})

test('each MCP endpoint of the gateway is a resource of its own', () => {
  const { find, nameOf } = createProtectedResources(['http://localhost:8080'])
  for (const path of ['/mcp', '/mcp/desk', '/mcp/-/acme/web'] as const) {
    assert.equal(find(`http://127.0.0.1:8080${path}/`), path)
    assert.equal(nameOf(path), `http://localhost:8080${path}`)
  }
})

test('what is of another origin, or has more than a path, is no resource', () => {
  const { find } = createProtectedResources(['https://gateway.example'])
  for (const name of [
    'https://gateway.example.evil/management/mcp',
    'http://gateway.example/management/mcp',
    'https://gateway.example:8443/management/mcp',
    'https://gateway.example/management/mcp?x=1',
    'https://gateway.example/management/mcp#x',
    'https://user@gateway.example/management/mcp',
    'https://gateway.example/mcp/Desk',
    'https://gateway.example/mcp/desk/tools',
    'https://gateway.example/mcp/-/acme',
    'https://gateway.example/mcp/%64esk',
    'https://gateway.example/orders',
    'http://127.0.0.1/management/mcp',
    'constructor',
    '',
  ])
    assert.equal(find(name), null, name)
})
