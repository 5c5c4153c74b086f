import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Identified, InnerAnswer } from '../../src/gateway/port.ts'
import type { RecordAgent } from '../../src/record/fields.ts'
import type { CacheFragment, FeaturesFragment } from '../../src/snapshot/fragments.ts'
import { client, collection, credential, proxy, upstream } from './fragments.ts'
import { type Asked, type Served, serve } from './serve.ts'

const IDS = { 'x-client-id': 'acme', 'x-profile-id': 'open' }
const cached = (cache: Partial<CacheFragment> = {}): FeaturesFragment => ({
  gathers: false,
  response_validation: 'off',
  idempotency: false,
  graphql: null,
  cache: { ttl_ms: 60_000, vary: ['accept'], scope: 'shared', stale_if_error_ms: 0, ...cache },
})

const AGENT: RecordAgent = {
  name: 'probe',
  version: '1',
  sessionId: 's',
  conversationId: 'c',
  mcpMethod: 'tools/call',
  tool: 'execute_call',
  mcpRequestId: '7',
  reason: '',
}

let served: Served
let door: Identified | undefined

before(async () => {
  served = await serve(
    (port) => [
      collection('plain', {
        upstream: upstream(port),
        headers: [{ name: 'X-Tenant', value: 'acme' }],
        proxies: [
          proxy('a', '/*', { headers: [{ name: 'X_Stage', value: 'live' }] }),
          proxy('keyed', '/keyed', { credential: 'crd_key' }),
        ],
      }),
      collection('lenient', {
        upstream: upstream(port),
        headers: [{ name: 'X-Tenant', value: 'acme' }],
        pass_headers: ['X-HTTP-Method-Override', 'x_tenant', 'SSL_CLIENT_VERIFY', 'X-Forwarded-Host'],
        proxies: [proxy('b', '/*', { methods: ['GET', 'POST'] })],
      }),
      collection('shared', {
        upstream: upstream(port),
        pass_headers: ['X-HTTP-Method-Override'],
        proxies: [
          proxy('c', '/c/*', { features: cached() }),
          proxy('agents', '/agents', { features: cached({ vary: ['user-agent'] }) }),
          proxy('account', '/account', { features: cached(), credential: 'crd_account' }),
        ],
      }),
      credential('key', 'api_key', { in: 'header', name: 'X-Key' }, { key: 'sealed' }),
      credential('account', 'bearer', {}, { token: 'eno' }),
      client('acme', { collections: ['col_plain', 'col_lenient', 'col_shared'] }),
    ],
    {
      reserved: async (incoming, _exchange, gateway) => {
        door = await gateway.identify(incoming)
        incoming.answer(200, '', '')
      },
    },
  )
})
after(() => served.close())

async function saw(path: string, headers: Record<string, string>, asked: Asked = {}) {
  const answer = await served.ask(path, { ...asked, headers: { ...IDS, ...headers } })
  assert.equal(answer.status, 200, answer.text)
  return answer.json.headers!
}

const OVERRIDES = [
  'X-Original-URL',
  'X-Original-URI',
  'X-Rewrite-URL',
  'X-HTTP-Method-Override',
  'X-HTTP-Method',
  'X-Method-Override',
  'X-Host',
  'X-Original-Host',
  'X-Remote-User',
  'X-Remote-Groups',
  'Remote-User',
  'X-SSL-Client-Cert',
  'X-SSL-Client-Verify',
  'SSL_CLIENT_CERT',
  'SSL_CLIENT_S_DN',
  'X-Client-Cert',
  'X-Client-IP',
  'True-Client-IP',
  'X-Auth-Request-User',
  'X-Amzn-Oidc-Data',
  'X-Forwarded-User',
  'X-Forwarded-Server',
  'X-Middleware-Subrequest',
  'X-Middleware-Rewrite',
  'X-Original-Method',
  'X-Original-Forwarded-For',
  'X-HTTP-Path-Override',
  'X-Method',
  'X-Proxy-URL',
  'Request-URI',
  'X-Envoy-Internal',
  'X-Envoy-Original-Host',
  'X-Accel-Mapping',
  'X-Sendfile-Type',
  'X-Forwarded',
  'Forwarded-For',
  'Client-IP',
  'WL-Proxy-Client-IP',
  'X-AppEngine-User-IP',
  'Remote-Groups',
  'Remote-Addr',
  'OIDC_CLAIM_sub',
  'X-Authentik-Username',
  'X-Consumer-Username',
  'X-Credential-Identifier',
  'X-Pomerium-Jwt-Assertion',
  'X-Goog-Iap-Jwt-Assertion',
  'X-Amzn-Mtls-Clientcert',
  'Cf-Access-Authenticated-User-Email',
  'Tailscale-User-Login',
  'X-Endpoint-Api-Userinfo',
  'Proxy',
]

test('headers that override path, method, host, address or user are removed in every spelling', async () => {
  for (const name of OVERRIDES)
    for (const spelling of [name, name.toUpperCase(), name.replaceAll('-', '_'), name.replaceAll('-', '.')]) {
      const headers = await saw('/plain/x', { [spelling]: 'evil', 'X-Own': 'mine' })
      assert.equal(headers[spelling.toLowerCase()], undefined, spelling)
      assert.equal(headers['x-own'], 'mine')
    }
})

test('a header that is configured has no twin of the caller beside it', async () => {
  const headers = await saw('/plain/x', {
    X_Tenant: 'evil',
    'X.Tenant': 'evil',
    'X-Stage': 'evil',
    X_Tenants: 'kept',
  })
  assert.deepEqual(
    ['x-tenant', 'x_tenant', 'x.tenant', 'x-stage', 'x_stage', 'x_tenants'].map((name) => headers[name]),
    ['acme', undefined, undefined, undefined, 'live', 'kept'],
  )
  const keyed = await saw('/plain/keyed', { X_Key: 'evil', 'X-Key': 'evil' })
  assert.deepEqual([keyed['x_key'], keyed['x-key']], [undefined, 'delaes'])
})

test('a collection passes headers on by name, and those that the gateway writes never', async () => {
  const headers = await saw('/lenient/x', {
    'X-Http-Method-Override': 'PATCH',
    X_HTTP_Method_Override: 'evil',
    'X-Original-URL': '/evil',
    X_Tenant: 'own',
    SSL_CLIENT_VERIFY: 'SUCCESS',
    'X-Forwarded-Host': 'evil',
  })
  assert.deepEqual(
    [
      'x-http-method-override',
      'x_http_method_override',
      'x-original-url',
      'x_tenant',
      'x-tenant',
      'ssl_client_verify',
    ].map((name) => headers[name]),
    ['PATCH', undefined, undefined, 'own', 'acme', 'SUCCESS'],
  )
  assert.equal(headers['x-forwarded-host'], `127.0.0.1:${served.port}`)
})

test('a header that Connection declares to be hop by hop is not passed on either', async () => {
  const headers = await saw('/lenient/x', {
    'X-Http-Method-Override': 'PATCH',
    Connection: 'X-Http-Method-Override',
  })
  assert.equal(headers['x-http-method-override'], undefined)
})

test('an agent sends no more than an app', async () => {
  await served.ask('/mcp', { headers: IDS })
  assert.ok(door?.ok)
  const { caller } = door
  const call = (target: string): Promise<InnerAnswer> =>
    new Promise((done) => {
      served.gateway.call(
        {
          caller,
          requestId: `req_${target}`,
          target,
          method: 'GET',
          host: '',
          fields:
            'X-Original-URL: /evil\r\nx-http-method-override: PATCH\r\nX_Tenant: evil\r\nX-Own: mine\r\n',
          body: null,
          agent: AGENT,
          keepBytesMax: 10_000,
          until: null,
        },
        done,
      )
    })
  const headersOf = async (target: string) =>
    (JSON.parse(Buffer.from((await call(target)).body).toString()) as { headers: Record<string, string> })
      .headers
  const plain = await headersOf('/plain/x')
  const names = ['x-original-url', 'x-http-method-override', 'x_tenant', 'x-tenant', 'x-own']
  assert.deepEqual(
    names.map((name) => plain[name]),
    [undefined, undefined, undefined, 'acme', 'mine'],
  )
  const lenient = await headersOf('/lenient/x')
  assert.deepEqual(
    names.map((name) => lenient[name]),
    [undefined, 'PATCH', 'evil', 'acme', 'mine'],
  )
})

async function hit(path: string, headers: Record<string, string> = {}, asked: Asked = {}) {
  const answer = await served.ask(path, { ...asked, headers: { ...IDS, ...headers } })
  return [answer.headers['x-cache'], answer.text] as const
}

test('what one caller sends reaches no kept answer that another one gets', async () => {
  let path = 0
  for (const [name, value] of [
    ['X-Forwarded-Host', 'evil'],
    ['X-Forwarded-Scheme', 'evil'],
    ['X-Original-URL', '/evil'],
    ['X_Forwarded_Host', 'evil'],
    ['X-Host', 'evil'],
    ['X-Api-Version', 'evil'],
    ['Accept-Language', 'evil'],
    ['Accept-Encoding', 'evil'],
    ['Origin', 'https://evil.example'],
    ['User-Agent', 'evil'],
    ['Referer', 'https://evil.example/'],
    ['X-Correlation-ID', 'evil'],
    ['Sec-CH-UA', 'evil'],
    ['Content-Type', 'evil/evil'],
    ['X-HTTP-Method-Override', 'EVIL'],
    ['Tracestate', 'evil=evil'],
  ] as const) {
    const at = `/shared/c/${path++}`
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const [, poison] = await hit(at, { [name]: value, traceparent })
    const [, answer] = await hit(at)
    assert.doesNotMatch(answer, /evil/i, `${name}: ${poison}`)
    assert.equal((await hit(at))[0], 'HIT', name)
  }
})

test('parameters, query, host and bodies are no way into the answer of another request either', async () => {
  await hit('/shared/c/page')
  for (const [at, headers, asked] of [
    ['/shared/c/page;x=evil', {}, {}],
    ['/shared/c/page?evil', {}, {}],
    ['/shared/c/page', { Host: 'evil.example' }, {}],
    ['/shared/c/page', {}, { body: 'evil' }],
    ['/shared/c/page', { Range: 'bytes=0-1' }, {}],
    ['/shared/c/page', { Cookie: 'evil=1' }, {}],
  ] as const) {
    assert.notEqual((await hit(at, headers, asked))[0], 'HIT', `${at} ${JSON.stringify(headers)}`)
    const [state, answer] = await hit('/shared/c/page')
    assert.equal(state, 'HIT')
    assert.doesNotMatch(answer, /evil|bytes=/)
  }
})

test('callers whose headers differ only in what changes no answer share it', async () => {
  await hit('/shared/c/common', { 'User-Agent': 'one', Accept: 'a/b', 'X-Own': '1', Traceparent: 'x' })
  const [state, answer] = await hit('/shared/c/common', {
    'X-Own': '1',
    Accept: 'a/b',
    'User-Agent': 'two',
    'If-None-Match': '"x"',
    'X-Amzn-Trace-Id': 'y',
  })
  assert.equal(state, 'HIT')
  assert.equal((JSON.parse(answer) as { headers: Record<string, string> }).headers['user-agent'], 'postern')
})

test('a header that vary names reaches the upstream and tells answers apart', async () => {
  const agentOf = ([, text]: readonly [unknown, string]) =>
    (JSON.parse(text) as { headers: Record<string, string> }).headers['user-agent']
  assert.equal(agentOf(await hit('/shared/agents', { 'User-Agent': 'one' })), 'one')
  const two = await hit('/shared/agents', { 'User-Agent': 'two' })
  assert.deepEqual([two[0], agentOf(two)], ['MISS', 'two'])
  assert.equal((await hit('/shared/agents', { 'User-Agent': 'one' }))[0], 'HIT')
})

test('another credential ends what was kept under the one before', async () => {
  await hit('/shared/account')
  assert.equal((await hit('/shared/account'))[0], 'HIT')
  served.apply([credential('account', 'bearer', {}, { token: 'owt' })])
  const [state, answer] = await hit('/shared/account')
  assert.equal(state, 'MISS')
  assert.match(answer, /Bearer two/)
})
