import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Plain } from '../../src/base/json/storable.ts'
import { createKeyMemory, openKeyMemory } from '../../src/shared-state/memory/key-memory.ts'
import type { Once } from '../../src/shared-state/ports/memory.ts'
import type { ProfileFragment, VerifyFragment } from '../../src/snapshot/fragments.ts'
import { part, type SigningKey, signedBy, signedWith, signingKey } from '../support/issuer.ts'
import { client, collection, profile, proxy, upstream } from './fragments.ts'
import { type Answer, type Served, serve } from './serve.ts'

const CALL = '/orders/v1/orders/7'
const SECRET = `pst_js_${'a'.repeat(57)}`
const OLD = `pst_js_${'b'.repeat(57)}`
const seal = (text: string): string => [...text].reverse().join('')
const EC = signingKey('ec')
const RSA = signingKey('rsa', 'RS256')
const ED = signingKey('ed', 'EdDSA')
const P384 = signingKey('p384', 'ES384')
const P521 = signingKey('p521', 'ES512')

function verify(given: Partial<VerifyFragment>): VerifyFragment {
  return {
    issuer: 'acme',
    audience: null,
    algs: ['HS256', 'HS384', 'HS512'],
    skew_ms: 60_000,
    lifetime_ms_max: 3_600_000,
    required_claims: [],
    required_scopes: [],
    match: [],
    accept_id_tokens: true,
    once: false,
    claims: [],
    keys: {
      from: 'secrets',
      secrets: [
        { id: 'sec_old', lookup: 'old', sealed: seal(OLD), retires_at: null },
        { id: 'sec_new', lookup: 'new', sealed: seal(SECRET), retires_at: null },
      ],
    },
    introspection: null,
    ...given,
  }
}

const ASYMMETRIC = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
const jwt = (slug: string, given: Partial<VerifyFragment>, more: Partial<ProfileFragment> = {}) =>
  profile(slug, { auth: 'jwt', verify: verify(given), ...more })
const keysOf = (...keys: SigningKey[]): VerifyFragment['keys'] => ({
  from: 'profile',
  keys: keys.map(({ jwk: { alg: _, ...jwk } }) => ({ jwk, retires_at: null })),
})

let served: Served

before(async () => {
  served = await serve((port) => [
    collection('orders', { upstream: upstream(port), proxies: [proxy('all', '/*')] }),
    client('acme', {
      profiles: [
        jwt('signed', { claims: ['team', 'roles', 'realm.name'] }, { forward_identity: true }),
        jwt('partner', {
          issuer: 'https://id.partner.test',
          audience: 'orders',
          algs: ASYMMETRIC,
          keys: keysOf(EC, RSA, ED, P384, P521),
          required_claims: [{ claim: 'tier', values: ['gold', 'silver'], glob: null }],
        }),
      ],
    }),
    client('twins', {
      profiles: [
        jwt('left', { issuer: 'https://twins.test' }),
        jwt('right', { issuer: 'https://twins.test' }),
        jwt('off', { issuer: 'https://half.test' }, { active: false }),
        jwt('on', { issuer: 'https://half.test' }),
      ],
    }),
  ])
})

after(() => served.close())

const seconds = (): number => Math.floor(served.now() / 1000)
const claims = (given: Plain = {}): Plain => ({
  iss: 'acme',
  sub: 'ann',
  iat: seconds(),
  exp: seconds() + 300,
  ...given,
})
const partner = (given: Plain = {}): Plain =>
  claims({ iss: 'https://id.partner.test', aud: 'orders', tier: 'gold', ...given })

let source = 0
/** Asks from an address of its own, so that no test throttles another. */
async function ask(
  token: string,
  headers: Record<string, string> = {},
): Promise<Answer & { reason: string; credential: string; profile: string; subject: string }> {
  const index = served.records.length
  const from = `127.1.${++source >> 8}.${source & 255 || 1}`
  const answer = await served.ask(CALL, { headers: { authorization: `Bearer ${token}`, ...headers }, from })
  const record = await served.record(index)
  const { reason, credentialId: credential, profile, subject } = record
  return { ...answer, reason, credential, profile, subject }
}

async function refused(token: string, reason: string, code = 'credential_invalid'): Promise<void> {
  const answer = await ask(token)
  assert.equal(answer.json['code'], code, `${reason}: ${answer.text}`)
  assert.equal(answer.reason, reason)
  if (reason !== 'expired') assert.ok(!answer.text.includes(reason))
}

test('a token that is signed with a secret of the profile names its caller, by either secret of a rotation', async () => {
  for (const alg of ['HS256', 'HS384', 'HS512']) {
    const answer = await ask(signedWith(SECRET, claims(), { alg }))
    assert.equal(answer.status, 200)
    assert.equal(answer.profile, 'pro_signed')
    assert.equal(answer.credential, 'sec_new')
  }
  assert.equal((await ask(signedWith(OLD, claims()))).credential, 'sec_old')
  assert.equal((await ask(signedWith(OLD, claims(), { kid: 'old' }))).credential, 'sec_old')
  await refused(signedWith(OLD, claims(), { kid: 'new' }), 'wrong signature')
  await refused(
    signedWith(OLD, claims(), { kid: '../../dev/null' }),
    'no profile of the issuer has the audience, key and claims',
  )
})

test('the same token works again and again, until it expires', async () => {
  const token = signedWith(SECRET, claims({ exp: seconds() + 30 }))
  for (let i = 0; i < 3; i++) assert.equal((await ask(token)).status, 200)
  // The rest of the skew is for a machine that is busy
  served.moveClock(80_000)
  assert.equal((await ask(token)).status, 200, 'inside of the skew')
  served.moveClock(10_000)
  await refused(token, 'expired', 'credential_expired')
})

test('asymmetric algorithms are proved by the key of the kid and of the type', async () => {
  for (const [key, alg] of [
    [EC, 'ES256'],
    [P384, 'ES384'],
    [P521, 'ES512'],
    [ED, 'EdDSA'],
    [RSA, 'RS256'],
    [RSA, 'RS384'],
    [RSA, 'RS512'],
    [RSA, 'PS256'],
    [RSA, 'PS384'],
    [RSA, 'PS512'],
  ] as const) {
    const answer = await ask(signedBy(key, partner(), { alg }))
    assert.equal(answer.status, 200, `${alg}: ${answer.reason}`)
    assert.equal(answer.credential, key.kid)
    assert.equal((await ask(signedBy(key, partner({ n: alg }), { alg, kid: undefined }))).status, 200)
  }
})

test('the algorithm of a token never decides how a key is used', async () => {
  const pem = RSA.key.export({ format: 'pem', type: 'pkcs8' }) as string
  const n = String(RSA.jwk['n'])
  await refused(signedWith(pem, partner(), { alg: 'HS256', kid: 'rsa' }), 'the algorithm is not allowed')
  await refused(
    signedWith(Buffer.from(n, 'base64url'), partner(), { kid: 'rsa' }),
    'the algorithm is not allowed',
  )
  await refused(signedBy(EC, partner(), { kid: 'rsa' }), 'wrong signature')
  await refused(signedBy(RSA, partner(), { alg: 'RS256', kid: 'ec' }), 'wrong signature')
  const [head, body, tail] = signedBy(EC, partner()).split('.') as [string, string, string]
  for (const alg of ['none', 'None', 'NONE', '', 'ES256K', 'HS1', 'constructor', '__proto__'])
    await refused(`${part({ alg, kid: 'ec' })}.${body}.${tail}`, 'the algorithm is not known')
  await refused(`${part({ kid: 'ec' })}.${body}.${tail}`, 'the algorithm is not known')
  assert.equal((await ask(`${head}.${body}.`)).json['code'], 'credential_invalid')
})

test('a changed header, claim or signature is refused', async () => {
  const token = signedBy(EC, partner())
  const [head, body, tail] = token.split('.') as [string, string, string]
  await refused(`${head}.${part(partner({ sub: 'eve' }))}.${tail}`, 'wrong signature')
  await refused(`${head}.${body}.${tail.slice(4)}AAAA`, 'wrong signature')
  await refused(`${head}.${body}.AAAA`, 'wrong signature')
  await refused(`${head}.${body}.${part('\0'.repeat(64))}`, 'wrong signature')
  await refused(signedBy(signingKey('ec'), partner()), 'wrong signature')
})

test('what two readers could read differently is refused unread', async () => {
  const [head, body, tail] = signedBy(EC, partner()).split('.') as [string, string, string]
  const header = (text: string): string => `${part(text)}.${body}.${tail}`
  for (const [token, reason] of [
    [header('{"alg":"none","alg":"ES256","kid":"ec"}'), 'the header of the token is broken'],
    [header('{"alg":"ES256","al\\u0067":"none"}'), 'the header of the token is broken'],
    [header('{"alg":"ES256","crit":["exp"],"exp":1}'), 'the header contains crit'],
    [header('{"alg":"ES256","b64":false}'), 'the header contains b64'],
    [header('{"alg":"ES256","zip":"DEF"}'), 'the header contains zip'],
    [header('{"alg":"ES256","kid":7}'), 'the kid is no plain text'],
    [header('{"alg":"ES256","kid":"a\\nb"}'), 'the kid is no plain text'],
    [header('{"alg":"ES256","typ":"dpop+jwt"}'), 'the type of the token is not known'],
    [`${head}=.${body}.${tail}`, 'the header of the token is broken'],
    [`${head}.${part('{"iss":"a","iss":"b"}')}.${tail}`, 'the claims of the token are broken'],
    [`${head}.${part('{"a":{"b":1,"b":2}}')}.${tail}`, 'the claims of the token are broken'],
    [`${head}.${part('{"exp":"1"}')}.${tail}`, 'exp is no time'],
    [`${head}.${part('{"sub":{"a":1}}')}.${tail}`, 'sub is no plain text'],
    [`${head}.${part('{"aud":[["orders"]]}')}.${tail}`, 'aud is neither text nor a list of texts'],
    [`${head}.${body}.${tail}!`, 'the signature is broken'],
    [signedBy(EC, partner({ fill: 'x'.repeat(8000) })), 'the token is too long'],
  ] as const)
    await refused(token, reason)
})

test('times, lifetime, audience and claims must fit', async () => {
  await refused(signedWith(SECRET, claims({ exp: undefined })), 'the token has no exp')
  await refused(signedWith(SECRET, claims({ exp: seconds() - 61 })), 'expired', 'credential_expired')
  await refused(signedWith(SECRET, claims({ nbf: seconds() + 90 })), 'the token is not valid yet')
  await refused(signedWith(SECRET, claims({ iat: seconds() + 90 })), 'the token is not valid yet')
  const long = 'the lifetime of the token exceeds max_lifetime'
  await refused(signedWith(SECRET, claims({ exp: seconds() + 3700 })), long)
  await refused(signedWith(SECRET, claims({ iat: undefined, exp: seconds() + 3700 })), long)
  await refused(signedWith(SECRET, claims({ iat: seconds() - 3000, exp: seconds() + 900 })), long)
  assert.equal((await ask(signedWith(SECRET, claims({ nbf: seconds() + 30 })))).status, 200)
  const none = 'no profile of the issuer has the audience, key and claims'
  await refused(signedBy(EC, partner({ aud: 'billing' })), none)
  await refused(signedBy(EC, partner({ aud: undefined })), none)
  assert.equal((await ask(signedBy(EC, partner({ aud: ['billing', 'orders'] })))).status, 200)
  const tier = 'a required claim is missing or has another value'
  await refused(signedBy(EC, partner({ tier: 'lead' })), tier)
  await refused(signedBy(EC, partner({ tier: undefined })), tier)
  assert.equal((await ask(signedBy(EC, partner({ tier: ['lead', 'silver'] })))).status, 200)
  await refused(signedWith(SECRET, claims({ iss: 'nobody' })), 'no profile has the issuer')
})

test('ids narrow where several profiles fit, and must agree', async () => {
  const token = signedWith(SECRET, claims({ iss: 'https://twins.test' }))
  assert.equal((await ask(token)).json['code'], 'profile_ambiguous')
  assert.equal((await ask(token, { 'x-client-id': 'twins' })).json['code'], 'profile_ambiguous')
  for (const side of ['left', 'right'])
    for (let i = 0; i < 2; i++)
      assert.equal((await ask(token, { 'x-profile-id': side })).profile, `pro_${side}`)
  assert.equal((await ask(token)).json['code'], 'profile_ambiguous', 'what ids decided holds with them alone')
  assert.equal((await ask(token, { 'x-client-id': 'acme' })).json['code'], 'identity_rejected')
  const half = await ask(signedWith(SECRET, claims({ iss: 'https://half.test' })))
  assert.equal(half.profile, 'pro_on')
})

test('the subject goes to the upstream and the record, and the token to neither', async () => {
  const token = signedWith(
    SECRET,
    claims({ sub: 'Ann Ä 7%', team: 'core', roles: ['a', 'b'], realm: { name: 'x' } }),
  )
  const answer = await ask(token)
  assert.equal(answer.json.headers?.['x-postern-subject'], encodeURIComponent('Ann Ä 7%'))
  assert.equal(answer.json.headers?.['x-postern-profile'], 'signed')
  assert.equal(answer.json.headers?.['authorization'], undefined)
  assert.equal(answer.subject, 'Ann Ä 7%')
  assert.ok(!JSON.stringify(served.records.at(-1)).includes(token.slice(-20)))
  await refused(signedWith(SECRET, claims({ sub: 'a\r\nX-Evil: 1' })), 'sub is no plain text')
})

test('what was proved is dropped at once when the key or the profile goes', async () => {
  const put = (given: Partial<VerifyFragment>, more: Partial<ProfileFragment> = {}) =>
    served.apply([
      client('turning', { profiles: [jwt('turning-main', { issuer: 'turning', ...given }, more)] }),
    ])
  const token = signedWith(SECRET, claims({ iss: 'turning' }))
  put({})
  assert.equal((await ask(token)).status, 200)
  put({
    keys: { from: 'secrets', secrets: [{ id: 'sec_2', lookup: 'x', sealed: seal(OLD), retires_at: null }] },
  })
  await refused(token, 'wrong signature')
  const retires_at = served.now() + 1000
  put({
    keys: { from: 'secrets', secrets: [{ id: 'sec_1', lookup: 'y', sealed: seal(SECRET), retires_at }] },
  })
  assert.equal((await ask(token)).status, 200)
  served.moveClock(1001)
  await refused(token, 'retired by rotation', 'credential_expired')
  put({})
  assert.equal((await ask(token)).status, 200)
  put({}, { active: false })
  assert.equal((await ask(token)).json['code'], 'profile_inactive')
  served.apply([], ['client:cli_turning'])
  await refused(token, 'no profile has the issuer')
})

test('where a token may be used once, its second use is refused, and so is one without a name', async () => {
  served.apply([
    client('single', {
      profiles: [jwt('once', { issuer: 'once', once: true }), jwt('twice', { issuer: 'twice' })],
    }),
  ])
  const token = signedWith(SECRET, claims({ iss: 'once', jti: 'a' }))
  assert.equal((await ask(token)).status, 200)
  await refused(token, 'the token was used before')
  await refused(signedWith(SECRET, claims({ iss: 'once', jti: 'a', n: 1 })), 'the token was used before')
  await refused(signedWith(SECRET, claims({ iss: 'once' })), 'the token has no jti')
  await refused(signedWith(SECRET, claims({ iss: 'once', jti: 7 })), 'the token has no jti')
  assert.equal((await ask(signedWith(SECRET, claims({ iss: 'once', jti: 'b' })))).status, 200)
  for (let i = 0; i < 2; i++)
    assert.equal((await ask(signedWith(SECRET, claims({ iss: 'twice', jti: 'a' })))).status, 200)
})

test('where used tokens are kept in another process, their answer is waited for, and without one the token is refused', async (t) => {
  const memory = openKeyMemory(createKeyMemory(64))
  let isReachable = true
  const usedTokens: Once = {
    claim: async (...given) => (isReachable ? memory.claim(...given) : 'unavailable'),
  }
  const elsewhere = await serve(
    (port) => [
      collection('orders', { upstream: upstream(port), proxies: [proxy('all', '/*')] }),
      client('single', { profiles: [jwt('once', { issuer: 'once', once: true })] }),
    ],
    { usedTokens },
  )
  t.after(() => elsewhere.close())
  const iat = Math.floor(elsewhere.now() / 1000)
  const token = signedWith(SECRET, claims({ iss: 'once', jti: 'a', iat, exp: iat + 300 }))
  const ask = async (): Promise<unknown> => {
    const answer = await elsewhere.ask(CALL, { headers: { authorization: `Bearer ${token}` } })
    return answer.status === 200 ? 200 : answer.json['code']
  }
  assert.deepEqual([await ask(), await ask()], [200, 'credential_invalid'])
  isReachable = false
  assert.equal(await ask(), 'identity_unavailable')
})

test('a client whose tokens may be used once signs ever new ones, and those of another client are remembered all the same', async (t) => {
  const crowded = await serve(
    (port) => [
      collection('orders', { upstream: upstream(port), proxies: [proxy('all', '/*')] }),
      client('greedy', { profiles: [jwt('greedy-once', { issuer: 'greedy', once: true })] }),
      client('single', { profiles: [jwt('once', { issuer: 'once', once: true })] }),
    ],
    { usedTokens: openKeyMemory(createKeyMemory(32)) },
  )
  t.after(() => crowded.close())
  const iat = Math.floor(crowded.now() / 1000)
  const ask = async (iss: string, jti: string): Promise<unknown> => {
    const token = signedWith(SECRET, claims({ iss, jti, iat, exp: iat + 300 }))
    const answer = await crowded.ask(CALL, { headers: { authorization: `Bearer ${token}` } })
    return answer.status === 200 ? 200 : answer.json['code']
  }
  const greedy: unknown[] = []
  for (let n = 0; n < 40; n++) greedy.push(await ask('greedy', `t${n}`))
  assert.deepEqual([greedy[0], greedy.at(-1)], [200, 'identity_unavailable'])
  assert.deepEqual([await ask('once', 'a'), await ask('once', 'a')], [200, 'credential_invalid'])
})

test('a throttled source has one new verification a second for a profile, and tokens that were verified pass', async () => {
  const from = '127.0.0.77'
  const send = async (token: string): Promise<unknown> => {
    const answer = await served.ask(CALL, { headers: { authorization: `Bearer ${token}` }, from })
    return answer.status === 200 ? 200 : answer.json['code']
  }
  const known = signedWith(SECRET, claims({ known: true }))
  assert.equal(await send(known), 200)
  // Made once: with the next second the same claims are another token
  const wrong = Array.from({ length: 20 }, (_, i) => signedWith('wrong', claims({ i })))
  for (const token of wrong) assert.equal(await send(token), 'credential_invalid')
  const [first, second, third] = [1, 2, 3].map((n) => signedWith(SECRET, claims({ n }))) as [
    string,
    string,
    string,
  ]
  // What can be refused without a signature takes nobody's turn
  for (let i = 0; i < 3; i++)
    assert.equal(await send(signedWith(SECRET, claims({ exp: seconds() - 3600, i }))), 'auth_throttled')
  assert.equal(await send(wrong[19]!), 'auth_throttled')
  assert.equal(await send(first), 200)
  assert.equal(await send(second), 'auth_throttled')
  const index = served.records.length
  const answer = await served.ask(CALL, { headers: { authorization: `Bearer ${third}` }, from })
  assert.ok(Number(answer.headers['retry-after']) > 0)
  assert.equal((await served.record(index)).stoppedAt, 8)
  for (let i = 0; i < 5; i++) assert.deepEqual([await send(known), await send(first)], [200, 200])
  served.moveClock(1000)
  assert.equal(await send(second), 200)
  assert.equal(await send(third), 'auth_throttled')
  assert.equal(await send(signedBy(EC, partner())), 200, 'another profile')
})
