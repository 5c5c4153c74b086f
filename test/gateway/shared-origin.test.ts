import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import type { FeaturesFragment } from '../../src/snapshot/fragments.ts'
import { client, collection, proxy, upstream } from './fragments.ts'
import { type Answer, ask, type Served, serve } from './serve.ts'

const IDS = { 'x-client-id': 'acme', 'x-profile-id': 'open' }
const SANDBOX = 'sandbox allow-scripts'
const withFeatures = (given: Partial<FeaturesFragment>): FeaturesFragment => ({
  gathers: false,
  response_validation: 'off',
  idempotency: false,
  graphql: null,
  cache: null,
  ...given,
})
const CACHE = { ttl_ms: 60_000, vary: ['accept'], scope: 'shared', stale_if_error_ms: 60_000 } as const

/** Answers with the fields that a test sets. */
let fields: readonly (readonly [string, string])[] = []
let status = 200
const origin: Server = createServer((incoming, outgoing) => {
  incoming.resume()
  outgoing.writeHead(status, fields.flat() as string[])
  outgoing.end(status === 304 ? undefined : '"<script>1</script>"')
})

const served: Partial<Record<'native' | 'node', Served>> = {}

before(async () => {
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const { port } = origin.address() as AddressInfo
  for (const httpEngine of ['native', 'node'] as const)
    served[httpEngine] = await serve(
      () => [
        collection('orders', {
          upstream: upstream(port),
          proxies: [
            proxy('all', '/*', { methods: ['GET', 'POST'] }),
            proxy('cached', '/cached', { features: withFeatures({ cache: CACHE }) }),
            proxy('held', '/held', { features: withFeatures({ gathers: true }) }),
            proxy('once', '/once', { methods: ['POST'], features: withFeatures({ idempotency: true }) }),
          ],
        }),
        collection('site', {
          base_path: '/site',
          hosts: ['site.example'],
          upstream: upstream(port),
          proxies: [
            proxy('page', '/*'),
            proxy('site-once', '/once', { methods: ['POST'], features: withFeatures({ idempotency: true }) }),
          ],
        }),
        collection('mixed', {
          base_path: '/mixed',
          hosts: ['gateway.example', 'site.example'],
          upstream: upstream(port),
          proxies: [proxy('mix', '/*')],
        }),
        client('acme', { collections: ['col_orders', 'col_site', 'col_mixed'] }),
      ],
      { httpEngine, pageHosts: new Set(['gateway.example', 'localhost', '127.0.0.1']) },
    )
})
after(async () => {
  for (const one of Object.values(served)) await one.close()
  origin.closeAllConnections()
  origin.close()
})

interface Asked {
  readonly path?: string
  readonly method?: string
  readonly dest?: string
  readonly headers?: Record<string, string>
  readonly engine?: 'native' | 'node'
}

function get({
  path = '/orders/page',
  method = 'GET',
  dest,
  headers = {},
  engine = 'native',
}: Asked): Promise<Answer> {
  return ask(served[engine]!.port, path, {
    method,
    headers: { ...IDS, ...(dest === undefined ? {} : { 'sec-fetch-dest': dest }), ...headers },
  })
}

async function policyOf(asked: Asked): Promise<string | undefined> {
  return (await get(asked)).headers['content-security-policy'] as string | undefined
}

for (const engine of ['native', 'node'] as const) {
  test(`${engine}: whatever a browser asks for as a document gets an origin of its own`, async () => {
    fields = [['Content-Type', 'application/json']]
    for (const dest of ['document', 'iframe', 'frame', 'fencedframe', 'embed', 'object', 'Document'])
      assert.equal(await policyOf({ dest, engine }), SANDBOX, dest)
    for (const dest of ['empty', 'image', 'script', 'style', undefined])
      assert.equal(await policyOf({ ...(dest === undefined ? {} : { dest }), engine }), undefined, dest)
  })

  test(`${engine}: without a word of the browser, the type of the answer decides`, async () => {
    for (const type of [
      'text/html',
      'TEXT/HTML; charset=utf-8',
      ' text/html',
      'application/xhtml+xml',
      'text/xml',
      'application/xml',
      'image/svg+xml',
      'application/atom+xml',
      'text/xsl',
      'text/plain, text/html',
      'multipart/x-mixed-replace; boundary=x',
    ]) {
      fields = [['Content-Type', type]]
      const { headers } = await get({ engine })
      assert.deepEqual(
        [headers['content-security-policy'], headers['x-content-type-options']],
        [SANDBOX, undefined],
        type,
      )
    }
    for (const type of ['application/json', 'text/plain', 'image/png', 'application/octet-stream']) {
      fields = [['Content-Type', type]]
      assert.equal(await policyOf({ engine }), undefined, type)
    }
    for (const type of ['', 'html5', '*/*', 'unknown/unknown', null]) {
      fields = type === null ? [] : [['Content-Type', type]]
      const { headers } = await get({ engine })
      const isHtml = type === 'html5'
      assert.deepEqual(
        [headers['content-security-policy'], headers['x-content-type-options']],
        [SANDBOX, isHtml ? undefined : 'nosniff'],
        String(type),
      )
    }
    fields = [
      ['Content-Type', 'text/html'],
      ['Content-Type', 'application/json'],
    ]
    assert.equal(await policyOf({ engine }), SANDBOX)
  })

  test(`${engine}: the policy of the upstream stays beside it, and what reaches over the origin goes`, async () => {
    fields = [
      ['Content-Type', 'text/html'],
      ['Content-Security-Policy', "default-src 'self'"],
      ['Clear-Site-Data', '"*"'],
      ['Service-Worker-Allowed', '/'],
      ['NEL', '{"report_to":"x","max_age":1}'],
      ['Report-To', '{}'],
      ['Alt-Svc', 'h3=":8443"'],
      ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'],
      ['Public-Key-Pins', 'pin-sha256="AAAA"; max-age=60'],
      ['Expect-CT', 'max-age=60'],
      ['Accept-CH', 'Sec-CH-UA-Model'],
      ['Origin-Agent-Cluster', '?0'],
      ['Set-Login', 'logged-out'],
      ['Secure-Session-Registration', '(ES256);path="/start"'],
      ['Reporting-Endpoints', 'own="https://reports.example"'],
    ]
    for (const asked of [
      {},
      { dest: 'document' },
      { path: '/orders/held' },
      { path: '/orders/held', dest: 'iframe' },
    ]) {
      const { headers } = await get({ ...asked, engine })
      assert.equal(headers['content-security-policy'], `default-src 'self', ${SANDBOX}`)
      const kept = ['content-type', 'content-security-policy', 'reporting-endpoints']
      for (const [name] of fields)
        assert.equal(headers[name.toLowerCase()] !== undefined, kept.includes(name.toLowerCase()), name)
    }
  })

  test(`${engine}: a cookie with a name of the gateway's own is taken out in every form, others stay`, async () => {
    const own = [
      'postern_session=x',
      'postern_session=x; Path=/; HttpOnly',
      '  postern_session =x',
      '\tpostern_interaction=x',
      'Postern_Resume=x',
      '__Host-postern_session=x; Path=/; Secure',
      '__HOST-postern_session=x; Path=/; Secure',
      '__Secure-postern_resume.sig=x',
      '__Host-Http-postern_session=x',
      'postern_session',
      '=postern_session=x',
      ' = postern_session=x',
      'postern_session=',
    ]
    const others = ['a=b; Path=/', 'own=postern_session', 'session=x', 'x_postern_session=y']
    fields = [
      ['Content-Type', 'text/plain'],
      ...own.map((value) => ['set-COOKIE', value] as const),
      ...others.map((value) => ['Set-Cookie', value] as const),
      ['Set-Cookie2', 'postern_session=x'],
    ]
    for (const path of ['/orders/page', '/orders/held', '/site/page'])
      for (const host of ['gateway.example', 'site.example']) {
        const { headers } = await get({ path, headers: { host }, engine })
        if (path === '/site/page' && host === 'gateway.example') continue
        assert.deepEqual(headers['set-cookie'], others, `${host}${path}`)
        assert.equal(headers['set-cookie2'], undefined)
      }
  })

  test(`${engine}: an answer without a body is told nothing of its type`, async () => {
    fields = [['ETag', '"1"']]
    status = 304
    const { headers } = await get({ engine })
    status = 200
    assert.deepEqual(
      [headers['content-security-policy'], headers['x-content-type-options']],
      [undefined, undefined],
    )
  })
}

test('kept answers are treated as those that come from the upstream', async () => {
  fields = [
    ['Content-Type', 'text/html'],
    ['Service-Worker-Allowed', '/'],
  ]
  for (const state of ['MISS', 'HIT']) {
    const { headers } = await get({ path: '/orders/cached' })
    assert.equal(headers['x-cache'], state)
    assert.equal(headers['content-security-policy'], SANDBOX)
    assert.equal(headers['service-worker-allowed'], undefined)
  }
  assert.equal(await policyOf({ path: '/orders/cached', dest: 'document' }), SANDBOX)
  served.native!.moveClock(61_000)
  status = 503
  const stale = await get({ path: '/orders/cached' })
  status = 200
  assert.deepEqual([stale.headers['x-cache'], stale.headers['content-security-policy']], ['STALE', SANDBOX])
})

test('an answer under an idempotency key brings no cookie of ours, nor reaches over the origin, when it is given again', async () => {
  fields = [
    ['Content-Type', 'text/html'],
    ['Set-Cookie', 'postern_session=x'],
    ['Set-Cookie', 'a=b'],
    ['Clear-Site-Data', '"cookies"'],
  ]
  for (const replayed of [undefined, 'true']) {
    const { headers } = await get({
      path: '/orders/once',
      method: 'POST',
      headers: { 'idempotency-key': 'k1' },
    })
    assert.equal(headers['idempotency-replayed'], replayed)
    assert.deepEqual(headers['set-cookie'], ['a=b'])
    assert.deepEqual([headers['content-security-policy'], headers['clear-site-data']], [SANDBOX, undefined])
  }
})

test('hosts that a collection has to itself serve sites as they are, and none of the pages', async () => {
  fields = [
    ['Content-Type', 'text/html'],
    ['Clear-Site-Data', '"cache"'],
    ['Service-Worker-Allowed', '/site/'],
    ['Strict-Transport-Security', 'max-age=60'],
  ]
  const { headers } = await get({
    path: '/site/page',
    dest: 'document',
    headers: { host: 'site.example:8443' },
  })
  assert.deepEqual(
    ['content-security-policy', 'clear-site-data', 'service-worker-allowed', 'strict-transport-security'].map(
      (name) => headers[name],
    ),
    [undefined, '"cache"', '/site/', 'max-age=60'],
  )
  for (const path of ['/oauth/authorize', '/connect', '/console', '/portal/x']) {
    const answer = await get({ path, headers: { host: 'site.example' } })
    assert.deepEqual([answer.status, answer.json['code']], [404, 'not_available'], path)
    assert.equal((await get({ path, headers: { host: 'gateway.example' } })).text, 'reserved')
  }
  assert.equal((await get({ path: '/mcp', headers: { host: 'site.example' } })).text, 'reserved')
  // A host of the gateway stays one of the gateway, whatever names it
  assert.equal(await policyOf({ path: '/mixed/page', headers: { host: 'gateway.example' } }), SANDBOX)
  assert.equal(await policyOf({ path: '/mixed/page', headers: { host: 'site.example' } }), undefined)
  // A collection for every host has none to itself
  assert.equal(await policyOf({ headers: { host: 'site.example' } }), SANDBOX)
  assert.equal(await policyOf({ headers: { host: 'any.example' } }), SANDBOX)
})
