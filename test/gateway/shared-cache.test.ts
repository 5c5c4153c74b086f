import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import type { CacheFragment, FeaturesFragment } from '../../src/snapshot/fragments.ts'
import { client, collection, profile, proxy, upstream } from './fragments.ts'
import { type Asked, type Served, serve } from './serve.ts'

const MODIFIED = 'Sun, 06 Nov 1994 08:49:37 GMT'

/** An upstream that honours conditions and ranges, and answers with every header that it got. */
const origin: Server = createServer(({ headers, method }, response) => {
  asked++
  response.setHeader('etag', '"1"')
  response.setHeader('last-modified', MODIFIED)
  if (isWayward) response.writeHead(headers['x-own'] === undefined ? 304 : 206).end()
  else if (headers['if-none-match'] === '"1"' || headers['if-modified-since'] === MODIFIED)
    response.writeHead(304).end()
  else if (headers['if-match'] !== undefined && headers['if-match'] !== '"1"') response.writeHead(412).end()
  else if (headers['if-unmodified-since'] !== undefined && headers['if-unmodified-since'] !== MODIFIED)
    response.writeHead(412).end()
  else if (headers['range'] !== undefined)
    response.writeHead(206, { 'content-range': 'bytes 0-0/1000' }).end(`part ${JSON.stringify(headers)}`)
  else response.end(`${method} ${JSON.stringify(headers)}`)
})
let asked = 0
let isWayward = false
let served: Served
let path = 0

const cached = (cache: Partial<CacheFragment> = {}): FeaturesFragment => ({
  gathers: false,
  response_validation: 'off',
  idempotency: false,
  graphql: null,
  cache: { ttl_ms: 60_000, vary: ['accept'], scope: 'shared', stale_if_error_ms: 0, ...cache },
})

before(async () => {
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const { port } = origin.address() as AddressInfo
  served = await serve(() => [
    collection('shop', {
      upstream: upstream(port),
      pass_headers: ['True-Client-IP'],
      proxies: [
        proxy('all', '/all/*', { features: cached() }),
        proxy('near', '/near/*', { features: cached({ vary: ['accept', 'x-forwarded-for'] }) }),
        proxy('asked', '/asked/*', { features: cached({ vary: ['cache-control', 'cookie'] }) }),
      ],
    }),
    client('acme', { collections: ['col_shop'] }),
    client('other', {
      collections: ['col_shop'],
      profiles: [profile('named', { forward_identity: true }), profile('plain')],
    }),
  ])
})
after(async () => {
  await served.close()
  origin.closeAllConnections()
  origin.close()
})
beforeEach(() => {
  path++
})

/** What X-Cache says, the status and the body. */
async function ask(route: string, headers: Record<string, string> = {}, more: Asked = {}) {
  const ids = { 'x-client-id': 'acme' }
  const answer = await served.ask(`/shop/${route}/${path}`, { ...more, headers: { ...ids, ...headers } })
  return [answer.headers['x-cache'], answer.status, answer.text] as const
}

/** Every header by which a caller could shape an answer, with a value that shows where it stands. */
const SENT: readonly (readonly [string, string])[] = [
  ['Cache-Control', 'max-age=31, evil'],
  ['Cache-Control', 'no-cache, evil'],
  ['Pragma', 'evil'],
  ['If-None-Match', '"evil"'],
  ['If-Modified-Since', 'Mon, 07 Nov 1994 08:49:37 GMT'],
  ['If-Range', '"evil"'],
  ['X-Forwarded-For', '6.6.6.6'],
  ['X-Forwarded-Host', 'evil'],
  ['X-Forwarded-Proto', 'evil'],
  ['X-Forwarded-Prefix', '/evil'],
  ['Forwarded', 'for=evil'],
  ['X-Real-IP', '6.6.6.6'],
  ['True-Client-IP', '6.6.6.6'],
  ['Via', '1.1 evil'],
  ['X-Request-ID', 'evil'],
  ['Accept', 'evil/evil'],
  ['Accept-Charset', 'evil'],
  ['Accept-Encoding', 'evil'],
  ['Accept-Language', 'evil'],
  ['Origin', 'https://evil.example'],
  ['X-Postern-Client', 'evil'],
  ['X-Postern-Subject', 'evil'],
  ['X-Anything', 'evil'],
]

test('no header and no address of one caller stands in an answer that another one gets', async () => {
  for (const [name, value] of SENT) {
    path++
    const [outcome] = await ask('all', { [name]: value }, { from: '127.0.0.6' })
    assert.equal(outcome, 'MISS', name)
    const [, status, body] = await ask('all')
    assert.equal(status, 200, name)
    assert.doesNotMatch(body, /evil|6\.6\.6\.6|127\.0\.0\.6|07 Nov/, name)
    assert.equal((await ask('all'))[0], 'HIT', name)
  }
})

test('cookies, ranges and conditions that the upstream must judge pass by the cache', async () => {
  for (const [name, value, expected] of [
    ['Cookie', 'a=evil', 200],
    ['Range', 'bytes=0-0', 206],
    ['If-Match', '"evil"', 412],
    ['If-Match', '"1"', 200],
    ['If-Unmodified-Since', 'Sat, 05 Nov 1994 08:49:37 GMT', 412],
    ['Cache-Control', 'no-store', 200],
  ] as const) {
    path++
    for (const outcome of ['MISS', 'HIT']) {
      const before = asked
      const [kept, status] = await ask('all', { [name]: value }, { from: '127.0.0.6' })
      assert.deepEqual([kept, status, asked - before], ['BYPASS', expected, 1], `${name}: ${value}`)
      const [state, whole, body] = await ask('all')
      assert.deepEqual([state, whole], [outcome, 200], `${name}: ${value}`)
      assert.doesNotMatch(body, /evil|127\.0\.0\.6/)
    }
  }
})

test('a condition fetches the whole answer, and is judged by what is kept', async () => {
  const [outcome, status, body] = await ask('all', { 'if-none-match': '"1"' })
  assert.deepEqual([outcome, status, body.startsWith('GET ')], ['MISS', 200, true])
  assert.deepEqual(await ask('all', { 'if-none-match': '"1"' }), ['HIT', 304, ''])
  assert.deepEqual(await ask('all', { 'if-modified-since': MODIFIED }), ['HIT', 304, ''])
  assert.deepEqual(await ask('all', { 'if-none-match': '"2"' }), ['HIT', 200, body])
  assert.deepEqual(await ask('all'), ['HIT', 200, body])
})

test('a 304 or 206 that the upstream sends unasked is not kept', async () => {
  isWayward = true
  assert.deepEqual((await ask('all')).slice(0, 2), ['MISS', 304])
  assert.deepEqual((await ask('all', { 'x-own': '1' })).slice(0, 2), ['MISS', 206])
  isWayward = false
  assert.deepEqual((await ask('all')).slice(0, 2), ['MISS', 200])
  assert.deepEqual((await ask('all', { 'x-own': '1' })).slice(0, 2), ['MISS', 200])
})

test('a caller who wants a new answer gets it, and the others get that one afterwards', async () => {
  await ask('all')
  const before = asked
  const [outcome, , body] = await ask('all', { 'cache-control': 'no-cache' })
  assert.deepEqual([outcome, asked - before], ['MISS', 1])
  assert.deepEqual(await ask('all'), ['HIT', 200, body])
})

test('the upstream gets the address of the caller where vary names it, and the answer is for that address alone', async () => {
  const near = async (from: string) => {
    const [outcome, , body] = await ask('near', {}, { from })
    return [outcome, /"x-forwarded-for":"([^"]*)"/.exec(body)?.[1]]
  }
  assert.deepEqual(await near('127.0.0.1'), ['MISS', '127.0.0.1'])
  assert.deepEqual(await near('127.0.0.6'), ['MISS', '127.0.0.6'])
  assert.deepEqual(await near('127.0.0.1'), ['HIT', '127.0.0.1'])
  assert.deepEqual(await near('127.0.0.6'), ['HIT', '127.0.0.6'])
  // What passes by the cache has it in any case
  const [, , bypassed] = await ask('all', { cookie: 'a=b' }, { from: '127.0.0.6' })
  assert.match(bypassed, /"x-forwarded-for":"127\.0\.0\.6"/)
})

test('a header that vary names reaches the upstream and keeps the answers apart', async () => {
  for (const [name, value] of [
    ['cache-control', 'max-age=31'],
    ['cookie', 'a=evil'],
  ] as const) {
    path++
    const [outcome, , body] = await ask('asked', { [name]: value })
    assert.deepEqual([outcome, body.includes(value)], ['MISS', true], name)
    const [other, , plain] = await ask('asked')
    assert.deepEqual([other, plain.includes(value)], ['MISS', false], name)
    assert.equal((await ask('asked', { [name]: value }))[0], 'HIT', name)
  }
})

test('the lines that name the caller to the upstream stand in no answer for another caller', async () => {
  const as = async (client: string, profile: string) => {
    const [outcome, , body] = await ask('all', { 'x-client-id': client, 'x-profile-id': profile })
    return [outcome, /"x-postern-client":"([^"]*)"/.exec(body)?.[1]]
  }
  assert.deepEqual(await as('other', 'named'), ['MISS', 'other'])
  assert.deepEqual(await as('acme', 'open'), ['MISS', undefined])
  assert.deepEqual(await as('other', 'plain'), ['HIT', undefined])
  assert.deepEqual(await as('other', 'named'), ['HIT', 'other'])
})
