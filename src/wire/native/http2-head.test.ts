import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzzCases } from '../../../test/support/long.ts'
import { createRandom, mutate } from '../../../test/wire/llhttp.ts'
import { RULES } from '../../../test/wire/peers.ts'
import { DEFAULT_LIMITS } from '../limits.ts'
import { requestHead } from './http2-connection.ts'
import { RequestHead } from './request-head.ts'
import { compileRules } from './request-rules.ts'

const BASE = [':method', 'GET', ':scheme', 'https', ':authority', 'a.test', ':path', '/x']

function lines(pairs: readonly string[], hasBody = false): string | null {
  return requestHead(pairs, hasBody)?.toString('latin1') ?? null
}

test('a request becomes a head of HTTP/1.1 that ends its connection', () => {
  assert.equal(
    lines([...BASE, 'cookie', 'a=1', 'accept', '*/*', 'cookie', 'b=2', 'te', 'trailers']),
    'GET /x HTTP/1.1\r\nHost: a.test\r\nCookie: a=1; b=2\r\naccept: */*\r\nte: trailers\r\nConnection: close\r\n\r\n',
  )
})

test('a body is announced by its length, or chunked', () => {
  assert.match(lines(BASE, true)!, /\r\nTransfer-Encoding: chunked\r\n/)
  const known = lines([...BASE, 'content-length', '5'], true)!
  assert.match(known, /\r\ncontent-length: 5\r\n/)
  assert.doesNotMatch(known, /Transfer-Encoding/)
  assert.equal(lines([...BASE, 'content-length', '5'], false), null)
  assert.notEqual(lines([...BASE, 'content-length', '0'], false), null)
})

test('one authority is one host, whichever way it is said; two that differ stay two', () => {
  const without = BASE.filter((_, i) => i !== 4 && i !== 5)
  assert.match(lines([...without, 'host', 'b.test'])!, /^GET \/x HTTP\/1\.1\r\nHost: b\.test\r\n/)
  assert.equal(lines([...BASE, 'host', 'A.test'])!.match(/host:/gi)!.length, 1)
  assert.equal(lines([...BASE, 'host', 'b.test'])!.match(/host:/gi)!.length, 2)
  assert.doesNotMatch(lines(without)!, /host:/i)
})

test('what is malformed in HTTP/2 alone becomes no head', () => {
  const malformed: string[][] = [
    [],
    [':method', 'GET', ':scheme', 'https'],
    [':scheme', 'https', ':path', '/'],
    [':method', 'GET', ':path', '/'],
    [':method', 'GET', ':scheme', 'ftp', ':path', '/'],
    [':method', 'GET', ':scheme', 'https', ':path', ''],
    [':method', 'GET', ':scheme', 'https', ':path', 'http://b.test/'],
    [':method', 'GET', ':scheme', 'https', ':path', '/ HTTP/1.1\r\nX: y'],
    [':method', 'GET /b', ':scheme', 'https', ':path', '/'],
    [':method', 'CONNECT', ':scheme', 'https', ':authority', 'a:1', ':path', '/'],
    [...BASE, ':path', '/y'],
    [...BASE, ':protocol', 'websocket'],
    [...BASE, 'accept', 'a', ':extra', 'b'],
    ['accept', 'a', ...BASE],
    ['cookie', 'a', ...BASE],
    [...BASE, 'Accept', 'a'],
    [...BASE, 'ac cept', 'a'],
    [...BASE, '', 'a'],
    [...BASE, 'x', 'a\r\nb: c'],
    [...BASE, 'x', 'a\0'],
    [...BASE, 'te', 'gzip'],
    ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map((name) => [
      ...BASE,
      name,
      'x',
    ]),
    [':method', 'GET', ':scheme', 'https', ':authority', 'a\r\nx: y', ':path', '/'],
  ]
  for (const pairs of malformed) assert.equal(lines(pairs), null, JSON.stringify(pairs))
})

/** What the reader of heads makes of it: the path and host of a request that is accepted, else null. */
function judged(head: Buffer | null): readonly string[] | null {
  if (head === null) return null
  const reader = new RequestHead(compileRules(RULES), DEFAULT_LIMITS)
  const code = reader.parse(head, 0, head.length - 2)
  return code === null ? [reader.method, reader.path, reader.query, reader.host] : null
}

const TARGETS = ['/a/b?c=d', '/a/%2e%2e/b', '//a', '/a;b/c', '/%zz', '*', 'http://b.test/', '/%41/~x?%2f', '']
const HOSTS = ['a.test', 'A.test:8443', '[::1]:1', 'a.test/b', 'u@a.test', '', '1.2', 'a b']
const PIECES = [
  '/',
  '..',
  '%',
  '%2f',
  ' ',
  '\r\n',
  '\0',
  '?',
  '#',
  '\\',
  ':',
  '@',
  '\x7f',
  '\xff',
  'HTTP/1.1',
  'x',
]

test('targets, hosts and methods are accepted or refused exactly as over HTTP/1.1', () => {
  const random = createRandom(9113)
  const pick = (list: readonly string[]): string => {
    const one = list[random(list.length)]!
    return random(3) > 0 ? one : mutate(one, PIECES, random)
  }
  let accepted = 0
  for (let i = 0; i < fuzzCases(20_000); i++) {
    const [method, target, host] = [pick(['GET', 'POST', 'PUT', 'CONNECT']), pick(TARGETS), pick(HOSTS)]
    const pairs = [':method', method, ':scheme', 'https', ':authority', host, ':path', target]
    const there = judged(requestHead(pairs, false))
    // Space around a value is part of HTTP/1.1 lines, and an absolute form is none of HTTP/2
    const head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
    const here = target.startsWith('/') && host === host.trim() ? judged(Buffer.from(head, 'latin1')) : there
    const isOneHead = !/[\r\n]/.test(method + target + host)
    if (isOneHead) assert.deepEqual(there, here, JSON.stringify(pairs))
    else assert.equal(there, null, JSON.stringify(pairs))
    if (there !== null) {
      accepted++
      assert.ok(target.startsWith('/'))
    }
  }
  assert.ok(accepted > 300, String(accepted))
})
