import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { connectedOrigin } from '../../../test/support/federation.ts'
import { json, ScriptedServer } from '../../../test/support/scripted-as.ts'
import { type ClockCell, createClock, createClockCell, moveClock } from '../../base/clock.ts'
import { createEgress } from '../../base/net/egress.ts'
import { createGuardedFetch, FetchFailure } from '../../base/net/guarded-fetch.ts'
import { createDiscovery } from './discovery.ts'
import { Unusable } from './metadata.ts'

let server: ScriptedServer
let cell: ClockCell
beforeEach(async () => {
  server = await new ScriptedServer().listen()
  cell = createClockCell()
})
afterEach(() => server[Symbol.asyncDispose]())

function discovery(allow: string[] = [], timeoutMs = 20_000) {
  const egress = createEgress({ allow, control: null, sockets: null })
  const fetch = createGuardedFetch(egress, { timeoutMs, bytesMax: 10_000 })
  return createDiscovery({ fetch, clock: createClock(cell) })
}
const any = () => null
const find = (oauth: object = {}, allow: string[] = [], url = server.mcp) =>
  discovery(allow).find(connectedOrigin(url, { oauth }), any)

/** Answers a path with JSON. */
const serve = (path: string, value: (url: string) => unknown) =>
  server.acts.set(path, (_, outgoing) => json(outgoing, 200, value(server.url)))
const redirect = (path: string, to: string) =>
  server.acts.set(path, (_, outgoing) => outgoing.writeHead(302, { location: to }).end())
const gone = (path: string) => server.acts.set(path, (_, outgoing) => json(outgoing, 404, {}))

async function fails(asked: Promise<unknown>, reason: RegExp): Promise<void> {
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof Unusable || error instanceof FetchFailure, String(error))
    assert.match(error.message, reason)
    return true
  })
}

test('an origin names its metadata and scopes in the challenge, and its metadata the authorization server', async () => {
  server.challenge = (url) => `Bearer resource_metadata="${url}/elsewhere", scope="calls:make"`
  serve('/elsewhere', (url) => ({ resource: `${url}/mcp`, authorization_servers: [url] }))
  const found = await find()
  assert.equal(found.resource, server.mcp)
  assert.equal(found.server.tokenEndpoint, `${server.url}/token`)
  assert.deepEqual(found.scopes, ['calls:make'])
  assert.equal(server.times('/.well-known/oauth-protected-resource/mcp'), 0)
})

test('without a challenge that names it, metadata is found with the path of the origin, then at the root', async () => {
  server.challenge = null
  assert.deepEqual((await find()).scopes, ['read', 'write'])
  gone('/.well-known/oauth-protected-resource/mcp')
  serve('/.well-known/oauth-protected-resource', (url) => ({ resource: url, authorization_servers: [url] }))
  assert.equal((await find()).resource, server.url)
})

test('the URL of the metadata can be set, and counts before the challenge', async () => {
  serve('/own', (url) => ({
    resource: `${url}/mcp`,
    authorization_servers: [url],
    scopes_supported: ['own'],
  }))
  assert.deepEqual((await find({ resource_metadata_url: `${server.url}/own` })).scopes, ['own'])
  await fails(find({ resource_metadata_url: `${server.url}/none` }), /\/none: cannot be read/)
})

test('metadata of an issuer with a path is found in all three places', async () => {
  const issuer = () => `${server.url}/tenant`
  server.resourceMetadata = { authorization_servers: [issuer()] }
  for (const path of [
    '/tenant/.well-known/openid-configuration',
    '/.well-known/openid-configuration/tenant',
    '/.well-known/oauth-authorization-server/tenant',
  ]) {
    serve(path, () => ({ ...server.metadata(), issuer: issuer() }))
    assert.equal((await find()).server.issuer, issuer())
  }
  assert.equal(server.times('/tenant/.well-known/openid-configuration'), 1)
})

test('an origin of 2025-03-26 is its own authorization server, with or without metadata', async () => {
  server.challenge = () => 'Bearer'
  gone('/.well-known/oauth-protected-resource/mcp')
  serve('/.well-known/oauth-authorization-server', () => ({
    ...server.metadata(),
    token_endpoint: `${server.url}/other/token`,
  }))
  assert.equal((await find()).server.tokenEndpoint, `${server.url}/other/token`)
  gone('/.well-known/oauth-authorization-server')
  const { server: found } = await find()
  assert.deepEqual(
    [found.issuer, found.authorizationEndpoint, found.tokenEndpoint, found.registrationEndpoint],
    [server.url, `${server.url}/authorize`, `${server.url}/token`, `${server.url}/register`],
  )
})

test('an origin that asks for no token and publishes nothing has no authorization server', async () => {
  server.acts.set('/mcp', (_, outgoing) => json(outgoing, 200, {}))
  gone('/.well-known/oauth-protected-resource/mcp')
  gone('/.well-known/oauth-authorization-server')
  await fails(find(), /publishes no metadata at the well-known URLs/)
})

test('the first authorization server that can be used counts', async () => {
  server.resourceMetadata = { authorization_servers: [`${server.url}/broken`, server.url] }
  assert.equal((await find()).server.issuer, server.url)
  const origin = connectedOrigin(server.mcp)
  await fails(
    discovery().find(origin, () => 'registers nobody'),
    /\/broken publishes no metadata at the well-known URLs; .* registers nobody/,
  )
})

const REFUSED: Readonly<Record<string, readonly [set: () => unknown, reason: RegExp]>> = {
  'is of another resource': [
    () => Object.assign(server, { resourceMetadata: { resource: 'https://other.example/mcp' } }),
    /is the metadata of another resource: "resource" is https:\/\/other\.example\/mcp/,
  ],
  'is of another issuer': [
    () => Object.assign(server, { serverMetadata: { issuer: 'https://evil.example' } }),
    /is the metadata of another issuer: https:\/\/evil\.example instead of/,
  ],
  'knows no S256': [
    () => Object.assign(server, { serverMetadata: { code_challenge_methods_supported: ['plain'] } }),
    /does not support PKCE with S256/,
  ],
  'redirects for ever': [
    () => redirect('/.well-known/oauth-authorization-server', '/.well-known/oauth-authorization-server'),
    /redirects more than 3 times/,
  ],
  'redirects to a private address': [
    () => redirect('/.well-known/oauth-authorization-server', 'https://10.0.0.7/metadata'),
    /10\.0\.0\.7 is refused: its address is not public/,
  ],
  'redirects to the addresses of clouds': [
    () => redirect('/.well-known/oauth-authorization-server', 'https://169.254.169.254/latest'),
    /169\.254\.169\.254 is refused/,
  ],
  'redirects to plain HTTP': [
    () => redirect('/.well-known/oauth-authorization-server', 'http://other.example/'),
    /the URL is not https/,
  ],
  'is at a private address': [
    () => Object.assign(server, { resourceMetadata: { authorization_servers: ['https://192.168.1.1'] } }),
    /192\.168\.1\.1 is refused: its address is not public/,
  ],
  'is at another port of this machine': [
    () => Object.assign(server, { resourceMetadata: { authorization_servers: ['http://127.0.0.1:1'] } }),
    /127\.0\.0\.1 is refused: its address is not public/,
  ],
  'is huge': [
    () => serve('/.well-known/oauth-authorization-server', () => ({ issuer: 'x'.repeat(20_000) })),
    /the answer is too large/,
  ],
  'never ends': [
    () =>
      server.acts.set('/.well-known/oauth-authorization-server', (_, out) => out.writeHead(200).write('{')),
    /no answer in 2000 ms/,
  ],
  'comes from a server with a fault': [
    () => server.acts.set('/.well-known/oauth-authorization-server', (_, out) => json(out, 503, {})),
    /answered 503/,
  ],
}
for (const [what, [set, reason]] of Object.entries(REFUSED))
  test(`metadata that ${what} is refused, and the error says so`, async () => {
    set()
    // Waited for to its end where none comes
    const timeoutMs = what === 'never ends' ? 2000 : undefined
    await fails(discovery([], timeoutMs).find(connectedOrigin(server.mcp, { oauth: {} }), any), reason)
  })

test('redirects of documents are followed three times', async () => {
  redirect('/.well-known/oauth-authorization-server', '/1')
  redirect('/1', '/2')
  redirect('/2', '/3')
  serve('/3', () => server.metadata())
  assert.equal((await find()).server.issuer, server.url)
})

test('an authorization server elsewhere on this machine can be allowed', async () => {
  await using other = await new ScriptedServer().listen()
  server.resourceMetadata = { authorization_servers: [other.url] }
  await fails(find(), /is refused/)
  assert.equal((await find({}, ['127.0.0.1'])).server.issuer, other.url)
})

test('a page that answers every path is no metadata', async () => {
  for (const path of ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'])
    server.acts.set(path, (_, out) =>
      out.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>'),
    )
  server.challenge = () => 'Bearer'
  assert.equal((await find()).server.issuer, server.url)
})

test('what was found is kept for five minutes, asked for once at a time, and forgotten when told to', async () => {
  const one = discovery()
  const origin = connectedOrigin(server.mcp)
  await Promise.all([one.find(origin, any), one.find(origin, any)])
  assert.equal(server.times('/mcp'), 1)
  moveClock(cell, 4 * 60_000)
  await one.find(origin, any)
  assert.equal(server.times('/mcp'), 1)
  moveClock(cell, 60_000)
  await one.find(origin, any)
  assert.equal(server.times('/mcp'), 2)
  one.forget(origin.id)
  await one.find(origin, any)
  assert.equal(server.times('/mcp'), 3)
  await one.find(connectedOrigin(server.mcp, { oauth: { scopes: ['x'] } }), any)
  assert.equal(server.times('/mcp'), 4)
})

test('what failed is asked for anew', async () => {
  const one = discovery()
  const origin = connectedOrigin(server.mcp)
  server.serverMetadata = { issuer: 'https://evil.example' }
  await fails(one.find(origin, any), /another issuer/)
  server.serverMetadata = {}
  assert.equal((await one.find(origin, any)).server.issuer, server.url)
})
