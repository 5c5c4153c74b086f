import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  readResourceMetadata,
  readServerMetadata,
  resourceMetadataUrls,
  scopesIn,
  serverMetadataUrls,
  Unusable,
} from './metadata.ts'

const ISSUER = 'https://id.example'
const SERVER = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  code_challenge_methods_supported: ['plain', 'S256'],
}

test('metadata stands where RFC 9728 and RFC 8414 and OpenID Connect Discovery put it, in the order of MCP', () => {
  assert.deepEqual(resourceMetadataUrls('https://a.example/v1/mcp'), [
    'https://a.example/.well-known/oauth-protected-resource/v1/mcp',
    'https://a.example/.well-known/oauth-protected-resource',
  ])
  assert.deepEqual(resourceMetadataUrls('https://a.example/'), [
    'https://a.example/.well-known/oauth-protected-resource',
  ])
  assert.deepEqual(serverMetadataUrls('https://id.example/tenant/'), [
    'https://id.example/.well-known/oauth-authorization-server/tenant',
    'https://id.example/.well-known/openid-configuration/tenant',
    'https://id.example/tenant/.well-known/openid-configuration',
  ])
  assert.deepEqual(serverMetadataUrls('https://id.example'), [
    'https://id.example/.well-known/oauth-authorization-server',
    'https://id.example/.well-known/openid-configuration',
  ])
})

test('a resource is the origin, or a path above it on the same host', () => {
  const origin = 'https://a.example/v1/mcp'
  for (const resource of [origin, 'https://A.EXAMPLE/v1', 'https://a.example', 'https://a.example/v1/mcp/'])
    assert.equal(readResourceMetadata({ resource }, origin).resource, resource)
  for (const resource of [
    'https://a.example/v1/mc',
    'https://a.example/v1/mcp/deeper',
    'https://evil.example/v1/mcp',
    'http://a.example/v1/mcp',
    'https://a.example:8443/v1/mcp',
    'https://a.example/v1/mcp?tenant=1',
    'https://a.example/v1/mcp#x',
    'https://honest.example@a.example/v1/mcp',
    'https://@a.example/v1/mcp',
    'a.example',
    7,
    undefined,
  ])
    assert.throws(() => readResourceMetadata({ resource }, origin), Unusable, String(resource))
})

test('the issuer is the one that was asked for, byte for byte but for the slash of a bare host', () => {
  const read = (issuer: string, asked: string) => readServerMetadata({ ...SERVER, issuer }, asked).issuer
  assert.equal(read(ISSUER, ISSUER), ISSUER)
  assert.equal(read(`${ISSUER}/`, ISSUER), `${ISSUER}/`)
  for (const issuer of [
    'https://evil.example',
    'https://ID.example',
    'https://id.example:443',
    'https://id.example/a',
    'https://id.example?x',
    'http://id.example',
  ])
    assert.throws(() => read(issuer, ISSUER), Unusable, issuer)
  assert.throws(() => read('https://id.example/a/', 'https://id.example/a'), Unusable)
})

test('an issuer is a URL that shows its host alone before the path', () => {
  const read = (issuer: string) => readServerMetadata({ ...SERVER, issuer }, issuer).issuer
  for (const issuer of ['https://id.example/@tenant', 'https://id.example/a//b@c', 'http://127.0.0.1:1'])
    assert.equal(read(issuer), issuer)
  for (const issuer of [
    'https://honest.example@evil.example',
    'https://@evil.example',
    'https://evil.example/?https://honest.example',
    'https://evil.example#honest.example',
    'https://evil.example?',
    'blob:https://evil.example/x',
  ])
    assert.throws(() => read(issuer), /is no issuer/, issuer)
})

test('a server without S256, or with an endpoint that is missing or not https, is refused', () => {
  const wrong: readonly object[] = [
    { code_challenge_methods_supported: undefined },
    { code_challenge_methods_supported: ['plain'] },
    { authorization_endpoint: undefined },
    { token_endpoint: null },
    { token_endpoint: 'http://id.example/token' },
    { token_endpoint: 'http://127.0.0.1/token' },
    { authorization_endpoint: 'javascript:alert(1)' },
    { authorization_endpoint: 'https://user:pw@id.example/' },
    { registration_endpoint: 'ftp://id.example' },
    { revocation_endpoint: 'https://id.example/\u202e' },
  ]
  for (const change of wrong)
    assert.throws(
      () => readServerMetadata({ ...SERVER, ...change }, ISSUER),
      Unusable,
      JSON.stringify(change),
    )
})

test('scopes are scope tokens, each once', () => {
  assert.deepEqual(scopesIn('a b  a "c" d'), ['a', 'b', 'd'])
  assert.deepEqual(scopesIn(['a', 1, 'b c', 'é']), ['a'])
  assert.deepEqual(scopesIn({}), [])
})

const members = fc.constantFrom(
  ...Object.keys(SERVER),
  'resource',
  'authorization_servers',
  'scopes_supported',
  'registration_endpoint',
)
const value = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    ...Object.values(SERVER),
    ISSUER,
    'https://id.example/x',
    '//',
    'https://[',
    'http://127.0.0.1',
  ),
)

test('any document is read or refused with a sentence, and what is read leads to https alone', () => {
  fc.assert(
    fc.property(fc.dictionary(members, value), (document) => {
      const merged = { ...SERVER, ...document }
      try {
        const server = readServerMetadata(merged, ISSUER)
        for (const url of [server.authorizationEndpoint, server.tokenEndpoint, server.registrationEndpoint])
          assert.ok(url === null || url.startsWith('https://'))
      } catch (error) {
        assert.ok(error instanceof Unusable)
        assert.ok(error.message.length < 700)
      }
      try {
        const { servers } = readResourceMetadata({ resource: ISSUER, ...document }, `${ISSUER}/mcp`)
        assert.ok(servers.length <= 5 && servers.every((one) => URL.canParse(one)))
      } catch (error) {
        assert.ok(error instanceof Unusable)
      }
    }),
  )
})
