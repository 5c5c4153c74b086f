import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RequestRecord } from '../../src/model/record.ts'
import { Issuer, signedBy, signedWith, signingKey } from '../support/issuer.ts'
import { publishOrders, type Reply, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const ORDER = '/orders/v1/orders/7'
const KEY = signingKey('one')
const FOREIGN_KEY = signingKey('one')
/** After the token of the profile `token-old` has expired. */
const LATER_MS = 61_000
const RFC9440 = ':MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA=:'

let server: TestServer
let upstream: TestUpstream
let issuer: Issuer
/** Ids that records name, by slug. */
const recorded = new Map<string, string>()
/** What proves each profile to be the caller, by its slug. Profiles of type none have none. */
const proofs = new Map<string, string>()

before(async () => {
  upstream = await startUpstream()
  issuer = await new Issuer(KEY).listen()
  server = await startTestServer({ workers: 1 })
  await publishOrders(server, upstream.url)
  await server.manage('POST', '/clients', {
    name: 'Other',
    slug: 'other',
    collections: ['orders'],
    profiles: [{ name: 'Open', slug: 'other-open', auth: { type: 'none' } }],
  })
  for (const type of ['none', 'token', 'jwt', 'oidc'] as const) {
    const auth = authOf(type)
    await made(type, auth)
    await made(`${type}-blocked`, type === 'jwt' ? { type, issuer: 'https://blocked.test' } : auth, {
      ip_allowlist: ['10.0.0.0/8'],
    })
  }
  await made('token-old', { type: 'token', expires_in: '1m' })
  recorded.set('acme', (await server.manage('GET', '/clients/acme')).json.id)
  server.moveClock(LATER_MS)
})
after(async () => {
  await server?.stop()
  await issuer?.[Symbol.asyncDispose]()
  await upstream?.close()
})

function authOf(type: 'none' | 'token' | 'jwt' | 'oidc'): Record<string, unknown> {
  if (type === 'jwt') return { type, issuer: 'https://jobs.test' }
  if (type === 'oidc') return { type, issuer: issuer.url, audience: 'orders' }
  return { type }
}

async function made(slug: string, auth: Record<string, unknown>, more: object = {}): Promise<void> {
  // Two profiles of one provider are told apart by a claim
  const match = auth['type'] === 'oidc' ? { match: [{ claim: 'for', equals: slug }] } : {}
  const body = { client: 'acme', name: slug, slug, auth: { ...auth, ...match }, ...more }
  const { status, json, text } = await server.manage('POST', '/profiles', body)
  assert.equal(status, 201, text)
  recorded.set(slug, json.id)
  const proof = json.token ?? json.signing_secret
  if (proof !== undefined) proofs.set(slug, proof)
}

function claims(slug: string, lifetime: number): Record<string, unknown> {
  const now = Math.floor((Date.now() + LATER_MS) / 1000)
  if (slug.startsWith('oidc')) return { iss: issuer.url, aud: 'orders', for: slug, exp: now + lifetime }
  const iss = slug === 'jwt' ? 'https://jobs.test' : 'https://blocked.test'
  return { iss, iat: now - 600, exp: now + lifetime }
}

/** A credential of a profile: right, ended some time ago, or made by somebody else. */
function credential(slug: string, kind: 'valid' | 'expired' | 'wrong'): string | undefined {
  const lifetime = kind === 'expired' ? -300 : 300
  if (slug.startsWith('none')) return undefined
  if (slug.startsWith('oidc')) return signedBy(kind === 'wrong' ? FOREIGN_KEY : KEY, claims(slug, lifetime))
  if (slug.startsWith('jwt'))
    return signedWith(kind === 'wrong' ? 'x'.repeat(43) : proofs.get(slug)!, claims(slug, lifetime))
  const token = proofs.get(kind === 'expired' ? 'token-old' : slug)!
  if (kind !== 'wrong') return token
  const other = proofs.get('token-old')!.split('_')
  // The lookup id of one with the secret of another
  return [...token.split('_').slice(0, 3), ...other.slice(3)].join('_')
}

interface Case {
  readonly slug: string
  readonly what: string
  readonly token?: string | undefined
  readonly headers?: Record<string, string>
  readonly status: number
  readonly code: string
}

function idsOf(slug: string): Record<string, string> {
  return { 'x-client-id': 'acme', 'x-profile-id': slug }
}

/** What each type answers to each situation; `''` stands for a call that arrives. */
function casesOf(type: 'none' | 'token' | 'jwt' | 'oidc'): Case[] {
  const valid = credential(type, 'valid')
  const ids = idsOf(type)
  const cases: Case[] = [
    { slug: type, what: 'valid, with ids', token: valid, headers: ids, status: 200, code: '' },
    {
      slug: type,
      what: "another client's id",
      token: valid,
      headers: { ...ids, 'x-client-id': 'other' },
      status: 403,
      code: 'identity_rejected',
    },
    {
      slug: `${type}-blocked`,
      what: 'a blocked address',
      token: credential(`${type}-blocked`, 'valid'),
      headers: idsOf(`${type}-blocked`),
      status: 403,
      code: 'ip_not_allowed',
    },
    {
      slug: type,
      what: 'a certificate field of its own making',
      token: valid,
      headers: { ...ids, 'client-cert': RFC9440, 'x-forwarded-client-cert': 'Hash=00;Subject="CN=acme"' },
      status: 200,
      code: '',
    },
  ]
  if (type === 'none')
    return [
      ...cases,
      { slug: type, what: 'no ids', status: 401, code: 'credentials_missing' },
      {
        slug: type,
        what: 'unknown ids',
        headers: { 'x-client-id': 'acme', 'x-profile-id': 'nobody' },
        status: 403,
        code: 'identity_rejected',
      },
      {
        slug: type,
        what: 'nothing but a certificate field',
        headers: { 'client-cert': RFC9440 },
        status: 401,
        code: 'credentials_missing',
      },
    ]
  const expired = type === 'token' ? 'token-old' : type
  return [
    ...cases,
    { slug: type, what: 'valid, without ids', token: valid, status: 200, code: '' },
    { slug: type, what: 'ids alone', headers: ids, status: 401, code: 'credentials_missing' },
    ...[{}, ids].flatMap((headers): Case[] => {
      const how = headers === ids ? 'with ids' : 'without ids'
      return [
        {
          slug: type,
          what: `wrong, ${how}`,
          token: credential(type, 'wrong'),
          headers,
          status: 401,
          code: 'credential_invalid',
        },
        {
          slug: expired,
          what: `expired, ${how}`,
          token: credential(type, 'expired'),
          headers: headers === ids ? idsOf(expired) : {},
          status: 401,
          code: 'credential_expired',
        },
      ]
    }),
    {
      slug: type,
      what: 'the id of a profile of another type',
      token: valid,
      headers: { ...ids, 'x-profile-id': 'none' },
      status: 403,
      code: 'identity_rejected',
    },
  ]
}

/** The record that an answer names, once it is there. */
async function recordOf(answer: Reply): Promise<RequestRecord> {
  const id = answer.headers.get('x-request-id')
  const { json } = await until(
    () => server.manage('GET', `/records/${id}`),
    ({ status }) => status === 200,
  )
  return json
}

for (const type of ['none', 'token', 'jwt', 'oidc'] as const)
  test(`every situation of a caller of type ${type} has its answer and its record`, async () => {
    for (const { slug, what, token, headers = {}, status, code } of casesOf(type)) {
      const before = upstream.seen.length
      const reply = await server.gateway('GET', ORDER, { ...(token === undefined ? {} : { token }), headers })
      assert.deepEqual([reply.status, status === 200 ? '' : reply.json.code], [status, code], what)
      assert.equal(upstream.seen.length - before, status === 200 ? 1 : 0, what)
      if (status === 200) {
        const got = upstream.seen.at(-1)!.headers
        for (const name of ['authorization', 'x-client-id', 'client-cert', 'x-forwarded-client-cert'])
          assert.equal(got[name], undefined, `${what}: ${name}`)
      }
      const record = await recordOf(reply)
      assert.equal(record.status, status, what)
      assert.equal(record.code ?? '', code, what)
      if (status === 200 || code === 'ip_not_allowed')
        assert.deepEqual([record.client, record.profile], [recorded.get('acme'), recorded.get(slug)], what)
    }
  })
