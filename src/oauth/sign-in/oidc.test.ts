import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { type Control, refused, startControl } from '../../../test/control.ts'
import { EGRESS } from '../../../test/support/egress.ts'
import { Issuer, signingKey } from '../../../test/support/issuer.ts'
import { createSetUpLinks } from '../../access/set-up-links.ts'
import { createClock } from '../../base/clock.ts'
import { createGuardedFetch } from '../../base/net/guarded-fetch.ts'
import { PROBLEMS } from '../../base/refusal.ts'
import { createAccounts } from '../../operations/access/accounts.ts'
import { createLocalUsers } from '../../operations/access/local-users.ts'
import { createLinks } from '../../shared-state/memory/links.ts'
import { createThrottle } from '../../shared-state/memory/throttle.ts'
import { type ClientAuthMethod, type ClientKey, readClientKey } from './client-auth.ts'
import { createPasswords } from './local.ts'
import { createOidcSignIn, type SignInState, toArrival } from './oidc.ts'
import type { SignIn } from './port.ts'
import { createSignIn } from './sign-in.ts'
import { tryClient } from './try-client.ts'

const BROWSER = { ip: '203.0.113.7', userAgent: 'test/1', requestId: 'req_1' }
const ORIGIN = 'https://gateway.example'

let issuer: Issuer
let control: Control
let signIn: SignIn
let trial: () => ReturnType<typeof tryClient>
let open: (isLocal: boolean) => ReturnType<typeof createSignIn>
let secret: string | null = 'secret'
let key: ClientKey | null = null
let clientAuth: ClientAuthMethod | null = null
const warned: string[] = []
const noted: string[] = []

before(async () => {
  control = await startControl()
})
after(() => control.close())

beforeEach(async () => {
  secret = 'secret'
  key = null
  clientAuth = null
  warned.length = 0
  noted.length = 0
  issuer = await new Issuer(signingKey('k1')).listen()
  const clock = createClock(control.cell)
  issuer.now = () => clock.now()
  const { store } = control
  const accounts = createAccounts(store.read, clock, control.invoke)
  const provider = {
    slug: null,
    furtherSlugs: [],
    issuer: issuer.url,
    clientId: 'postern',
    get clientAuth() {
      return clientAuth
    },
    proof: async () => ({ secret, key }),
    scopes: 'openid profile email',
    groupsClaim: 'groups',
    roleMap: [
      { claim: 'group', value: 'platform', grant: 'admin' },
      { claim: 'realm.roles', value: 'dev', grant: 'modifier:proxies@payments' },
      { claim: '*', value: null, grant: 'viewer' },
    ],
  }
  const asked = {
    provider,
    origin: ORIGIN,
    clock,
    fetch: createGuardedFetch(EGRESS, { timeoutMs: 2000, bytesMax: 100_000 }),
  }
  trial = () => tryClient(asked)
  const signIns = createLinks<SignInState>(clock, { max: 10_000, dropsOldest: true })
  const oidc = createOidcSignIn({ ...asked, accounts, signIns, warn: (sentence) => warned.push(sentence) })
  const parts = { store, clock, accounts, origin: ORIGIN, managementOrigin: ORIGIN }
  open = (isLocal) =>
    createSignIn({
      ...parts,
      throttle: createThrottle(clock),
      isLocal,
      providers: [{ slug: null, name: 'id.example', issuer: issuer.url, signIn: oidc }],
      onToConsole: { loginUrl: async () => null, ticket: () => assert.fail('no console') },
      links: createSetUpLinks(store, clock),
      users: createLocalUsers(clock, control.invoke),
      noteUnknown: ({ reason }) => noted.push(reason),
      networkOf: (ip) => ip,
      facts: () => assert.fail('no page is asked for'),
      fault: (error) => assert.fail(String(error)),
    })
  signIn = open(false).signIn
})

afterEach(() => (issuer.isListening ? issuer[Symbol.asyncDispose]() : undefined))

/** A browser goes there and comes back. */
async function visit(begun: URL): Promise<URL> {
  const { status, headers } = await fetch(begun, { redirect: 'manual' })
  assert.equal(status, 302)
  return new URL(headers.get('location')!)
}
const arrive = async () => signIn.finish(await visit(await signIn.begin('one', null, BROWSER)), BROWSER)
const stored = async (slug: string) => (await control.store.read.bySlug('users', slug))[0]!.spec

test('who signs in at the provider becomes a user with what their claims are mapped to, each time anew', async () => {
  issuer.person = {
    sub: 'ada',
    name: 'Ada Lovelace',
    email: 'ada@example.com',
    groups: ['platform', 'women'],
    realm: { roles: ['dev'] },
  }
  const { interaction, account } = await arrive()
  assert.deepEqual([interaction, account.slug, account.email], ['one', 'ada', 'ada@example.com'])
  const first = await stored('ada')
  assert.deepEqual(first['groups'], ['platform', 'women'])
  assert.deepEqual(first['mapped_grants'], ['admin', 'modifier:proxies@payments', 'viewer'])
  assert.equal(issuer.times('/userinfo'), 0)

  issuer.person = {
    sub: 'ada',
    name: 'Ada Lovelace',
    email: 'ada@example.com',
    email_verified: false,
    groups: [],
  }
  assert.equal((await arrive()).account.id, account.id)
  const second = await stored('ada')
  assert.deepEqual([second['email'], second['groups'], second['mapped_grants']], [null, [], ['viewer']])

  const { items } = await control.store.read.auditEntries({ limit: 10, operation: 'access.sign_in' })
  assert.deepEqual(
    items.map(({ actor, outcome, ip, detail }) => [actor.name, actor.auth_method, outcome, ip, detail]),
    [
      ['ada', 'oidc', 'ok', BROWSER.ip, `Signed in at ${issuer.url}.`],
      ['ada', 'oidc', 'ok', BROWSER.ip, `Signed in at ${issuer.url}.`],
    ],
  )
})

test('claims that the ID token lacks are asked for, and it wins over what is told there', async () => {
  issuer.person = { sub: 'thin', name: 'Of the token' }
  issuer.userInfo = { name: 'Of the endpoint', email: 'thin@example.com', groups: ['platform'] }
  const { account } = await arrive()
  assert.deepEqual([account.name, account.email], ['Of the token', 'thin@example.com'])
  assert.deepEqual((await stored('thin'))['mapped_grants'], ['admin', 'viewer'])
  issuer.userInfo = { sub: 'somebody-else', groups: ['platform'] }
  await refused(arrive(), 'credential_invalid')
})

test('a token answer with optional members that say nothing lets people in', async () => {
  issuer.person = { sub: 'edith', email: 'edith@example.com' }
  issuer.tokenAnswer = { refresh_token: null, scope: null, expires_in: null }
  assert.equal((await arrive()).account.email, 'edith@example.com')
})

test('the request has a challenge, a state and a nonce, and the provider leads back to the callback', async () => {
  const asked = (await signIn.begin('one', null, BROWSER)).searchParams
  assert.equal(asked.get('redirect_uri'), `${ORIGIN}/oauth/callback`)
  assert.equal(asked.get('code_challenge_method'), 'S256')
  assert.equal(asked.get('scope'), 'openid profile email')
  const again = (await signIn.begin('one', null, BROWSER)).searchParams
  for (const name of ['state', 'nonce', 'code_challenge'])
    assert.ok(asked.get(name)!.length >= 43 && asked.get(name) !== again.get(name), name)
})

test('an email that is not verified gives nothing by a rule either', () => {
  const rule = { claim: 'email', value: 'boss@example.com', grant: 'admin' }
  const reading = {
    issuer: 'https://id.example',
    slug: null,
    furtherSlugs: [],
    groupsClaim: 'groups',
    roleMap: [rule],
  }
  const grantsBy = (verified: object) =>
    toArrival({ email: 'boss@example.com', ...verified }, 'eve', reading, null).grants
  assert.deepEqual(grantsBy({ email_verified: false }), [])
  assert.deepEqual(grantsBy({ email_verified: 'false' }), [])
  assert.deepEqual(grantsBy({ email_verified: true }), ['admin'])
  assert.deepEqual(grantsBy({ email_verified: 'true' }), ['admin'])
  assert.deepEqual(grantsBy({}), [], 'an issuer that says nothing of it may pass on any address')
})

test('a state works once, for ten minutes, and only one of ours', async () => {
  const back = await visit(await signIn.begin('one', null, BROWSER))
  await signIn.finish(back, BROWSER)
  await refused(signIn.finish(back, BROWSER), 'credential_invalid')
  const late = await visit(await signIn.begin('one', null, BROWSER))
  control.move(10 * 60_000)
  await refused(signIn.finish(late, BROWSER), 'credential_invalid')
  const foreign = await visit(await signIn.begin('one', null, BROWSER))
  foreign.searchParams.set('state', 'x'.repeat(43))
  await refused(signIn.finish(foreign, BROWSER), 'credential_invalid')
  assert.deepEqual(noted, Array(3).fill('an unknown, used or late state'))
})

const now = Math.floor(Date.now() / 1000)
const WRONG: Readonly<Record<string, (issuer: Issuer) => void>> = {
  'another nonce': (one) => Object.assign(one, { idToken: { nonce: 'other' } }),
  'another audience': (one) => Object.assign(one, { idToken: { aud: 'somebody' } }),
  'another issuer': (one) => Object.assign(one, { idToken: { iss: 'https://evil.example' } }),
  'an end that has passed': (one) => Object.assign(one, { idToken: { exp: now - 300 } }),
  'a signature of another key': (one) => {
    const { jwk } = signingKey('k1')
    one.keys = [{ ...one.keys[0]!, jwk }]
  },
  'iss of another issuer beside the code': (one) =>
    Object.assign(one, { callback: { iss: 'https://evil.example' } }),
  'no iss beside the code': (one) => Object.assign(one, { callback: { iss: '' } }),
  'a code that is not known': (one) => Object.assign(one, { callback: { code: 'other' } }),
  'a refusal by the provider': (one) =>
    Object.assign(one, { callback: { code: '', error: 'access_denied' } }),
}
for (const [what, set] of Object.entries(WRONG))
  test(`nobody comes in by ${what}, and the answer does not say why`, async () => {
    set(issuer)
    const refusal = await refused(arrive(), 'credential_invalid')
    // The sentence of every credential that does not hold
    assert.equal(refusal.message, PROBLEMS.credential_invalid.help)
    assert.equal(noted.length, 1)
    assert.deepEqual(warned, [`A sign-in at ${issuer.url} failed: ${noted[0]} (request req_1).`])
  })

const UNAVAILABLE: Readonly<Record<string, readonly [breaks: (issuer: Issuer) => unknown, reason: string]>> =
  {
    'does not answer': [(one) => one[Symbol.asyncDispose](), 'cannot be reached (ECONNREFUSED)'],
    'answers 500': [(one) => Object.assign(one, { status: 500 }), 'it answered 500'],
    'answers 404': [(one) => Object.assign(one, { status: 404 }), 'unexpected HTTP response status code'],
    'names another issuer': [
      (one) => Object.assign(one, { discovery: { issuer: 'https://evil.example' } }),
      'discovered metadata issuer does not match the expected issuer',
    ],
    'sends browsers over plain HTTP': [
      (one) =>
        Object.assign(one, { discovery: { authorization_endpoint: 'http://id.example.com/authorize' } }),
      'its authorization endpoint is not https',
    ],
    'has its token endpoint at a link-local address': [
      (one) => Object.assign(one, { discovery: { token_endpoint: 'https://169.254.169.254/token' } }),
      '169.254.169.254 is refused: Postern never calls link-local, metadata, multicast and unspecified addresses',
    ],
    'has its token endpoint at another private server': [
      (one) =>
        Object.assign(one, {
          discovery: { token_endpoint: `${one.url.replace('127.0.0.1', 'localhost')}/token` },
        }),
      'localhost is refused: its address is not public, and no administrator has configured this URL. Add localhost to POSTERN_EGRESS_ALLOW to allow it',
    ],
    'does not know our secret': [
      (one) => Object.assign(one, { client: 'postern:other' }),
      'it answered invalid_client: about invalid_client',
    ],
  }
for (const [what, [set, reason]] of Object.entries(UNAVAILABLE))
  test(`a provider that ${what} is unavailable, the log says why, and people come in once it works again`, async () => {
    const { url } = issuer
    await set(issuer)
    const refusal = await refused(arrive(), 'identity_unavailable')
    assert.doesNotMatch(refusal.message, /127\.0\.0\.1|169\.254|secret/)
    assert.equal(warned.length, 1)
    assert.ok(warned[0]!.includes(`: ${reason} (request req_1).`), warned[0])
    assert.doesNotMatch(warned[0]!, /hunter2|postern:/)
    if (!issuer.isListening) await issuer.listen(Number(new URL(url).port))
    Object.assign(issuer, { status: 200, discovery: {}, client: 'postern:secret' })
    assert.ok((await arrive()).account)
  })

test('a secret is read anew after it was refused, and sent as the provider takes it', async () => {
  issuer.client = 'postern:next'
  issuer.discovery = { token_endpoint_auth_methods_supported: ['client_secret_post'] }
  await refused(arrive(), 'identity_unavailable')
  secret = 'next'
  await arrive()
  secret = null
  issuer.client = 'postern'
  control.move(10 * 60_000)
  await arrive()
})

test('an inactive user does not come in', async () => {
  const { id } = (await arrive()).account
  await control.run('users.toggle', { id, active: false })
  await refused(arrive(), 'credential_invalid')
})

test('a local user signs in beside those of the provider, and not at all where that is switched off', async () => {
  const password = 'correct horse battery staple'
  const { output } = await control.run('users.create', { name: 'Grace' })
  const kept = await createPasswords().hash(password)
  await control.store.write((writer) => writer.putPassword(String(output['id']), kept, Date.now()))
  const both = open(true)
  assert.deepEqual(
    [both.signIn.withPassword, both.signIn.providers],
    [true, [{ slug: null, name: 'id.example' }]],
  )
  assert.equal((await both.signIn.password('grace', password, BROWSER)).slug, 'grace')
  const alone = open(false)
  assert.deepEqual([alone.signIn.withPassword, alone.pages], [false, null])
  await refused(alone.signIn.password('grace', password, BROWSER), 'credential_invalid')
  assert.ok((await arrive()).account)
})

const SECRET = 'a-b_c.d~e+f/g=h i:j%k&l'
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** How a strict provider takes clients, and what of ours it takes. */
const STRICT = [
  ['basic', 'client_secret_basic'],
  ['basic_raw', 'client_secret_basic_raw'],
  ['post', 'client_secret_post'],
  ['private_key_jwt', 'private_key_jwt'],
] as const
for (const [strict, method] of STRICT)
  test(`a provider that takes clients by ${method} alone lets people in by it and by no other method`, async () => {
    issuer.clientAuth = strict
    issuer.client = `postern:${SECRET}`
    issuer.clientKey = RSA.publicKey
    secret = SECRET
    key = { key: RSA.privateKey, kid: 'k1' }
    for (const [, other] of STRICT) {
      clientAuth = other
      control.move(10 * 60_000)
      const tried = await trial()
      assert.ok(typeof tried !== 'string')
      assert.deepEqual([tried.method, tried.outcome], [other, other === method ? 'accepted' : 'refused'])
      const instead = other !== method && method !== 'private_key_jwt' ? method : null
      assert.equal(tried.instead, instead)
      if (other === method) {
        await arrive()
        continue
      }
      warned.length = 0
      await refused(arrive(), 'identity_unavailable')
      assert.match(warned[0]!, /it answered invalid_client: about invalid_client \(request req_1\)/)
      assert.ok(!warned[0]!.includes(SECRET))
    }
  })

test('a secret with a hyphen is understood by a provider that decodes nothing, without a setting', async () => {
  issuer.clientAuth = 'basic_raw'
  secret = '0d7e-4a52_b.c*'
  issuer.client = `postern:${secret}`
  await arrive()
})

test('with a key and no setting the gateway signs, by a key of each kind', async () => {
  issuer.clientAuth = 'private_key_jwt'
  secret = null
  for (const pair of [RSA, EC, generateKeyPairSync('ed25519')]) {
    issuer.clientKey = pair.publicKey
    const pem = pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    const jwk = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'mine' }
    for (const text of [pem, JSON.stringify(jwk)]) {
      key = readClientKey(text)
      control.move(10 * 60_000)
      await arrive()
    }
    assert.equal(key?.kid, 'mine')
  }
})

const BAD_HEADS: readonly [string, string][] = [
  ['205 X', 'a status that has no body'],
  ['099 X', 'a status that is none'],
  ['101 X', 'a change of protocol'],
]
for (const [line, what] of BAD_HEADS)
  test(`a provider that answers with ${what} is unavailable, and is asked anew`, async () => {
    const head = `HTTP/1.1 ${line}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`
    for (const path of ['/.well-known', '/token']) {
      issuer.takeOver = (incoming) => incoming.url!.startsWith(path) && Boolean(incoming.socket.end(head))
      control.move(10 * 60_000)
      await refused(arrive(), 'identity_unavailable')
      issuer.takeOver = null
      await arrive()
    }
  })

const WRONG_METADATA: Readonly<Record<string, object>> = {
  'no list of ways to authenticate': { token_endpoint_auth_methods_supported: 5 },
  'a list of ways that are no text': { token_endpoint_auth_methods_supported: [{}, null] },
}
for (const [what, discovery] of Object.entries(WRONG_METADATA))
  test(`a provider whose metadata has ${what} lets people in by what the setting says`, async () => {
    issuer.discovery = { ...discovery }
    await arrive()
  })

const WRONG_ENDPOINTS: Readonly<Record<string, object>> = {
  'a token endpoint that is no text': { token_endpoint: {} },
  'no token endpoint': { token_endpoint: undefined },
  'an authorization endpoint that is no text': { authorization_endpoint: 5 },
}
for (const [what, discovery] of Object.entries(WRONG_ENDPOINTS))
  test(`metadata with ${what} is a fault of the provider, and is read anew`, async () => {
    issuer.discovery = { ...discovery }
    await refused(arrive(), 'identity_unavailable')
    issuer.discovery = {}
    await arrive()
  })

test('what is no private key is told without its text', () => {
  const publicPem = RSA.publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const small = generateKeyPairSync('x25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  for (const text of ['', 'hunter2', '{"kty":"oct","k":"aHVudGVyMg"}', publicPem, small])
    assert.throws(
      () => readClientKey(text),
      /^Error: (it contains no private key|its key has an unsupported type)(?!.*hunter2)/,
    )
})

test('a try says what a provider answers that is not there, or that tells nothing', async () => {
  issuer.unknownCode = [403, 'invalid_code']
  assert.deepEqual(await trial(), {
    method: 'client_secret_basic',
    outcome: 'accepted',
    answer: '403 invalid_code: about invalid_code',
    instead: null,
  })
  issuer.unknownCode = [400, 'invalid_request']
  assert.equal(((await trial()) as { outcome: string }).outcome, 'unclear')
  issuer.status = 500
  assert.equal(await trial(), 'it answered 500')
})

test('claims that no store keeps are left out, and a subject that no store keeps is refused', () => {
  const reading = {
    issuer: 'https://id.example',
    slug: null,
    furtherSlugs: [],
    groupsClaim: 'groups',
    roleMap: [],
  }
  const claims = { email: 'a\0@example.com', name: 'A\ud800', groups: ['a', 'b\0', 'c'] }
  const { email, name, groups } = toArrival(claims, 'ada', reading, null)
  assert.deepEqual([email, name, groups], [null, null, ['a', 'c']])
  assert.throws(() => toArrival({}, 'a\0', reading, null), { code: 'credential_invalid' })
})
