/** Cookies of Postern's own names, and headers that reach over the origin, in every way in which a response leaves the gateway. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { answer, flow, startFlows } from './flows.ts'
import { call, type Reply } from './server.ts'

const { server, upstream, token, addProxy, endpoint, stop } = await startFlows({ workers: 1 })
after(stop)

const OWN = [
  'postern_console=x; Path=/',
  '__Host-postern_session=x; Path=/; Secure',
  'POSTERN_session.sig=x',
  '=postern_console=x',
  '__Secure-postern_resume=x',
]
const OTHERS = ['a=b; Path=/', 'own=postern_session']
const HEADERS = {
  'content-type': 'text/plain',
  'set-cookie': [...OWN, ...OTHERS],
  'clear-site-data': '"cookies"',
  'strict-transport-security': 'max-age=60',
}
upstream.answer = (_request, response) => {
  response.writeHead(200, HEADERS).end('mail to ann@example.com')
}

/** Paths below the gateway, by how the response leaves. */
const PATHS: Record<string, string> = {}

before(async () => {
  const proxy = async (name: string, members: object = {}): Promise<string> => {
    const path = `/v1/${name}`
    const made = await addProxy(name, { methods: ['GET', 'POST'], path, ...members })
    assert.equal(made.status, 201, made.text)
    return `/orders${path}`
  }
  const mask = async (path: string, type: string): Promise<void> => {
    const slug = path.split('/').at(-1)!
    const made = await server.manage('POST', '/guardrails', {
      ...{ name: slug, slug, scope: { proxies: [`orders:${slug}`] }, legs: ['response'] },
      ...{ detector: { type: 'pii', kinds: [type] }, action: 'mask' },
    })
    assert.equal(made.status, 201, made.text)
  }
  PATHS['streamed from the upstream'] = await proxy('plain')
  PATHS['kept under an idempotency key'] = await proxy('once', { idempotency: true })
  PATHS['gathered before it is passed on'] = await proxy('held', { streaming: 'never' })
  PATHS['changed by a guardrail'] = await proxy('masked')
  await mask(PATHS['changed by a guardrail'], 'email')
  PATHS['made by a workflow'] = await endpoint(
    flow([answer('ok', { headers: HEADERS, body: 'text' })], ['http ok']),
  )
  const called = { id: 'call', type: 'proxy_node', inputs: { path: '/v1/x' } }
  PATHS['passed on by a workflow'] = await endpoint(
    flow(
      [
        called,
        answer('ok', {
          status: '{{ $.call.status }}',
          headers: '{{ $.call.headers }}',
          body: '{{ $.call.body }}',
        }),
        answer('bad', { body: 'failed' }),
      ],
      ['http call', 'call success ok', 'call error bad'],
    ),
  )
})

const asked = (path: string): Promise<Reply> =>
  call('POST', `${server.running.gatewayUrl}${path}`, {
    token,
    body: {},
    headers: { 'idempotency-key': 'k' },
  })

test('no response sets a cookie of ours, or says what browsers keep for the origin; other cookies pass', async () => {
  // The second one is the kept one where responses are kept
  for (const [way, path] of Object.entries(PATHS))
    for (const _ of [1, 2]) {
      const { status, headers } = await asked(path)
      assert.equal(status, 200, way)
      assert.deepEqual(headers.getSetCookie(), OTHERS, way)
      assert.deepEqual(
        [headers.get('clear-site-data'), headers.get('strict-transport-security')],
        [null, null],
        way,
      )
    }
})
