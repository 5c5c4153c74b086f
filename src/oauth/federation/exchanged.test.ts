import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { refused } from '../../../test/control.ts'
import { beginAt, codeOf, given } from '../../../test/support/connected.ts'
import { ExchangingIssuer } from '../../../test/support/exchanging-issuer.ts'
import {
  connectedOrigin,
  POSTERN,
  type StartedFederation,
  startFederation,
} from '../../../test/support/federation.ts'
import { json, ScriptedServer } from '../../../test/support/scripted-as.ts'
import { createIdentityTokens, type KeptIdentityTokens } from '../sign-in/identity-tokens.ts'

const TYPE = 'urn:ietf:params:oauth:token-type:'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

let server: ScriptedServer
let idp: ExchangingIssuer
let all: StartedFederation
let people: KeptIdentityTokens

beforeEach(async () => {
  server = await new ScriptedServer().listen()
  idp = await new ExchangingIssuer().listen()
  all = startFederation({
    allow: ['127.0.0.1'],
    identity: (shared) => {
      const provider = {
        ...{ issuer: idp.url, clientId: 'postern', clientAuth: null, scopes: 'openid' },
        ...{
          slug: null,
          furtherSlugs: [],
          groupsClaim: 'groups',
          roleMap: [],
          proof: async () => ({ secret: 'secret', key: null }),
        },
      }
      people = createIdentityTokens({ ...shared, providers: [provider], isWanted: async () => true })
      return people
    },
  })
  idp.now = () => all.clock.now()
  all.manual.client = { id: 'manual', secret: 'hush' }
  server.serverMetadata = { token_endpoint_auth_methods_supported: ['client_secret_basic'] }
  let count = 0
  server.acts.set('/token', (_, outgoing) =>
    json(outgoing, 200, { access_token: `origin-${++count}`, token_type: 'Bearer', expires_in: 600 }),
  )
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await idp[Symbol.asyncDispose]()
})

const signIn = (user = 'ada', lifetime = 3600) => people.keep(user, idp.tokens(user, lifetime) as never)
const answer = (user = 'ada', refusedToken: Parameters<typeof all.federation.answer>[2] = null) =>
  all.federation.answer(user, 'org_desk', refusedToken)

test('id_jag: the ID token becomes an assertion for the origin, and the assertion a token', async () => {
  all.know(connectedOrigin(server.mcp, { mode: 'id_jag' }))
  await signIn()
  const first = given(await answer())
  assert.equal(first.value, 'Bearer origin-1')
  const asked = Object.fromEntries(idp.forms[0]!)
  const { subject_token: subject, ...rest } = asked
  assert.match(subject!, /^ey/)
  assert.deepEqual(rest, {
    grant_type: TOKEN_EXCHANGE,
    requested_token_type: `${TYPE}id-jag`,
    subject_token_type: `${TYPE}id_token`,
    audience: server.url,
    resource: server.mcp,
    scope: 'read write',
  })
  const { form, authorization } = server.forms[0]!
  assert.deepEqual(Object.fromEntries(form), {
    grant_type: JWT_BEARER,
    assertion: 'assertion-2',
    resource: server.mcp,
    scope: 'read write',
  })
  assert.equal(Buffer.from(authorization.slice(6), 'base64').toString(), 'manual:hush')
  assert.equal(given(await answer()).value, first.value)
  const [row] = all.connections.rows.values()
  assert.deepEqual([row!.id, row!.sealed], [first.connection, ''])
})

test('token_exchange: another server gets the ID token of the person, the identity provider its own access token', async () => {
  all.know(connectedOrigin(server.mcp, { mode: 'token_exchange' }))
  await signIn()
  given(await answer())
  const sent = server.forms[0]!.form
  assert.equal(sent.get('grant_type'), TOKEN_EXCHANGE)
  assert.equal(sent.get('subject_token_type'), `${TYPE}id_token`)
  assert.ok(![...sent.values()].some((value) => value.startsWith('idp-access')))

  all.manual.client = null
  idp.discovery = { code_challenge_methods_supported: ['S256'] }
  server.resourceMetadata = { authorization_servers: [idp.url] }
  all.know(
    connectedOrigin(server.mcp, { mode: 'token_exchange', id: 'org_desk', oauth: { scopes: ['desk'] } }),
  )
  assert.match(given(await answer()).value, /^Bearer exchanged-/)
  const own = idp.forms.at(-1)!
  assert.deepEqual(
    [own.get('subject_token_type'), own.get('subject_token'), own.get('resource'), own.get('scope')],
    [`${TYPE}access_token`, 'idp-access-1', server.mcp, 'desk'],
  )
})

test('calls at the same time exchange once for each person', async () => {
  all.know(connectedOrigin(server.mcp, { mode: 'id_jag' }))
  for (const user of ['ada', 'bob']) await signIn(user)
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => answer(index % 2 === 0 ? 'ada' : 'bob')),
  )
  assert.equal(idp.forms.length, 2)
  const values = answers.map((one) => given(one).value)
  assert.equal(new Set(values.filter((_, index) => index % 2 === 0)).size, 1)
  assert.equal(new Set(values).size, 2)
})

test('a token is exchanged anew before its end, and when the origin refuses it, at most once a second', async () => {
  all.know(connectedOrigin(server.mcp, { mode: 'id_jag' }))
  await signIn()
  const first = given(await answer())
  assert.equal(codeOf(await answer('ada', first)), 'credential_unavailable')
  all.move(1000)
  const second = given(await answer('ada', first))
  assert.deepEqual([second.connection, second.generation], [first.connection, first.generation + 1])
  assert.equal(given(await answer('ada', first)).value, second.value)
  all.move(541_000)
  assert.equal(given(await answer()).generation, first.generation + 2)
  // While nothing can be exchanged, a token is used to its end
  all.move(545_000)
  server.acts.set('/token', (_, outgoing) => json(outgoing, 503, {}))
  assert.equal(given(await answer()).generation, first.generation + 2)
  all.move(60_000)
  assert.equal(codeOf(await answer()), 'credential_unavailable')
})

test('without a current sign-in the person is asked to sign in, and without a provider nobody is', async () => {
  all.know(connectedOrigin(server.mcp, { mode: 'id_jag' }))
  assert.equal(codeOf(await answer()), 'connect_required')
  const alone = startFederation()
  alone.know(connectedOrigin(server.mcp, { mode: 'id_jag' }))
  assert.equal(codeOf(await alone.federation.answer('ada', 'org_desk', null)), 'credential_unavailable')
})

test('a refusal is told without tokens, and is not asked for again for five seconds', async () => {
  all.know(connectedOrigin(server.mcp, { mode: 'id_jag' }))
  await signIn()
  server.acts.set('/token', (_, outgoing) =>
    json(outgoing, 400, { error: 'invalid_grant', error_description: 'unknown person' }),
  )
  const no = await answer()
  assert.deepEqual(no, {
    ok: false,
    code: 'credential_unavailable',
    reason:
      'There is no token for Desk. The authorization server: it answered invalid_grant: unknown person.',
    page: null,
  })
  await answer()
  assert.equal(server.forms.length, 1)
  all.move(5000)
  await answer()
  assert.equal(server.forms.length, 2)
  idp.act = (outgoing) => json(outgoing, 200, { access_token: 'x', token_type: 'Bearer' })
  all.move(5000)
  assert.match(JSON.stringify(await answer()), /issues no identity assertions/)
  assert.equal(server.forms.length, 2)
})

test('an origin that was changed gets a token of its own', async () => {
  all.know(connectedOrigin(server.mcp, { mode: 'id_jag' }))
  await signIn()
  const first = given(await answer())
  all.know(connectedOrigin(server.mcp, { mode: 'id_jag', oauth: { scopes: ['less'] } }))
  const second = given(await answer())
  assert.notEqual(second.connection, first.connection)
  assert.deepEqual(all.ended, [first.connection])
  assert.equal(idp.forms.at(-1)!.get('scope'), 'less')
})

test('connecting tries the exchange, and what an administrator switches off stays off', async () => {
  const origin = all.know(connectedOrigin(server.mcp, { mode: 'id_jag' }))
  await refused(beginAt(all.federation, 'ada', origin, 'ada', '/connect'), 'credential_invalid')
  await signIn()
  all.move(5000)
  const to = await beginAt(all.federation, 'ada', origin, 'ada', '/connect')
  assert.equal(to.href, `${POSTERN}/connect`)
  assert.equal((await all.federation.shown('ada', origin.id)).state, 'connected')
  assert.deepEqual(
    all.happened.map(({ event }) => event),
    ['connected'],
  )
  const first = given(await answer())
  await all.switchConnection('ada', origin.id, false)
  assert.deepEqual(all.ended, [first.connection])
  assert.equal(codeOf(await answer()), 'credential_unavailable')
  await all.switchConnection('ada', origin.id, true)
  const again = given(await answer())
  assert.notEqual(again.connection, first.connection)
  // Another process names the connection as this one does
  const other = given(await all.restart().answer('ada', origin.id, null))
  assert.equal(other.connection, again.connection)
  assert.ok(other.generation >= again.generation)
})

test('a connection of another mode is replaced', async () => {
  all.know(connectedOrigin(server.mcp, { mode: 'user_key' }))
  await all.federation.keepKey('ada', all.origins.get('org_desk')!, 'key')
  const key = given(await answer())
  const origin = all.know(connectedOrigin(server.mcp, { mode: 'id_jag' }))
  await signIn()
  given(await answer())
  assert.deepEqual(all.ended, [key.connection])
  all.know({ ...origin, mode: 'user_oauth' })
  assert.equal(codeOf(await answer()), 'connect_required')
})
