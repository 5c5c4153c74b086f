import assert from 'node:assert/strict'
import type { lookup } from 'node:dns'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { EGRESS } from '../../../test/support/egress.ts'
import { createEgress, NO_LISTENER } from './egress.ts'
import { createFetchJson } from './fetch-json.ts'

const servers: Server[] = []
after(() => {
  for (const server of servers) server.close().closeAllConnections()
})

async function answer(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const fetchJson = createFetchJson(EGRESS, { timeoutMs: 20_000, bytesMax: 1000 })
/** For servers that never answer: others may be slow on a busy machine. */
const fetchSoon = createFetchJson(EGRESS, { timeoutMs: 300, bytesMax: 1000 })
const get = (url: string, fetch = fetchJson) => fetch({ url, from: 'typed', form: null, authorization: '' })

test('one JSON object is read, by GET or with a form', async () => {
  const url = await answer((incoming, outgoing) => {
    let body = ''
    incoming.on('data', (piece: Buffer) => {
      body += piece.toString()
    })
    incoming.on('end', () => {
      const { method, headers } = incoming
      outgoing.end(JSON.stringify({ method, body, authorization: headers.authorization ?? null }))
    })
  })
  assert.deepEqual(await get(url), { method: 'GET', body: '', authorization: null })
  assert.deepEqual(
    await fetchJson({ url, from: 'typed', form: { token: 'a&b' }, authorization: 'Basic x' }),
    {
      method: 'POST',
      body: 'token=a%26b',
      authorization: 'Basic x',
    },
  )
})

test('redirects, other statuses, large, slow, broken and foreign answers are failures', async () => {
  const elsewhere = await answer((_, outgoing) => outgoing.end('{}'))
  const cases: readonly (readonly [RequestListener, RegExp])[] = [
    [(_, outgoing) => outgoing.writeHead(302, { location: elsewhere }).end(), /^FetchFailure: answered 302$/],
    [(_, outgoing) => outgoing.writeHead(204).end(), /answered 204/],
    [(_, outgoing) => outgoing.end(`{"a":"${'x'.repeat(2000)}"}`), /too large/],
    [(_, outgoing) => outgoing.end('[1]'), /no JSON object/],
    [(_, outgoing) => outgoing.end('{'), /no JSON object/],
    [(incoming) => incoming.socket.destroy(), /cannot be reached/],
    [
      (incoming, outgoing) => {
        outgoing.writeHead(200, { 'content-length': '50' }).write('{"a":1}')
        setImmediate(() => incoming.socket.destroy())
      },
      /broke off|cannot be reached/,
    ],
  ]
  for (const [listener, reason] of cases) await assert.rejects(get(await answer(listener)), reason)
  const silent: readonly RequestListener[] = [() => {}, (_, outgoing) => void outgoing.write('{"a":')]
  for (const listener of silent)
    await assert.rejects(get(await answer(listener), fetchSoon), /no answer in 300 ms/)
})

test('only https is asked, or this machine, and never a link-local address', async () => {
  await assert.rejects(get('http://id.example.com/'), /not https/)
  await assert.rejects(get('ftp://127.0.0.1/'), /not https/)
  await assert.rejects(get('https://169.254.169.254/latest'), /link-local/)
  await assert.rejects(get('https://[fe80::1]/'), /link-local/)
  await assert.rejects(get('nonsense'), /cannot be read/)
  const asked: string[] = []
  const resolve = ((name: string, _: object, callback: (...all: unknown[]) => void) => {
    asked.push(name)
    callback(null, [
      { address: '192.0.2.1', family: 4 },
      { address: '169.254.169.254', family: 4 },
    ])
  }) as unknown as typeof lookup
  const fetchResolved = createFetchJson(EGRESS, { timeoutMs: 20_000, bytesMax: 1000 }, resolve)
  await assert.rejects(
    fetchResolved({ url: 'https://id.test/', from: 'typed', form: null, authorization: '' }),
    /^FetchFailure: id\.test is refused: Postern never calls link-local/,
  )
  assert.deepEqual(asked, ['id.test'])
})

test('a URL that was discovered reaches no private address, unless it is allowed or typed, and is resolved once', async () => {
  const { port } = new URL(await answer((_, outgoing) => outgoing.end('{"a":1}')))
  let asked = 0
  // A name that leads somewhere else each time: what is judged must be what is connected to
  const resolve = ((_name: string, _options: object, callback: (...all: unknown[]) => void) => {
    callback(null, [{ address: ['127.0.0.1', '169.254.169.254'][asked++ % 2], family: 4 }])
  }) as unknown as typeof lookup
  const fetchBy = (allow: readonly string[], from: 'typed' | 'discovered'): Promise<unknown> => {
    asked = 0
    const egress = createEgress({ ...NO_LISTENER, allow })
    const fetchThere = createFetchJson(egress, { timeoutMs: 20_000, bytesMax: 1000 }, resolve)
    return fetchThere({ url: `http://localhost:${port}/`, from, form: null, authorization: '' })
  }
  assert.deepEqual(await fetchBy([], 'typed'), { a: 1 })
  assert.equal(asked, 1)
  assert.deepEqual(await fetchBy([`localhost:${port}`], 'discovered'), { a: 1 })
  assert.deepEqual(await fetchBy(['127.0.0.0/8'], 'discovered'), { a: 1 })
  for (const allow of [[], ['localhost:1'], ['*.localhost'], ['10.0.0.0/8']])
    await assert.rejects(
      fetchBy(allow, 'discovered'),
      /^FetchFailure: localhost is refused: .*POSTERN_EGRESS_ALLOW/,
    )
})
