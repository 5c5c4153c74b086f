import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import type { ClaimRule } from '../../src/base/crypto/jwt.ts'
import type { Plain } from '../../src/base/json/storable.ts'
import { keep } from '../../src/gateway/identify/signed.ts'
import { KEY_ALGS } from '../../src/model/access/profile.ts'
import type { ProfileFragment, VerifyFragment } from '../../src/snapshot/fragments.ts'
import { eventually } from '../support/eventually.ts'
import { Issuer, signedBy, signingKey } from '../support/issuer.ts'
import { client, collection, credential, profile, proxy, upstream } from './fragments.ts'
import { type Answer, type Served, serve } from './serve.ts'

const CALL = '/orders/v1/orders/7'
const seal = (text: string): string => [...text].reverse().join('')
const FIRST = signingKey('first')
const SECOND = signingKey('second')
const MINUTE = 60_000
const HOUR = 60 * MINUTE

let served: Served
let issuer: Issuer

function oidc(slug: string, given: Partial<VerifyFragment> = {}, more: Partial<ProfileFragment> = {}) {
  const verify: VerifyFragment = {
    issuer: issuer.url,
    audience: 'orders',
    algs: KEY_ALGS,
    skew_ms: MINUTE,
    lifetime_ms_max: null,
    required_claims: [],
    required_scopes: [],
    match: [],
    accept_id_tokens: false,
    once: false,
    claims: [],
    keys: { from: 'discovery', url: issuer.url },
    introspection: null,
    ...given,
  }
  return profile(slug, { auth: 'oidc', verify, ...more })
}

const rule = (claim: string, given: Partial<ClaimRule>): ClaimRule => ({
  claim,
  values: [],
  glob: null,
  ...given,
})

/** Puts the profiles of the client. */
const put = (...profiles: ProfileFragment[]) => served.apply([client('acme', { profiles })])

before(async () => {
  served = await serve((port) => [
    collection('orders', { upstream: upstream(port), proxies: [proxy('all', '/*')] }),
    credential('asker', 'basic', { username: 'gate' }, { password: seal('way') }),
  ])
})
after(() => served.close())

beforeEach(async () => {
  issuer = await new Issuer(FIRST).listen()
  put(oidc('main'))
})
afterEach(() => issuer[Symbol.asyncDispose]())

const seconds = (): number => Math.floor(served.now() / 1000)
const claims = (given: Plain = {}): Plain => ({
  iss: issuer.url,
  sub: 'ann',
  aud: 'orders',
  iat: seconds(),
  exp: seconds() + 48 * 3600,
  ...given,
})

let source = 0
type Asked = Answer & { reason: string; profile: string; credential: string; ms: number }
async function ask(token: string, headers: Record<string, string> = {}): Promise<Asked> {
  const index = served.records.length
  const from = `127.2.${++source >> 8}.${source & 255 || 1}`
  const answer = await served.ask(CALL, { headers: { authorization: `Bearer ${token}`, ...headers }, from })
  const { reason, profile, credentialId: credential, durationMs: ms } = await served.record(index)
  return { ...answer, reason, profile, credential, ms }
}

async function refused(token: string, reason: string, code = 'credential_invalid'): Promise<Answer> {
  const answer = await ask(token)
  assert.equal(answer.json['code'], code, `${reason}: ${answer.text} ${answer.reason}`)
  assert.equal(answer.reason, reason)
  return answer
}

test('an access token is proved by the keys that discovery names, which are fetched once', async () => {
  const tokens = Array.from({ length: 8 }, (_, n) => signedBy(FIRST, claims({ n })))
  const answers = await Promise.all(tokens.map((token) => ask(token)))
  for (const answer of answers) assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(issuer.asked, ['/.well-known/openid-configuration', '/keys'])
  assert.equal((await ask(tokens[0]!)).credential, 'first')
  assert.equal(issuer.asked.length, 2)
})

test('ID tokens are refused, unless the profile takes them', async () => {
  const reason = 'an ID token is no access token'
  for (const mark of [{ nonce: 'n' }, { at_hash: 'h' }, { c_hash: 'h' }, { token_use: 'id' }, { typ: 'ID' }])
    await refused(signedBy(FIRST, claims(mark)), reason)
  put(oidc('main', { accept_id_tokens: true }))
  assert.equal((await ask(signedBy(FIRST, claims({ nonce: 'n' })))).status, 200)
})

test('scopes and claims that are asked for must be there', async () => {
  put(
    oidc('main', {
      required_scopes: ['orders.read', 'orders.write'],
      required_claims: [rule('org.id', { values: [7] })],
    }),
  )
  const org = { id: 7 }
  for (const given of [
    { scope: 'orders.read other orders.write', org },
    { scp: ['orders.write', 'orders.read'], org },
    { scp: 'orders.write orders.read', 'org.id': 7 },
  ])
    assert.equal((await ask(signedBy(FIRST, claims(given)))).status, 200)
  await refused(signedBy(FIRST, claims({ scope: 'orders.read', org })), 'a required scope is missing')
  await refused(
    signedBy(FIRST, claims({ scope: 'orders.read orders.write', org: { id: '7' } })),
    'a required claim is missing or has another value',
  )
})

test('match rules send the tokens of one provider to several profiles', async () => {
  put(
    oidc('staff', { match: [rule('email', { glob: '*@acme.test' })] }),
    oidc('robots', { match: [rule('azp', { values: ['bot-1', 'bot-2'] })] }),
    oidc('leads', {
      match: [rule('groups', { values: ['leads'] }), rule('email', { glob: '*@lead.*.test' })],
    }),
  )
  assert.equal((await ask(signedBy(FIRST, claims({ email: 'ann@acme.test' })))).profile, 'pro_staff')
  assert.equal((await ask(signedBy(FIRST, claims({ azp: 'bot-2' })))).profile, 'pro_robots')
  const lead = claims({ groups: ['all', 'leads'], email: 'bo@lead.eu.test' })
  assert.equal((await ask(signedBy(FIRST, lead))).profile, 'pro_leads')
  await refused(
    signedBy(FIRST, claims({ email: 'eve@acme.test.evil' })),
    'no profile of the issuer has the audience, key and claims',
  )
  const both = signedBy(FIRST, claims({ email: 'ann@acme.test', azp: 'bot-1' }))
  assert.equal((await ask(both)).profile, 'pro_robots', 'exact values go before a pattern')
  assert.equal((await ask(both, { 'x-profile-id': 'staff' })).profile, 'pro_staff')
})

test('a profile that every token of the issuer fits takes none from the profiles that name more of it', async () => {
  const token = (given: Plain) => signedBy(FIRST, claims(given))
  put(
    oidc('app', { match: [rule('azp', { values: ['app-1'] })] }),
    oidc('scoped', { required_scopes: ['orders.write'] }),
  )
  served.apply([client('rival', { profiles: [oidc('all')] })])
  const app = { azp: 'app-1' }
  assert.equal((await ask(token(app))).profile, 'pro_app')
  assert.equal((await ask(token({ scope: 'orders.write' }))).profile, 'pro_scoped')
  assert.equal((await ask(token({ scope: 'orders.write', ...app }))).profile, 'pro_app')
  assert.equal((await ask(token({}))).profile, 'pro_all')
  assert.equal((await ask(token(app), { 'x-profile-id': 'all' })).profile, 'pro_all')

  put(
    oidc('app', { match: [rule('azp', { values: ['app-1'] })] }),
    oidc('lead', { match: [rule('azp', { values: ['app-1'] }), rule('groups', { values: ['lead'] })] }),
    oidc('named', { match: [rule('azp', { glob: 'app-*' }), rule('azp', { glob: '*' })] }),
  )
  assert.equal((await ask(token({ ...app, groups: ['lead'] }))).profile, 'pro_lead')
  assert.equal((await ask(token(app))).profile, 'pro_app', 'two rules about one claim are one claim')

  put(oidc('app', { match: [rule('azp', { values: ['app-1'] })] }, { active: false }))
  assert.equal(
    (await ask(token(app))).json['code'],
    'profile_inactive',
    'its callers are not those of another',
  )
  served.apply([], ['client:cli_rival'])
})

test('profiles that fit equally well are ambiguous: the record names them, the answer does not', async () => {
  put(
    oidc('one', { match: [rule('azp', { values: ['app-1'] })] }),
    oidc('two', { match: [rule('groups', { values: ['lead'] })] }),
  )
  const answer = await ask(signedBy(FIRST, claims({ azp: 'app-1', groups: 'lead' })))
  assert.equal(answer.json['code'], 'profile_ambiguous')
  assert.equal(answer.reason, 'matches the profiles acme:one, acme:two')
  assert.ok(!answer.text.includes('acme') && !answer.text.includes('one'))
})

test('a new key is fetched when a token names it, and at most every 30 seconds', async () => {
  assert.equal((await ask(signedBy(FIRST, claims()))).status, 200)
  issuer.keys = [FIRST, SECOND]
  await refused(signedBy(SECOND, claims()), 'no key matches the kid and algorithm of the token')
  served.moveClock(31_000)
  assert.equal((await ask(signedBy(SECOND, claims()))).status, 200)
  assert.equal(issuer.times('/keys'), 2)
  for (let i = 0; i < 5; i++)
    await refused(
      signedBy(FIRST, claims({ i }), { kid: `k${i}` }),
      'no key matches the kid and algorithm of the token',
    )
  assert.equal(issuer.times('/keys'), 2)
})

test('keys are refreshed in the background, and what a withdrawn key has proved ends with it', async () => {
  const token = signedBy(FIRST, claims())
  assert.equal((await ask(token)).status, 200)
  issuer.keys = [SECOND]
  served.moveClock(11 * MINUTE)
  assert.equal((await ask(token)).status, 200, 'served while the new set is fetched')
  await eventually(
    () => issuer.times('/keys') === 2,
    () => 'a refresh',
  )
  assert.equal((await ask(signedBy(SECOND, claims()))).status, 200)
  await refused(token, 'no key matches the kid and algorithm of the token')
})

test('an outage is ridden out on the last good set for a day, and is 503 then', async () => {
  const token = signedBy(FIRST, claims())
  assert.equal((await ask(token)).status, 200)
  issuer.status = 500
  for (const ms of [11 * MINUTE, 3 * HOUR, 20 * HOUR]) {
    served.moveClock(ms)
    assert.equal((await ask(signedBy(FIRST, claims({ ms })))).status, 200)
  }
  const unknown = await ask(signedBy(SECOND, claims()))
  assert.equal(unknown.json['code'], 'identity_unavailable', 'its key may be new')
  served.moveClock(2 * HOUR)
  const answer = await refused(token, 'answered 500', 'identity_unavailable')
  assert.equal(answer.status, 503)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  assert.equal(answer.headers['retry-after'], '5')
  issuer.status = 200
  served.moveClock(6000)
  assert.equal((await ask(token)).status, 200)
})

test('an issuer that cannot be asked is 503, asked again after a while, and counts against nobody', async () => {
  issuer.status = 404
  const token = signedBy(FIRST, claims())
  const from = '127.0.0.91'
  const send = () => served.ask(CALL, { headers: { authorization: `Bearer ${token}` }, from })
  for (let i = 0; i < 25; i++) assert.equal((await send()).status, 503)
  assert.equal(issuer.asked.length, 1)
  issuer.status = 200
  assert.equal((await send()).status, 503, 'the failure is remembered for a moment')
  served.moveClock(6000)
  assert.equal((await send()).status, 200)
})

test('a discovery document of another issuer, or with keys elsewhere over http, is not believed', async () => {
  for (const [discovery, reason] of [
    [{ issuer: 'https://other.test' }, 'the discovery document is of another issuer'],
    [{ jwks_uri: 'http://keys.test/keys' }, 'the URL is not https'],
    [
      { jwks_uri: 'https://169.254.169.254/keys' },
      '169.254.169.254 is refused: Postern never calls link-local, metadata, multicast and unspecified addresses',
    ],
    [{ jwks_uri: 7 }, 'the discovery document names no keys'],
    [{ fill: 'x'.repeat(600_000) }, 'the answer is too large'],
  ] as const) {
    issuer.discovery = discovery
    await refused(signedBy(FIRST, claims()), reason, 'identity_unavailable')
    served.moveClock(6000)
  }
})

test('opaque tokens are introspected, once in a minute', async () => {
  put(
    oidc(
      'main',
      { introspection: { credential: 'crd_asker', url: null }, claims: ['dept'] },
      { forward_identity: true },
    ),
  )
  issuer.opaque.set('good', { aud: 'orders', sub: 'bo', iss: issuer.url, exp: seconds() + 600, dept: 'it' })
  issuer.opaque.set('other', { aud: 'billing' })
  issuer.opaque.set('none', {})
  issuer.opaque.set('late', { aud: 'orders', exp: seconds() - 61 })
  const answers = await Promise.all([ask('good'), ask('good')])
  for (const answer of answers) assert.equal(answer.json.headers?.['x-postern-subject'], 'bo')
  assert.equal((await ask('good')).credential, 'introspection')
  assert.equal(issuer.times('/introspect'), 1)
  assert.equal(issuer.authorizations[0], `Basic ${Buffer.from('gate:way').toString('base64')}`)
  await refused('other', 'the token is not for the audience')
  await refused('none', 'the token is not for the audience')
  await refused('late', 'the token has expired')
  await refused('nothing', 'the provider says that the token is not active')
  issuer.opaque.delete('good')
  served.moveClock(61_000)
  await refused('good', 'the provider says that the token is not active')
  issuer.status = 500
  assert.equal((await ask('more')).json['code'], 'identity_unavailable')
})

test('a claim that may have been another number before it was read is not kept', () => {
  const given = {
    long: 2 ** 53,
    short: 2 ** 53 - 1,
    endless: Number.POSITIVE_INFINITY,
    part: 0.5,
    list: [1, 1e20],
  }
  assert.deepEqual(Object.fromEntries(keep(Object.keys(given), given)), {
    short: '9007199254740991',
    part: '0.5',
  })
})

test('times of introspection count as numbers and as digits, and what is no time lets no token in', async () => {
  const introspection = { credential: 'crd_asker', url: null }
  put(oidc('main', { introspection }))
  const opaque = (token: string, given: Plain): void =>
    void issuer.opaque.set(token, { aud: 'orders', ...given })
  opaque('digits', { exp: `${seconds() + 600}`, nbf: `${seconds()}` })
  opaque('null', { exp: null, nbf: null })
  for (const token of ['digits', 'null']) assert.equal((await ask(token)).status, 200, token)
  opaque('late', { exp: `${seconds() - 600}` })
  await refused('late', 'the token has expired')
  opaque('negative', { exp: -1 })
  await refused('negative', 'the token has expired')
  opaque('early', { nbf: `${seconds() + 600}` })
  await refused('early', 'the token is not valid yet')
  for (const [index, time] of ['soon', '', '-1', ' 1', true, [seconds() + 600], { at: 1 }].entries())
    for (const name of ['exp', 'nbf']) {
      opaque(`${name}-${index}`, { [name]: time })
      await refused(`${name}-${index}`, 'the provider returned a time that is not a number')
    }
  issuer.takeOver = ({ url, ...incoming }) => {
    if (url !== '/introspect') return false
    incoming.socket.end(
      'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"active":true,"aud":"orders","exp":1e400}',
    )
    return true
  }
  await refused('endless', 'the provider returned a time that is not a number')
})

test('a provider that does not answer leaves places for other sources of its profile, and for other profiles', async () => {
  const other = await new Issuer(FIRST).listen()
  await using _other = other
  const introspection = { credential: 'crd_asker', url: null }
  put(
    oidc('main', { introspection }),
    oidc('other', { introspection, issuer: other.url, keys: { from: 'discovery', url: other.url } }),
  )
  other.opaque.set('good', { aud: 'orders' })
  const waiting: (() => void)[] = []
  issuer.takeOver = ({ url, socket }) => {
    if (url === '/introspect') waiting.push(() => socket.destroy())
    return url === '/introspect'
  }
  const codes: unknown[] = []
  const send = async (token: string, from: string, slug = 'main'): Promise<Answer> => {
    const headers = { authorization: `Bearer ${token}`, 'x-profile-id': `pro_${slug}` }
    const answer = await served.ask(CALL, { headers, from })
    codes.push(answer.json['code'])
    return answer
  }
  const flood = (from: string): Promise<Answer>[] =>
    Array.from({ length: 80 }, (_, index) => send(`${from}-${index}`, from))
  const asked = flood('127.8.8.8')
  await eventually(() => waiting.length === 32 && codes.length === 48)
  asked.push(...flood('127.8.8.9'))
  await eventually(() => waiting.length === 48 && codes.length === 112)
  assert.equal((await send('good', '127.8.8.8', 'other')).status, 200)
  for (const end of waiting) end()
  await Promise.all(asked)
  issuer.takeOver = null
  issuer.opaque.set('good', { aud: 'orders' })
  assert.equal((await send('good', '127.8.8.8')).status, 200)
})

test('a throttled source has one new introspection a second, and a token that was introspected passes', async () => {
  put(oidc('main', { introspection: { credential: 'crd_asker', url: null } }))
  const from = '127.9.9.9'
  const send = async (token: string): Promise<unknown> => {
    const answer = await served.ask(CALL, { headers: { authorization: `Bearer ${token}` }, from })
    return answer.status === 200 ? 200 : answer.json['code']
  }
  for (const token of ['known', 'new']) issuer.opaque.set(token, { aud: 'orders', exp: seconds() + 600 })
  assert.equal(await send('known'), 200)
  for (let i = 0; i < 20; i++) assert.equal(await send(`stale-${i}`), 'credential_invalid')
  const asked = issuer.times('/introspect')
  assert.equal(await send('stale-20'), 'auth_throttled')
  assert.equal(issuer.times('/introspect'), asked + 1, 'the new verification of this second')
  assert.deepEqual([await send('stale-21'), await send('new')], ['auth_throttled', 'auth_throttled'])
  assert.equal(issuer.times('/introspect'), asked + 1)
  assert.equal(await send('known'), 200)
  served.moveClock(1000)
  assert.equal(await send('stale-20'), 'auth_throttled')
  assert.equal(await send('new'), 200, 'a token that has failed takes no turn')
})

test('a link-local address that discovery names for introspection is not asked', async () => {
  issuer.discovery = { introspection_endpoint: 'https://169.254.169.254/introspect' }
  put(oidc('main', { introspection: { credential: 'crd_asker', url: null } }))
  await refused(
    'good',
    'introspection: 169.254.169.254 is refused: Postern never calls link-local, metadata, multicast and unspecified addresses',
    'identity_unavailable',
  )
})

test('introspection that discovery names at another private server is not asked, and one that the profile names is', async () => {
  const url = `${issuer.url.replace('127.0.0.1', 'localhost')}/introspect`
  issuer.discovery = { introspection_endpoint: url }
  issuer.opaque.set('good', { aud: 'orders', iss: issuer.url, exp: seconds() + 600 })
  put(oidc('main', { introspection: { credential: 'crd_asker', url: null } }))
  await refused(
    'good',
    'introspection: localhost is refused: its address is not public, and no administrator has configured this URL. Add localhost to POSTERN_EGRESS_ALLOW to allow it',
    'identity_unavailable',
  )
  assert.equal(issuer.times('/introspect'), 0)
  put(oidc('main', { introspection: { credential: 'crd_asker', url } }))
  assert.equal((await ask('good')).status, 200)
})

test('a token of Postern is never sent to a provider', async () => {
  put(oidc('main', { introspection: { credential: 'crd_asker', url: null } }))
  await refused(`pst_pk_${'a'.repeat(63)}`, 'unknown token')
  for (const kind of ['at', 'pt', 'cs', 'js', 'su']) {
    const answer = await ask(`pst_${kind}_${'a'.repeat(63)}`)
    assert.equal(answer.status, 401, kind)
  }
  assert.deepEqual(issuer.asked, [])
})
