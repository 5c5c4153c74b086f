import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { refused } from '../../../test/control.ts'
import { beginAt, codeOf, connect, given, visit } from '../../../test/support/connected.ts'
import { connectedOrigin, type StartedFederation, startFederation } from '../../../test/support/federation.ts'
import { part } from '../../../test/support/issuer.ts'
import { json, ScriptedServer } from '../../../test/support/scripted-as.ts'
import { Refusal } from '../../base/refusal.ts'
import { SHARED } from '../../model/access/caller.ts'
import { scopesFor } from './authorization.ts'
import { defaultServer } from './metadata.ts'
import type { ConnectedOrigin } from './port.ts'

let server: ScriptedServer
let all: StartedFederation
let origin: ConnectedOrigin
beforeEach(async () => {
  server = await new ScriptedServer().listen()
  all = startFederation()
  origin = all.know(connectedOrigin(server.mcp))
})
afterEach(() => server[Symbol.asyncDispose]())

const begin = (user = 'ada') => beginAt(all.federation, user, origin, user, '/connect')
const labelled = async () => (await all.federation.shown('ada', origin.id)).accountLabel

test('a state works once, for ten minutes, in the browser of the person who began', async () => {
  const foreign = await visit(await begin())
  await refused(all.federation.finish(foreign, 'eve'), 'credential_invalid')
  await refused(all.federation.finish(foreign, 'ada'), 'credential_invalid')
  const back = await visit(await begin())
  assert.deepEqual(await all.federation.finish(back, 'ada'), { origin: origin.id, returnTo: '/connect' })
  await refused(all.federation.finish(back, 'ada'), 'credential_invalid')
  const late = await visit(await begin())
  all.move(10 * 60_000)
  await refused(all.federation.finish(late, 'ada'), 'credential_invalid')
  const made = new URL(late)
  made.searchParams.set('state', 'x'.repeat(43))
  await refused(all.federation.finish(made, 'ada'), 'credential_invalid')
})

/** JSON of lists inside each other: `JSON.parse` reads it, and `JSON.stringify` exhausts the stack with it. */
const DEEP = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
const NESTED: Readonly<Record<string, readonly [path: string, json: () => string]>> = {
  'the resource': ['/.well-known/oauth-protected-resource/mcp', () => `{"resource":${DEEP}}`],
  'the issuer': ['/.well-known/oauth-authorization-server', () => `{"issuer":${DEEP}}`],
  'an endpoint': [
    '/.well-known/oauth-authorization-server',
    () => JSON.stringify({ ...server.metadata(), token_endpoint: '?' }).replace('"?"', DEEP),
  ],
  'a registration': ['/register', () => `{"client_id":"x","y":${DEEP}}`],
  'a token answer': ['/token', () => `{"access_token":"x","token_type":"Bearer","y":${DEEP}}`],
}
for (const [what, [path, json]] of Object.entries(NESTED))
  test(`${what} that is nested without end is refused as any other wrong answer`, async () => {
    all = startFederation({ bytesMax: 200_000 })
    all.know(origin)
    server.acts.set(path, (_, outgoing) => outgoing.writeHead(200).end(json()))
    const whole = async (): Promise<unknown> => all.federation.finish(await visit(await begin()), 'ada')
    await assert.rejects(whole, Refusal)
  })

test('a person who begins too often at once is told to wait', async () => {
  for (let i = 0; i < 5; i++) await begin()
  await refused(begin(), 'overloaded')
  await begin('bob')
})

const MIXED: Readonly<Record<string, Record<string, string>>> = {
  'of another issuer': { iss: 'https://evil.example' },
  'of the issuer with a slash': { iss: 'SLASH' },
  'without the issuer that is announced': { iss: '' },
  'of another issuer with an error': {
    ...{
      iss: 'https://evil.example',
      error: 'access_denied',
      error_description: 'Call +1 555 0100',
      code: '',
    },
  },
}
for (const [what, callback] of Object.entries(MIXED))
  test(`a response ${what} is refused, its code goes nowhere, and its text is not shown`, async () => {
    server.callback = callback['iss'] === 'SLASH' ? { iss: `${server.url}/` } : callback
    const refusal = await refused(
      all.federation.finish(await visit(await begin()), 'ada'),
      'credential_invalid',
    )
    assert.match(refusal.message, /"iss" \(issuer\)|invalid response encountered/)
    assert.doesNotMatch(JSON.stringify(refusal), /555|evil|access_denied/)
    assert.ok(server.forms.every(({ form }) => !form.has('code')))
    assert.deepEqual(
      all.happened.map(({ event }) => event),
      ['connect_failed'],
    )
  })

test('a response at the redirect URI of another issuer is refused, and its code goes nowhere', async () => {
  for (const path of ['/connect/callback', `/connect/callback/${'x'.repeat(22)}`]) {
    const back = await visit(await begin())
    back.pathname = path
    await refused(all.federation.finish(back, 'ada'), 'credential_invalid')
  }
  assert.ok(server.forms.every(({ form }) => !form.has('code')))
})

test('an authorization server that leads to the sign-in page of another one does not get its code', async () => {
  await using evil = await new ScriptedServer().listen()
  all = startFederation({ allow: ['127.0.0.1'] })
  all.know(origin)
  await connect(all, origin)
  const registered = [...server.clients.keys()][0]!
  evil.serverMetadata = { authorization_endpoint: `${server.url}/authorize` }
  evil.acts.set('/register', (_, outgoing) => json(outgoing, 201, { client_id: registered }))
  const bad = all.know(connectedOrigin(evil.mcp, { id: 'org_evil' }))
  // The honest server knows the client with the redirect URI of its own issuer alone
  const to = await beginAt(all.federation, 'ada', bad, 'ada', '/')
  const { redirect_uris: known } = server.clients.get(registered) as { redirect_uris: string[] }
  assert.equal(to.searchParams.get('client_id'), registered)
  assert.ok(!known.includes(to.searchParams.get('redirect_uri')!))
  // And it says who it is
  await refused(all.federation.finish(await visit(to), 'ada'), 'credential_invalid')
  assert.ok(evil.forms.every(({ form }) => !form.has('code')))
})

test('a person agrees to the servers, the scopes and the resource before anything is registered', async () => {
  const offer = (await all.federation.offer('ada', origin))!
  const { digest, ...shown } = offer
  assert.deepEqual(shown, {
    ...{ url: server.mcp, issuer: server.url, signInHost: new URL(server.url).host, elsewhere: [] },
    ...{ scopes: ['read', 'write'], resource: server.mcp, isOwnServer: true },
  })
  assert.equal(server.times('/register'), 0)
  assert.ok((await all.federation.begin('ada', origin, 'ada', '/', digest)) instanceof URL)
})

const ASKED: Readonly<Record<string, () => unknown>> = {
  'another scope': () => {
    server.resourceMetadata = { scopes_supported: ['admin'] }
  },
  'another token endpoint': () => {
    server.serverMetadata = { token_endpoint: 'https://evil.example/token' }
  },
  'another path of the sign-in page': () => {
    server.serverMetadata = { authorization_endpoint: `${server.url}/other` }
  },
}
for (const [what, happens] of Object.entries(ASKED))
  test(`an origin that names ${what} after the person has agreed is shown again`, async () => {
    const { digest } = (await all.federation.offer('ada', origin))!
    happens()
    const other = await all.restart().begin('ada', origin, 'ada', '/', digest)
    assert.ok(!(other instanceof URL))
    assert.notEqual(other.digest, digest)
    assert.equal(server.times('/register'), 0)
  })

test('endpoints on other hosts than the issuer are named', async () => {
  server.serverMetadata = {
    authorization_endpoint: 'https://honest.example/authorize?tenant=a%20b',
    token_endpoint: 'https://tokens.example/token',
  }
  const offer = (await all.federation.offer('ada', origin))!
  assert.deepEqual(
    offer.elsewhere.map(({ host }) => host),
    ['honest.example', 'tokens.example'],
  )
  const to = await beginAt(all.federation, 'ada', origin, 'ada', '/')
  assert.match(to.search, /^\?tenant=a%20b&response_type=code&/)
})

test('an account says whether its token names the MCP server as its audience', async () => {
  const isBound = async () => (await all.federation.shown('ada', origin.id)).isBound
  assert.equal(await isBound(), null)
  await connect(all, origin)
  assert.equal(await isBound(), false)
  const exp = Math.floor(all.clock.now() / 1000) + 3600
  for (const [aud, expected] of [
    [server.mcp, true],
    [`${server.mcp}/`, true],
    [[server.mcp, 'https://other.example'], false],
    ['https://other.example', false],
  ] as const) {
    const claims = { iss: server.url, sub: 'ada', aud, exp }
    const access_token = `${part({ alg: 'ES256', typ: 'at+jwt' })}.${part(claims)}.${part({})}`
    server.tokenAnswer = { access_token }
    await connect(all, origin)
    assert.equal(await isBound(), expected, JSON.stringify(aud))
  }
})

test('a server that announces no issuer in responses need not name it, but may not name another', async () => {
  server.serverMetadata = { authorization_response_iss_parameter_supported: undefined }
  server.callback = { iss: '' }
  await connect(all, origin)
  server.callback = { iss: 'https://evil.example' }
  await refused(all.federation.finish(await visit(await begin()), 'ada'), 'credential_invalid')
})

test('what the server says to the person is told on, as one short line', async () => {
  server.callback = { code: '', error: 'access_denied', error_description: `No\n${'x'.repeat(500)}` }
  const refusal = await refused(
    all.federation.finish(await visit(await begin()), 'ada'),
    'credential_invalid',
  )
  assert.match(refusal.message, /did not allow it: it answered access_denied: No x+\.$/)
  assert.ok(refusal.message.length < 350)
})

test('the code goes to the server that the browser was sent to, whatever the origin names by then', async () => {
  await using other = await new ScriptedServer().listen()
  all = startFederation({ allow: ['127.0.0.1'] })
  all.know(origin)
  const back = await visit(await begin())
  server.resourceMetadata = { authorization_servers: [other.url] }
  server.serverMetadata = { token_endpoint: `${other.url}/token` }
  await all.federation.finish(back, 'ada')
  assert.deepEqual(other.forms, [])
  const moved = await visit(await begin())
  all.know({ ...origin, url: `${other.url}/mcp` })
  await refused(all.federation.finish(moved, 'ada'), 'configuration_invalid')
})

test('an upstream challenge becomes a connect prompt, and an origin may be asked without resource and scope', async () => {
  assert.equal(codeOf(await all.federation.answer('ada', origin.id, null)), 'connect_required')
  server.challenge = () => 'Bearer scope="files:read files:write"'
  assert.equal((await begin()).searchParams.get('scope'), 'files:read files:write')
  const oauth = { send_resource: false, send_scope: false }
  origin = all.know(connectedOrigin(server.mcp, { oauth }))
  const plain = await begin()
  assert.deepEqual([plain.searchParams.get('resource'), plain.searchParams.get('scope')], [null, null])
  await all.federation.finish(await visit(plain), 'ada')
  all.move(3600_000)
  given(await all.federation.answer('ada', origin.id, null))
  assert.ok(server.forms.every(({ form }) => !form.has('resource') && !form.has('scope')))

  origin = all.know(connectedOrigin(server.mcp))
  await connect(all, origin)
  all.move(3600_000)
  given(await all.federation.answer('ada', origin.id, null))
  assert.deepEqual(
    server.forms.slice(-2).map(({ form }) => form.get('resource')),
    [server.mcp, server.mcp],
  )
})

test('scopes are those of the administrator, else of the challenge or metadata, with offline_access where it is offered', async () => {
  const found = { resource: '', server: defaultServer('https://id.example'), scopes: ['a'] }
  const offered = { ...found, server: { ...found.server, scopes: ['offline_access'] } }
  const of = (oauth: object) => connectedOrigin('https://a.example/mcp', { oauth })
  assert.deepEqual(scopesFor(of({}), found), ['a'])
  assert.deepEqual(scopesFor(of({}), offered), ['a', 'offline_access'])
  assert.deepEqual(scopesFor(of({ scopes: ['x'] }), offered), ['x'])
  assert.deepEqual(scopesFor(of({ scopes: ['x'], send_scope: false }), offered), [])
  server.serverMetadata = { scopes_supported: ['read', 'offline_access'] }
  const asked = (await begin()).searchParams
  assert.deepEqual([asked.get('scope'), asked.get('prompt')], ['read write offline_access', 'consent'])
  origin = connectedOrigin(server.mcp, { oauth: { scopes: ['a', 'b'], scope_delimiter: ',' } })
  assert.equal((await begin()).searchParams.get('scope'), 'a,b')
})

test('the account is labelled by the ID token, or else by what the server tells of the person', async () => {
  const idToken = (claims: object) => `${part({ alg: 'RS256' })}.${part(claims)}.${part('s')}`
  server.tokenAnswer = { id_token: idToken({ sub: '1', email: 'ada@example.com', name: 'Ada' }) }
  await connect(all, origin)
  assert.equal(await labelled(), 'ada@example.com')
  server.tokenAnswer = { id_token: 'nonsense' }
  await connect(all, origin)
  assert.equal(await labelled(), '')
  server.tokenAnswer = { scope: 'openid read' }
  server.serverMetadata = { userinfo_endpoint: `${server.url}/userinfo` }
  server.acts.set('/userinfo', (incoming, outgoing) => {
    assert.match(incoming.headers.authorization!, /^Bearer access-ada/)
    json(outgoing, 200, { sub: '1', name: 'Ada \u202e' })
  })
  origin = all.know(connectedOrigin(server.mcp, { oauth: { scopes: ['openid'] } }))
  await connect(all, origin)
  assert.equal(await labelled(), 'Ada \\u202e')
  server.acts.set('/userinfo', (_, outgoing) => json(outgoing, 500, {}))
  await connect(all, origin)
  assert.equal(await labelled(), '')
})

test('with openid a nonce is sent, and an ID token with another nonce labels nothing', async () => {
  assert.equal((await begin()).searchParams.has('nonce'), false)
  origin = all.know(connectedOrigin(server.mcp, { oauth: { scopes: ['openid'] } }))
  for (const isRight of [true, false]) {
    const to = await begin()
    const nonce = isRight ? to.searchParams.get('nonce') : 'of another flow'
    assert.ok(nonce !== null && nonce.length > 10)
    const claims = { sub: '1', email: 'ada@example.com', nonce }
    server.tokenAnswer = { id_token: `${part({ alg: 'RS256' })}.${part(claims)}.${part('s')}` }
    await all.federation.finish(await visit(to), 'ada')
    assert.equal(await labelled(), isRight ? 'ada@example.com' : '')
  }
})

const UNUSABLE: Readonly<Record<string, object>> = {
  'no token': { access_token: undefined },
  'a token that breaks headers': { access_token: 'a\r\nX-Admin: 1' },
  'a token with a proof of its own': { token_type: 'DPoP' },
  'an unknown type of token': { token_type: 'mac' },
}
for (const [what, answer] of Object.entries(UNUSABLE))
  test(`nothing is connected by ${what}`, async () => {
    server.tokenAnswer = { ...answer }
    await refused(all.federation.finish(await visit(await begin()), 'ada'), 'credential_invalid')
    assert.equal((await all.federation.shown('ada', origin.id)).state, 'none')
  })

test('no refusal, event or warning holds a token, a code or a secret', async () => {
  all.manual.client = { id: 'manual', secret: 'hush-hush' }
  server.serverMetadata = { token_endpoint_auth_methods_supported: ['client_secret_basic'] }
  server.acts.set('/token', (_, outgoing) => outgoing.socket!.destroy())
  const back = await visit(await begin())
  const refusal = await refused(all.federation.finish(back, 'ada'), 'credential_invalid')
  const told = JSON.stringify([refusal.message, refusal.facts, all.happened, all.warned])
  assert.ok(!told.includes(back.searchParams.get('code')!) && !told.includes('hush'))
  assert.match(told, /cannot be reached/)
})

test('one connection that an administrator makes serves all callers', async () => {
  origin = all.know(connectedOrigin(server.mcp, { mode: 'shared_oauth' }))
  await refused(begin('ada'), 'configuration_invalid')
  assert.deepEqual(await all.federation.answer('ada', origin.id, null), {
    ok: false,
    code: 'connect_required',
    reason: 'No account at Desk is connected.',
    page: null,
  })
  await connect(all, origin, SHARED)
  const answers = await Promise.all(
    ['ada', 'bob', SHARED].map((user) => all.federation.answer(user, origin.id, null)),
  )
  assert.equal(new Set(answers.map((one) => given(one).value)).size, 1)
})

test('one page connects three upstreams for one user, and another user sees none of them', async () => {
  const origins = ['a', 'b', 'c'].map((id) => all.know(connectedOrigin(server.mcp, { id, slug: id })))
  for (const one of origins) await connect(all, one)
  for (const one of origins) {
    given(await all.federation.answer('ada', one.id, null))
    assert.equal(codeOf(await all.federation.answer('bob', one.id, null)), 'connect_required')
  }
})

test('an origin over plain HTTP elsewhere cannot be connected', async () => {
  const plain = connectedOrigin('http://desk.example/mcp')
  const refusal = await refused(beginAt(all.federation, 'ada', plain, 'ada', '/'), 'configuration_invalid')
  assert.match(refusal.message, /the URL is not https/)
})

test('any callback with a state of ours connects, or is refused', async () => {
  all = startFederation()
  all.know(origin)
  const name = fc.constantFrom(
    'code',
    'iss',
    'error',
    'error_description',
    'response',
    'id_token',
    'token',
    'state',
  )
  const params = fc.array(fc.tuple(name, fc.string({ unit: 'binary' })), { maxLength: 6 })
  let count = 0
  await fc.assert(
    fc.asyncProperty(params, async (more) => {
      const by = `person${count++}`
      const back = await visit(await beginAt(all.federation, by, origin, by, '/'))
      for (const [key, value] of more) back.searchParams.append(key, value)
      const outcome = await all.federation.finish(back, by).catch((error: unknown) => error)
      if (outcome instanceof Error)
        assert.ok(outcome instanceof Refusal && outcome.code === 'credential_invalid', String(outcome))
      // Members that stand twice, tokens, and errors
      else
        assert.ok(
          !more.some(
            ([key, value]) =>
              key !== 'response' && (key !== 'error' || value !== '') && key !== 'error_description',
          ),
        )
    }),
    { numRuns: 50 },
  )
})

/** What happens while the authorization server makes its answer. */
function meanwhile(happens: () => unknown): void {
  server.acts.set('/token', async (_, outgoing, body) => {
    server.acts.delete('/token')
    const form = new URLSearchParams(body)
    await happens()
    server.accessTokens.set('late', { user: 'ada', resource: null })
    server.refreshTokens.set('late-refresh', { user: 'ada', resource: null })
    assert.equal(form.get('grant_type'), 'authorization_code')
    json(outgoing, 200, { access_token: 'late', refresh_token: 'late-refresh', token_type: 'Bearer' })
  })
}

const CHANGED: Readonly<Record<string, [happens: () => unknown, code: Refusal['code']]>> = {
  'the person was offboarded': [() => all.barred.add('ada'), 'permission_denied'],
  'the origin got another URL': [
    () => all.know({ ...origin, url: `${server.url}/other` }),
    'configuration_invalid',
  ],
  'the origin got another mode': [() => all.know({ ...origin, mode: 'user_key' }), 'configuration_invalid'],
  'the origin was switched off': [() => all.know({ ...origin, active: false }), 'configuration_invalid'],
  'the origin was deleted': [() => all.origins.delete(origin.id), 'configuration_invalid'],
}
for (const [what, [happens, code]] of Object.entries(CHANGED))
  test(`${what} while the code was redeemed: nothing is stored, and the tokens are revoked`, async () => {
    const back = await visit(await begin())
    meanwhile(happens)
    await refused(all.federation.finish(back, 'ada'), code)
    assert.equal(all.connections.rows.size, 0)
    assert.deepEqual(
      [server.accessTokens.has('late'), server.refreshTokens.has('late-refresh')],
      [false, false],
    )
  })

test('an administrator who may no longer change origins does not finish the account of all callers', async () => {
  origin = all.know({ ...origin, mode: 'shared_oauth' })
  const back = await visit(await beginAt(all.federation, SHARED, origin, 'admin', '/connect'))
  all.barred.add('admin')
  await refused(all.federation.finish(back, 'admin'), 'permission_denied')
  assert.equal(all.connections.rows.size, 0)
})

test('a key is not kept for an origin that has changed, or for a person who may not use it', async () => {
  origin = all.know({ ...origin, mode: 'user_key' })
  all.know({ ...origin, url: `${server.url}/other` })
  await refused(all.federation.keepKey('ada', origin, 'secret'), 'configuration_invalid')
  all.know(origin)
  all.barred.add('ada')
  await refused(all.federation.keepKey('ada', origin, 'secret'), 'configuration_invalid')
  assert.equal(all.connections.rows.size, 0)
})

for (const lifetime of [0.0004, 3600.0001, 1e300, 0])
  test(`expires_in ${lifetime} gives a time in whole milliseconds, or no connection`, async () => {
    server.tokenAnswer = { expires_in: lifetime }
    const back = await visit(await begin())
    await all.federation.finish(back, 'ada').catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error
    })
    for (const { expires_at: end } of all.connections.rows.values())
      assert.ok(Number.isSafeInteger(end), `${end}`)
  })

test('a lifetime below zero says nothing of the end of a token', async () => {
  server.tokenAnswer = { expires_in: -1 }
  await connect(all, origin)
  assert.deepEqual(
    [...all.connections.rows.values()].map(({ expires_at: end }) => end),
    [null],
  )
})

test('a scope of the answer has no control characters, and a refresh token a bound', async () => {
  server.tokenAnswer = { scope: 'read \u0000\u001b[31m write\r\n' }
  await connect(all, origin)
  assert.equal([...all.connections.rows.values()][0]!.scope, 'read')
  server.tokenAnswer = { refresh_token: 'x'.repeat(70_000) }
  await refused(all.federation.finish(await visit(await begin()), 'ada'), 'credential_invalid')
})

test('what an authorization server says of itself is bounded where it is stored', async () => {
  const many = Array.from({ length: 5000 }, (_, n) => `method-${n}`)
  server.serverMetadata = { token_endpoint_auth_methods_supported: ['none', 'x'.repeat(1000), ...many] }
  await connect(all, origin)
  const { sealed } = [...all.connections.rows.values()][0]!
  assert.ok(sealed.length < 4000, `${sealed.length}`)
})
