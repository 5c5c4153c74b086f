import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RequestRecord } from '../../src/model/record.ts'
import { type Issued, issue } from '../certificates.ts'
import { Issuer, signedBy, signedWith, signingKey } from '../support/issuer.ts'
import { callSecurely, startSecureServer } from './secure.ts'
import { publishOrders, type Reply, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const ORDER = '/orders/v1/orders/7'
const KEY = signingKey('one')
const FOREIGN_KEY = signingKey('one')
/** After the token of the profile `token-old` has expired. */
const LATER_MS = 61_000
const TYPES = ['none', 'token', 'jwt', 'oidc', 'mtls'] as const
type Type = (typeof TYPES)[number]

const root = issue({ name: 'Root' })
const stranger = issue({ name: 'Root' })
const certificateOf = (slug: string, more: { issuer?: Issued; until?: number } = {}): Issued =>
  issue({ name: slug, issuer: root, uris: [`urn:${slug}`], ...more })
/** The very certificate that a profile of type mtls is bound to, as a proxy would tell of it. */
const TOLD = certificateOf('mtls')
const SPOOFED = {
  'client-cert': `:${TOLD.der.toString('base64')}:`,
  'x-forwarded-client-cert': `Hash=${TOLD.sha256};Cert="${encodeURIComponent(TOLD.certificate)}"`,
}

let server: TestServer
let upstream: TestUpstream
let issuer: Issuer
/** Ids that records name, by slug. */
const recorded = new Map<string, string>()
/** What proves each profile to be the caller, by its slug. Profiles of type none have none. */
const proofs = new Map<string, string>()
/** Ids of credentials as records name them, by the slug of their profile. */
const credentialIds = new Map<string, string>()

before(async () => {
  upstream = await startUpstream()
  issuer = await new Issuer(KEY).listen()
  server = await startSecureServer([root, stranger])
  await publishOrders(server, upstream.url)
  await server.manage('POST', '/clients', {
    name: 'Other',
    slug: 'other',
    collections: ['orders'],
    profiles: [{ name: 'Open', slug: 'other-open', auth: { type: 'none' } }],
  })
  for (const type of TYPES) {
    await made(type, authOf(type, type))
    const blocked = `${type}-blocked`
    await made(blocked, authOf(type, blocked), { ip_allowlist: ['10.0.0.0/8'] })
  }
  await made('token-old', { type: 'token', expires_in: '1m' })
  for (const slug of ['acme', 'other'])
    recorded.set(slug, (await server.manage('GET', `/clients/${slug}`)).json.id)
  for (const type of ['token', 'jwt', 'mtls']) {
    const { json: state } = await server.manage('GET', `/profiles/acme:${type}/state`)
    credentialIds.set(type, state.credentials[0].id)
  }
  credentialIds.set('oidc', KEY.kid)
  server.moveClock(LATER_MS)
})
after(async () => {
  await server?.stop()
  await issuer?.[Symbol.asyncDispose]()
  await upstream?.close()
})

function authOf(type: Type, slug: string): Record<string, unknown> {
  switch (type) {
    case 'jwt':
      return { type, issuer: `https://${slug}.test` }
    case 'oidc':
      // Two profiles of one provider are told apart by a claim
      return { type, issuer: issuer.url, audience: 'orders', match: [{ claim: 'for', equals: slug }] }
    case 'mtls':
      return { type, bindings: [{ ca: root.certificate, san_uri: `urn:${slug}` }] }
    default:
      return { type }
  }
}

async function made(slug: string, auth: Record<string, unknown>, more: object = {}): Promise<void> {
  const body = { client: 'acme', name: slug, slug, auth, ...more }
  const { status, json, text } = await server.manage('POST', '/profiles', body)
  assert.equal(status, 201, text)
  recorded.set(slug, json.id)
  const proof = json.token ?? json.signing_secret
  if (proof !== undefined) proofs.set(slug, proof)
}

function claims(slug: string, lifetime: number): Record<string, unknown> {
  const now = Math.floor((Date.now() + LATER_MS) / 1000)
  if (slug.startsWith('oidc')) return { iss: issuer.url, aud: 'orders', for: slug, exp: now + lifetime }
  return { iss: `https://${slug}.test`, iat: now - 600, exp: now + lifetime }
}

/** What a caller shows: a bearer token, or a certificate. */
interface Shown {
  readonly token?: string
  readonly over?: readonly Issued[]
}

/** A credential of a profile: right, ended some time ago, or made by somebody else. */
function credential(slug: string, kind: 'valid' | 'expired' | 'wrong'): Shown {
  const lifetime = kind === 'expired' ? -300 : 300
  if (slug.startsWith('none')) return {}
  if (slug.startsWith('mtls'))
    return {
      over: [
        certificateOf(slug, {
          ...(kind === 'wrong' && { issuer: stranger }),
          ...(kind === 'expired' && { until: Date.now() - 1000 }),
        }),
      ],
    }
  if (slug.startsWith('oidc'))
    return { token: signedBy(kind === 'wrong' ? FOREIGN_KEY : KEY, claims(slug, lifetime)) }
  if (slug.startsWith('jwt'))
    return {
      token: signedWith(kind === 'wrong' ? 'x'.repeat(43) : proofs.get(slug)!, claims(slug, lifetime)),
    }
  const token = proofs.get(kind === 'expired' ? 'token-old' : slug)!
  if (kind !== 'wrong') return { token }
  const other = proofs.get('token-old')!.split('_')
  // The lookup id of one with the secret of another
  return { token: [...token.split('_').slice(0, 3), ...other.slice(3)].join('_') }
}

interface Case {
  readonly slug: string
  readonly what: string
  readonly shown?: Shown
  readonly headers?: Record<string, string>
  readonly status: number
  readonly code: string
  /** Slugs of whom the record names where it is not the profile; null for nobody. */
  readonly names?: readonly [client: string, profile: null] | null
}

/** What records say of credentials that prove nothing, and callers are not told. */
const REASONS: Record<string, Partial<Record<Type, string>>> = {
  credential_invalid: {
    token: 'wrong secret',
    jwt: 'wrong signature',
    oidc: 'wrong signature',
    mtls: 'CERT_SIGNATURE_FAILURE',
  },
  credential_expired: {
    token: 'the token has expired',
    jwt: 'expired',
    oidc: 'expired',
    mtls: 'a certificate of the chain has expired',
  },
}
const STOPPED_AT: Record<string, number> = {
  credentials_missing: 5,
  identity_rejected: 5,
  ip_not_allowed: 7,
  credential_invalid: 9,
  credential_expired: 9,
}

function rejection(type: Type, what: string): string {
  if (type === 'none') return 'the client has no such profile'
  if (type !== 'token')
    return `X-Client-ID or X-Profile-ID does not match the ${type === 'mtls' ? 'certificate' : 'token'}`
  return /client/.test(what)
    ? 'X-Client-ID does not name the client of the token'
    : 'X-Profile-ID does not name the profile of the token'
}

/** The members of a record that say who called and what became of it. */
function expectedRecord(type: Type, door: 'rest' | 'mcp', one: Case): Partial<RequestRecord> {
  const { slug, what, status, code, names = ['acme', slug] } = one
  const [client, profile] = names ?? [null, null]
  return {
    surface: door === 'rest' ? 'gateway' : 'gateway_mcp',
    ip: '127.0.0.1',
    client: client === null ? null : recorded.get(client)!,
    profile: profile === null ? null : recorded.get(profile)!,
    credential_id: status === 200 ? (credentialIds.get(slug) ?? null) : null,
    status,
    code: code === '' ? null : code,
    reason: code === 'identity_rejected' ? rejection(type, what) : (REASONS[code]?.[type] ?? null),
    stopped_at: STOPPED_AT[code] ?? null,
  }
}

function idsOf(slug: string): Record<string, string> {
  return { 'x-client-id': 'acme', 'x-profile-id': slug }
}

/** What each type answers to each situation; `''` stands for a call that arrives. */
function casesOf(type: Type): Case[] {
  const valid = credential(type, 'valid')
  const ids = idsOf(type)
  const cases: Case[] = [
    { slug: type, what: 'valid, with ids', shown: valid, headers: ids, status: 200, code: '' },
    {
      slug: type,
      what: "another client's id",
      shown: valid,
      headers: { ...ids, 'x-client-id': 'other' },
      status: 403,
      code: 'identity_rejected',
      ...(type === 'none' && { names: ['other', null] }),
    },
    {
      slug: `${type}-blocked`,
      what: 'a blocked address',
      shown: credential(`${type}-blocked`, 'valid'),
      headers: idsOf(`${type}-blocked`),
      status: 403,
      code: 'ip_not_allowed',
    },
    {
      slug: type,
      what: "fields with another's certificate",
      shown: valid,
      headers: { ...ids, ...SPOOFED },
      status: 200,
      code: '',
    },
  ]
  cases.push({
    slug: type,
    what: "nothing but fields with another's certificate",
    headers: SPOOFED,
    status: 401,
    code: 'credentials_missing',
    names: null,
  })
  if (type === 'none')
    return [
      ...cases,
      { slug: type, what: 'no ids', status: 401, code: 'credentials_missing', names: null },
      {
        slug: type,
        what: 'unknown ids',
        headers: { 'x-client-id': 'acme', 'x-profile-id': 'nobody' },
        status: 403,
        code: 'identity_rejected',
        names: ['acme', null],
      },
    ]
  const expired = type === 'token' ? 'token-old' : type
  return [
    ...cases,
    { slug: type, what: 'valid, without ids', shown: valid, status: 200, code: '' },
    {
      slug: `${type}-blocked`,
      what: 'a blocked address, without ids',
      shown: credential(`${type}-blocked`, 'valid'),
      status: 403,
      code: 'ip_not_allowed',
    },
    { slug: type, what: 'ids alone', headers: ids, status: 401, code: 'credentials_missing' },
    {
      slug: type,
      what: "ids and fields with another's certificate",
      headers: { ...ids, ...SPOOFED },
      status: 401,
      code: 'credentials_missing',
    },
    ...[{}, ids].flatMap((headers): Case[] => {
      const how = headers === ids ? 'with ids' : 'without ids'
      return [
        {
          slug: type,
          what: `wrong, ${how}`,
          shown: credential(type, 'wrong'),
          headers,
          status: 401,
          code: 'credential_invalid',
          // Nobody whom this listener knows has said whose certificate it is
          ...(type === 'mtls' && headers !== ids && { names: null }),
        },
        {
          slug: expired,
          what: `expired, ${how}`,
          shown: credential(type, 'expired'),
          headers: headers === ids ? idsOf(expired) : {},
          status: 401,
          code: 'credential_expired',
        },
      ]
    }),
    {
      slug: type,
      what: 'the id of a profile of another type',
      shown: valid,
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

/** The call of the tests, through either door. */
function ask(door: 'rest' | 'mcp', { shown = {}, headers = {} }: Case): Promise<Reply> {
  if (door === 'rest') return callSecurely(server, 'GET', ORDER, { ...shown, headers })
  const params = { name: 'execute_call', arguments: { endpoint: `GET ${ORDER}` } }
  return callSecurely(server, 'POST', '/mcp', {
    ...shown,
    headers: { ...headers, accept: 'application/json, text/event-stream' },
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
  })
}

for (const type of TYPES)
  for (const door of ['rest', 'mcp'] as const)
    test(`every situation of a caller of type ${type} has its answer and its record: ${door}`, async () => {
      for (const one of casesOf(type)) {
        const { what, status, code } = one
        const before = upstream.seen.length
        const reply = await ask(door, one)
        assert.deepEqual([reply.status, reply.json.code ?? ''], [status, code], `${what}: ${reply.text}`)
        assert.equal(upstream.seen.length - before, status === 200 ? 1 : 0, what)
        if (status === 200) {
          const got = upstream.seen.at(-1)!.headers
          for (const name of ['authorization', 'x-client-id', 'client-cert', 'x-forwarded-client-cert'])
            assert.equal(got[name], undefined, `${what}: ${name}`)
        }
        const record = await recordOf(reply)
        const expected = expectedRecord(type, door, one)
        const told = Object.fromEntries(
          Object.keys(expected).map((name) => [name, record[name as keyof RequestRecord]]),
        )
        assert.deepEqual(told, expected, what)
      }
    })

test('profiles and credentials were last used by those who proved to be them', async () => {
  const stateOf = async (slug: string) => (await server.manage('GET', `/profiles/acme:${slug}/state`)).json
  for (const type of TYPES) {
    const { last_used_at, credentials } = await stateOf(type)
    const own = type === 'none' || type === 'oidc' ? [] : [credentials[0].last_used_at]
    for (const time of [last_used_at, ...own]) assert.match(time, /:00\.000Z$/, type)
    // Named by ids, and by what was never proved
    assert.equal((await stateOf(`${type}-blocked`)).last_used_at, null, type)
  }
})
