import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { refused } from '../../../test/control.ts'
import { beginAt, connect, given } from '../../../test/support/connected.ts'
import { connectedOrigin, POSTERN, startFederation } from '../../../test/support/federation.ts'
import { json, ScriptedServer } from '../../../test/support/scripted-as.ts'
import { Refusal } from '../../base/refusal.ts'
import { clientDocument } from './registrations.ts'

let server: ScriptedServer
beforeEach(async () => {
  server = await new ScriptedServer().listen()
})
afterEach(() => server[Symbol.asyncDispose]())

const clientOf = (url: URL) => url.searchParams.get('client_id')

const redirectOf = (url: URL) => url.searchParams.get('redirect_uri')

test('Postern registers itself once for each origin and authorization server, with what it needs', async () => {
  const all = startFederation()
  const origin = all.know(connectedOrigin(server.mcp))
  const first = await beginAt(all.federation, 'ada', origin, 'ada', '/')
  const [second, third] = await Promise.all([
    beginAt(all.federation, 'bob', origin, 'bob', '/'),
    beginAt(all.restart(), 'eve', origin, 'eve', '/'),
  ])
  assert.deepEqual([clientOf(second), clientOf(third)], [clientOf(first), clientOf(first)])
  assert.match(redirectOf(first)!, /^https:\/\/postern\.example\/connect\/callback\/[\w-]{22}$/)
  assert.deepEqual(server.clients.get(clientOf(first)!), {
    client_name: 'Postern',
    application_type: 'web',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    client_uri: POSTERN,
    redirect_uris: [redirectOf(first)],
    token_endpoint_auth_method: 'none',
    scope: 'read write',
  })
})

test('an origin that names the authorization server of another origin is another client there', async () => {
  const all = startFederation()
  const honest = all.know(connectedOrigin(server.mcp))
  const evil = all.know(connectedOrigin(server.mcp, { id: 'org_evil', name: 'Evil' }))
  const first = await beginAt(all.federation, 'ada', honest, 'ada', '/')
  const second = await beginAt(all.federation, 'ada', evil, 'ada', '/')
  assert.notEqual(clientOf(second), clientOf(first))
  server.serverMetadata = { client_id_metadata_document_supported: true }
  const documents = [honest, evil].map((origin) => beginAt(all.restart(), 'bob', origin, 'bob', '/'))
  const [third, fourth] = (await Promise.all(documents)).map(clientOf)
  assert.notEqual(third, fourth)
})

test('each issuer has a redirect URI of its own, in registrations and in documents', async () => {
  await using other = await new ScriptedServer().listen()
  const all = startFederation({ allow: ['127.0.0.1'] })
  const uris = new Set<string | null>()
  for (const [id, { mcp }] of Object.entries({ org_a: server, org_b: other })) {
    const to = await beginAt(all.federation, 'ada', all.know(connectedOrigin(mcp, { id })), 'ada', '/')
    uris.add(redirectOf(to))
  }
  assert.equal(uris.size, 2)
  server.serverMetadata = { client_id_metadata_document_supported: true }
  const to = await beginAt(all.restart(), 'ada', all.origins.get('org_a')!, 'ada', '/')
  const document = clientDocument(POSTERN, new URL(clientOf(to)!).pathname)!
  assert.deepEqual(document['redirect_uris'], [redirectOf(to)])
  assert.equal(document['client_id'], clientOf(to))
  assert.ok(uris.has(redirectOf(to)))
})

const NO_DOCUMENTS = [
  '/oauth/client',
  '/oauth/client/',
  '/oauth/client/a/b.json',
  '/oauth/client.json/',
  '/oauth/client/a/../b.json',
]
for (const path of NO_DOCUMENTS)
  test(`there is no client metadata document at ${path}`, () => {
    assert.equal(clientDocument(POSTERN, path), null)
  })

test('people who begin at the same time share one registration', async () => {
  const all = startFederation()
  const origin = all.know(connectedOrigin(server.mcp))
  const begun = await Promise.all(
    ['a', 'b', 'c'].map((user) => beginAt(all.federation, user, origin, user, '/').then(clientOf)),
  )
  assert.equal(new Set(begun).size, 1)
  assert.equal(server.times('/register'), 1)
})

test('an evicted client registers again without operator help', async () => {
  const all = startFederation()
  const origin = all.know(connectedOrigin(server.mcp))
  await connect(all, origin)
  server.clients.clear()
  // At the token endpoint: the connection has ended, and its person connects again as another client
  all.move(3600_000)
  const ended = await all.federation.answer('ada', origin.id, null)
  assert.equal(ended.ok ? '' : ended.code, 'connect_required')
  await connect(all, origin)
  given(await all.federation.answer('ada', origin.id, null))
  assert.equal(server.times('/register'), 2)
  // Before the browser leaves: the server would show an error page there
  server.clients.clear()
  all.move(3600_000)
  await connect(all, origin, 'bob')
  assert.equal(server.times('/register'), 3)
  // While the person is there
  const begun = await beginAt(all.federation, 'eve', origin, 'eve', '/')
  server.clients.clear()
  const { headers } = await fetch(begun, { redirect: 'manual' })
  await refused(all.federation.finish(new URL(headers.get('location')!), 'eve'), 'credential_invalid')
  await connect(all, origin, 'eve')
  assert.equal(server.times('/register'), 4)
})

test('a registration whose secret has expired is made anew', async () => {
  server.serverMetadata = { token_endpoint_auth_methods_supported: ['client_secret_basic'] }
  const all = startFederation()
  const origin = all.know(connectedOrigin(server.mcp))
  const expires = Math.floor(all.clock.now() / 1000) + 600
  let count = 0
  server.acts.set('/register', (_, outgoing) => {
    const client_id = `manual${++count}`
    json(outgoing, 201, { client_id, client_secret: 'hush', client_secret_expires_at: expires })
  })
  await connect(all, origin)
  assert.match(server.forms.at(-1)!.authorization, /^Basic /)
  assert.equal(server.forms.at(-1)!.form.has('client_secret'), false)
  all.move(600_000)
  assert.equal(clientOf(await beginAt(all.federation, 'ada', origin, 'ada', '/')), 'manual2')
})

test('scopes that a registration lacks are registered for, and connections keep the client that they have', async () => {
  const all = startFederation()
  const origin = all.know(connectedOrigin(server.mcp))
  await connect(all, origin)
  const wider = all.know(connectedOrigin(server.mcp, { oauth: { scopes: ['admin'] } }))
  await connect(all, wider, 'bob')
  assert.equal(server.clients.get('client4')?.['scope'], 'read write admin')
  all.move(3600_000)
  given(await all.federation.answer('ada', origin.id, null))
  assert.equal(server.forms.at(-1)!.form.get('client_id'), 'client1')
})

test('when the authorization server changes, nothing of the first is used at the second', async () => {
  await using other = await new ScriptedServer().listen()
  const all = startFederation({ allow: ['127.0.0.1'] })
  const origin = all.know(connectedOrigin(server.mcp))
  await connect(all, origin)
  const first = given(await all.federation.answer('ada', origin.id, null))
  server.resourceMetadata = { authorization_servers: [other.url] }
  await all.federation.answer('ada', origin.id, first)
  await connect(all, origin)
  assert.equal(other.times('/register'), 1)
  const second = given(await all.federation.answer('ada', origin.id, null))
  assert.ok(other.accessTokens.has(second.value.slice('Bearer '.length)))
  assert.ok(other.forms.every(({ form }) => !form.get('refresh_token')?.startsWith('refresh-')))
})

test('a client secret that was entered by hand stays with the server that it was first used at', async () => {
  await using other = await new ScriptedServer().listen()
  const all = startFederation({ allow: ['127.0.0.1'] })
  server.serverMetadata = { token_endpoint_auth_methods_supported: ['client_secret_post'] }
  all.manual.client = { id: 'manual', secret: 'hush' }
  const origin = all.know(connectedOrigin(server.mcp, { oauth: { registration: 'manual' } }))
  await connect(all, origin)
  assert.equal(server.forms.at(-1)!.form.get('client_secret'), 'hush')
  assert.equal(server.times('/register'), 0)
  server.resourceMetadata = { authorization_servers: [other.url] }
  const refusal = await refused(beginAt(all.restart(), 'ada', origin, 'ada', '/'), 'configuration_invalid')
  assert.match(refusal.message, new RegExp(`has changed from ${server.url} to ${other.url}`))
  assert.doesNotMatch(refusal.message, /hush/)
  all.manual.client = { id: 'manual', secret: 'another' }
  await beginAt(all.restart(), 'ada', origin, 'ada', '/')
})

test('a client that is entered by hand stays with its issuer, and has the redirect URI of that issuer', async () => {
  await using other = await new ScriptedServer().listen()
  const all = startFederation({ allow: ['127.0.0.1'] })
  all.manual.client = { id: 'manual', secret: null }
  const origin = all.know(connectedOrigin(server.mcp))
  const shown = await all.federation.authorization(origin)
  assert.match(shown.redirectUri, /^https:\/\/postern\.example\/connect\/callback\/[\w-]{22}$/)
  assert.deepEqual([shown.issuer, shown.registration, shown.fault], [server.url, 'manual', null])
  assert.equal(all.artifacts.rows.size, 0, 'nothing is kept for it')
  await connect(all, origin)
  // Also with another secret, and in another process
  all.manual.client = { id: 'manual', secret: 'new' }
  for (const federation of [all.federation, all.restart()]) {
    assert.equal(redirectOf(await beginAt(federation, 'bob', origin, 'bob', '/')), shown.redirectUri)
    assert.deepEqual(await federation.authorization(origin), shown)
  }
  all.manual.client = { id: 'manual', secret: null }
  server.resourceMetadata = { authorization_servers: [other.url] }
  const refusal = await refused(beginAt(all.restart(), 'ada', origin, 'ada', '/'), 'configuration_invalid')
  assert.match(refusal.message, new RegExp(`has changed from ${server.url} to ${other.url}`))
})

test('a public Postern is known by the URL of its document, where the server takes such', async () => {
  server.serverMetadata = { client_id_metadata_document_supported: true }
  const all = startFederation()
  const origin = all.know(connectedOrigin(server.mcp))
  await connect(all, origin)
  assert.equal(server.times('/register'), 0)
  const id = server.forms.at(-1)!.form.get('client_id')!
  assert.match(id, /^https:\/\/postern\.example\/oauth\/client\/org_desk\/[\w-]{22}\.json$/)

  const local = startFederation({ postern: 'http://127.0.0.1:8080' })
  await beginAt(local.federation, 'ada', local.know(origin), 'ada', '/')
  assert.equal(server.times('/register'), 1)
  const only = connectedOrigin(server.mcp, { oauth: { registration: 'cimd' } })
  const refusal = await refused(beginAt(local.federation, 'ada', only, 'ada', '/'), 'configuration_invalid')
  assert.match(refusal.message, /it must be a public https origin/)
})

test('where nothing can be registered, the error says what to do', async () => {
  server.serverMetadata = { registration_endpoint: undefined }
  const all = startFederation()
  const origin = connectedOrigin(server.mcp)
  const none = await refused(beginAt(all.federation, 'ada', origin, 'ada', '/'), 'configuration_invalid')
  const { redirectUri, registration, fault } = await all.federation.authorization(origin)
  assert.ok(
    none.message.includes(`Register Postern there with the redirect URI ${redirectUri},`),
    none.message,
  )
  assert.deepEqual([registration, fault?.includes(redirectUri)], [null, true])
  // The administrator is shown the redirect URI that the request then has
  all.manual.client = { id: 'manual', secret: null }
  assert.equal(redirectOf(await beginAt(all.restart(), 'bob', all.know(origin), 'bob', '/')), redirectUri)
  all.manual.client = null
  const manual = connectedOrigin(server.mcp, { id: 'other', oauth: { registration: 'manual' } })
  const lacks = await refused(beginAt(all.federation, 'ada', manual, 'ada', '/'), 'configuration_invalid')
  assert.match(lacks.message, /set oauth\.client_id or oauth\.client_credential/)
  server.serverMetadata = {}
  server.acts.set('/register', (_, outgoing) =>
    json(outgoing, 400, { error: 'invalid_client_metadata', error_description: 'go\u202e away' }),
  )
  const no = await refused(beginAt(all.federation, 'ada', origin, 'ada', '/'), 'configuration_invalid')
  assert.match(no.message, /refused the registration with status 400: invalid_client_metadata: go {1,2}away/)
})

test('any answer to a registration is a client or a refusal', async () => {
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.double(), fc.jsonValue())
  const member = fc.constantFrom(
    ...['client_id', 'client_secret', 'client_secret_expires_at', 'token_endpoint_auth_method', 'error'],
  )
  const content = fc.oneof(
    fc.string(),
    fc.dictionary(member, value).map((one) => JSON.stringify({ client_id: 'id', ...one })),
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(200, 201, 204, 302, 400, 500), content, async (status, body) => {
      const all = startFederation()
      server.acts.set('/register', (_, outgoing) => outgoing.writeHead(status).end(body))
      const asked = beginAt(all.federation, 'ada', all.know(connectedOrigin(server.mcp)), 'ada', '/')
      const outcome = await asked.catch((error: unknown) => error)
      if (outcome instanceof URL) assert.ok(clientOf(outcome))
      else assert.ok(outcome instanceof Refusal && outcome.code === 'configuration_invalid', String(outcome))
    }),
  )
})

test('a client secret of any length is not kept', async () => {
  const all = startFederation()
  const origin = all.know(connectedOrigin(server.mcp))
  server.acts.set('/register', (_, outgoing) =>
    json(outgoing, 201, { client_id: 'x', client_secret: 's'.repeat(2049) }),
  )
  const no = await refused(beginAt(all.federation, 'ada', origin, 'ada', '/'), 'configuration_invalid')
  assert.match(no.message, /a client_secret of more than 2048 characters/)
  assert.equal(all.artifacts.rows.size, 0)
})

for (const ends of [1e300, 4_000_000_000.5, 4_000_000_000.0001, -1, 'never', { toString: 1, valueOf: 1 }])
  test(`client_secret_expires_at ${JSON.stringify(ends)} is stored as whole milliseconds, or as no end`, async () => {
    const all = startFederation()
    server.serverMetadata = { token_endpoint_auth_methods_supported: ['client_secret_post'] }
    server.acts.set('/register', (_, outgoing) =>
      json(outgoing, 201, { client_id: 'manual-a', client_secret: 's', client_secret_expires_at: ends }),
    )
    await beginAt(all.federation, 'ada', all.know(connectedOrigin(server.mcp)), 'ada', '/')
    const ended = [...all.artifacts.rows.values()].map(({ expires_at: end }) => end)
    assert.equal(ended.length, 1)
    for (const end of ended) assert.ok(end === null || Number.isSafeInteger(end), `${end}`)
  })

test('an origin that names other scopes each time does not make its registration grow without bound', async () => {
  const all = startFederation()
  const origin = all.know(connectedOrigin(server.mcp))
  for (let round = 0; round < 8; round++) {
    server.resourceMetadata = { scopes_supported: Array.from({ length: 90 }, (_, n) => `s${round}-${n}`) }
    await beginAt(all.restart(), `usr_${round}`, origin, `usr_${round}`, '/')
  }
  for (const { scope } of server.clients.values()) assert.ok(String(scope).split(' ').length <= 300)
  assert.equal(server.clients.size, 8)
})
