import assert from 'node:assert/strict'
import { generateKeyPairSync, verify } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { issue } from '../certificates.ts'
import { awsFault } from '../support/aws-service.ts'
import { signedWith } from '../support/issuer.ts'
import { TokenEndpoint } from '../support/token-endpoint.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../wire/certificate.ts'
import { call, publishOrders, type Reply, startTestServer, type TestServer, until } from './server.ts'
import { type Seen, startUpstream, type TestUpstream } from './upstream.ts'

const ORDER = '/orders/v1/orders/7'
const SECRETS = { old: 'planted-S3cret-0ld-value', new: 'planted-S3cret-new-value' }
type Which = keyof typeof SECRETS
const BOTH: readonly Which[] = ['old', 'new']

const root = issue({ name: 'Root' })
const certificates = { old: issue({ name: 'old', issuer: root }), new: issue({ name: 'new', issuer: root }) }

let upstream: TestUpstream
let endpoint: TokenEndpoint
let server: TestServer
/** Signed, so that it can be exchanged. */
let caller = ''
/** Which of its secrets the upstream knows, and with which it was called. */
let known: readonly Which[] = []
const shown: (Which | undefined)[] = []
let shownBy: Row['shownBy'] = () => false

before(async () => {
  upstream = await startUpstream({
    cert: CERTIFICATE,
    key: PRIVATE_KEY,
    ca: root.certificate,
    requestCert: true,
    rejectUnauthorized: false,
  })
  upstream.answer = (seen, response) => {
    const { subject } = (response.req.socket as TLSSocket).getPeerCertificate()
    const which = BOTH.find((one) => shownBy(one, seen, String(subject?.CN)))
    shown.push(which)
    response.writeHead(which !== undefined && known.includes(which) ? 200 : 401).end('{}')
  }
  endpoint = await new TokenEndpoint().listen()
  endpoint.tokenFor = (form) => {
    const assertion = form.get('assertion')
    const secret = assertion === null ? form.get('client_secret') : SECRETS[signerOf(assertion)]
    return `${secret}-issued-${endpoint.asked.length}`
  }
  server = await startTestServer({ workers: 4 })
  await publishOrders(server, upstream.url, { max: 1_000_000, window: '1m' })
  const tls = { ca: CERTIFICATE, server_name: 'origin.test' }
  const reached = await server.manage('PATCH', '/collections/orders', {
    upstream: { targets: [{ url: upstream.url }], tls },
  })
  assert.equal(reached.status, 200, reached.text)
  const auth = { type: 'jwt', issuer: 'https://people.test' }
  const people = await server.manage('POST', '/profiles', { client: 'acme', name: 'People', auth })
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'https://people.test', sub: 'ann', iat: now, exp: now + 600 }
  caller = signedWith(people.json.signing_secret, claims)
})
after(async () => {
  await server?.stop()
  await endpoint?.[Symbol.asyncDispose]()
  await upstream?.close()
})

interface Row {
  /** With that secret; what a rotation gives is the same without what stays. */
  readonly auth: (which: Which) => Readonly<Record<string, unknown>>
  /** Members of `auth` that a rotation changes. */
  readonly rotated: readonly string[]
  /** The request was made with that secret. */
  readonly shownBy: (which: Which, seen: Seen, subject: string) => boolean
}

const bearerOf = ({ headers }: Seen): string => (headers.authorization ?? '').replace('Bearer ', '')
const tokenClient = (which: Which) => ({
  token_url: endpoint.url,
  client_id: 'postern',
  auth_method: 'client_secret_post',
  client_secret: SECRETS[which],
})

const keys = {
  old: generateKeyPairSync('ed25519'),
  new: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
}
const ALGORITHMS = { old: 'EdDSA', new: 'PS256' }

/** Whose key has signed an assertion that the endpoint must take (RFC 7523 section 3). */
function signerOf(assertion: string): Which {
  const [head = '', body = '', signature = ''] = assertion.split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  const which = BOTH.find((one) => ALGORITHMS[one] === read(head).alg)!
  const { publicKey: key } = keys[which]
  const hash = which === 'old' ? null : 'sha256'
  const options = which === 'old' ? { key } : { key, saltLength: 32 }
  assert.ok(verify(hash, Buffer.from(`${head}.${body}`), options, Buffer.from(signature, 'base64url')))
  assert.deepEqual(read(head), { alg: ALGORITHMS[which], typ: 'JWT', kid: 'k1' })
  const { iat, exp, jti, ...claims } = read(body)
  assert.deepEqual(claims, { iss: 'postern', sub: 'ann', aud: endpoint.url, scope: 'orders.read' })
  assert.ok(exp - iat <= 60 && exp * 1000 > Date.now() && jti.length > 20)
  return which
}
const issued: Row['shownBy'] = (which, seen) => bearerOf(seen).startsWith(`${SECRETS[which]}-issued-`)

const ROWS: Readonly<Record<string, Row>> = {
  bearer: {
    auth: (which) => ({ token: SECRETS[which] }),
    rotated: ['token'],
    shownBy: (which, seen) => bearerOf(seen) === SECRETS[which],
  },
  basic: {
    auth: (which) => ({ username: 'u', password: SECRETS[which] }),
    rotated: ['password'],
    shownBy: (which, { headers }) =>
      headers.authorization === `Basic ${Buffer.from(`u:${SECRETS[which]}`).toString('base64')}`,
  },
  api_key: {
    auth: (which) => ({ key: SECRETS[which], in: 'query', name: 'key' }),
    rotated: ['key'],
    shownBy: (which, { url }) => url.endsWith(`?key=${SECRETS[which]}`),
  },
  oauth2_client_credentials: { auth: tokenClient, rotated: ['client_secret'], shownBy: issued },
  token_exchange: { auth: tokenClient, rotated: ['client_secret'], shownBy: issued },
  jwt_bearer: {
    auth: (which) => ({
      token_url: endpoint.url,
      issuer: 'postern',
      subject: 'ann',
      private_key: keys[which].privateKey.export({ type: 'pkcs8', format: 'pem' }),
      key_id: 'k1',
      scopes: ['orders.read'],
    }),
    rotated: ['private_key'],
    shownBy: issued,
  },
  aws_sigv4: {
    auth: (which) => ({
      region: 'eu-central-1',
      service: 'execute-api',
      access_key_id: 'AKIDEXAMPLE',
      secret_access_key: SECRETS[which],
    }),
    rotated: ['secret_access_key'],
    shownBy: (which, seen) => awsFault(seen, SECRETS[which]) === null,
  },
  mtls: {
    auth: (which) => ({
      client_cert_pem: certificates[which].certificate,
      client_key_pem: certificates[which].key,
    }),
    rotated: ['client_cert_pem', 'client_key_pem'],
    shownBy: (which, _seen, subject) => subject === which,
  },
}

const manage = (method: string, path: string, body?: object): Promise<Reply> =>
  server.manage(method, path, body)

/** A call on a connection of its own, so that it may meet any thread. */
async function ask(door: 'rest' | 'mcp'): Promise<unknown> {
  const url = server.running.gatewayUrl
  const headers = { connection: 'close', accept: 'application/json, text/event-stream' }
  if (door === 'rest') return (await call('GET', url + ORDER, { token: caller, headers })).status
  const params = { name: 'execute_call', arguments: { endpoint: `GET ${ORDER}` } }
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params }
  const { json } = await call('POST', `${url}/mcp`, { token: caller, headers, body })
  return json.result.structuredContent.status
}

for (const [type, { auth, rotated, ...row }] of Object.entries(ROWS))
  test(`${type}: a test says what failed, a rotation drops no call of four threads, use and end are shown`, async () => {
    shownBy = row.shownBy
    const slug = type.replaceAll('_', '-')
    const made = await manage('POST', '/credentials', {
      name: type,
      slug,
      auth: { type, ...auth('old') },
    })
    assert.equal(made.status, 201, made.text)
    assert.equal((await manage('PATCH', '/collections/orders', { credential: slug })).status, 200)

    const trial = { collection: 'orders', ...(type === 'token_exchange' && { subject_token: caller }) }
    const tried = async (): Promise<[string, string[]]> => {
      const { json } = await manage('POST', `/credentials/${slug}/test`, trial)
      return [json.summary, json.steps.map(({ step }: { step: string }) => step)]
    }
    const steps = shownBy === issued ? ['secret', 'token', 'call'] : ['secret', 'call']
    known = ['new']
    assert.deepEqual(await tried(), ['It failed at the call: the upstream refused it (401).', steps])
    known = BOTH
    assert.deepEqual(await tried(), ['It works: the upstream answered 200.', steps])

    const statuses = new Set<unknown>()
    let isOver = false
    let calls = 0
    const callers = (['rest', 'rest', 'rest', 'mcp', 'mcp'] as const).map(async (door) => {
      for (; !isOver; calls++) statuses.add(await ask(door))
    })
    const goOn = (): Promise<unknown> => {
      const from = calls
      return until(
        async () => calls,
        (count) => count >= from + 10,
      )
    }
    await goOn()
    const next = Object.fromEntries(Object.entries(auth('new')).filter(([name]) => rotated.includes(name)))
    const expires_at = '2031-01-01T00:00:00.000Z'
    const answer = await manage('POST', `/credentials/${slug}/rotate`, { auth: next, expires_at, ...trial })
    assert.deepEqual([answer.status, answer.json.tested], [200, true], answer.text)
    await goOn()
    isOver = true
    await Promise.all(callers)
    assert.deepEqual([...statuses], [200])

    known = ['new']
    shown.length = 0
    const after = await Promise.all(Array.from({ length: 24 }, (_, n) => ask(n % 3 === 0 ? 'mcp' : 'rest')))
    assert.deepEqual([new Set(after), new Set(shown)], [new Set([200]), new Set(['new'])])
    const { json: state } = await manage('GET', `/credentials/${slug}/state`)
    const end = type === 'mtls' ? certificates.new.x509.validToDate.toISOString() : expires_at
    assert.deepEqual([state.state, state.expires_at], ['ok', end])
    assert.notEqual(state.last_used_at, null)
  })
