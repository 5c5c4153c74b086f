import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_LIMITS } from '../limits.ts'
import { RequestHead } from './request-head.ts'
import { compileRules } from './request-rules.ts'

const RULES = {
  take: ['x-client-id', 'x-forwarded-for'],
  peek: ['user-agent'],
  identity: ['x-client-id'],
  strip: ['x-secret'],
  stripPrefixes: ['x-postern-', 'client-cert'],
}

function read(lines: string, first = 'GET / HTTP/1.1\r\nHost: a\r\n'): RequestHead {
  const head = new RequestHead(compileRules(RULES), DEFAULT_LIMITS)
  const bytes = Buffer.from(`${first}${lines}\r\n`, 'latin1')
  const code = head.parse(bytes, 0, bytes.length - 2)
  assert.equal(code, null, head.inner)
  return head
}

test('taken fields leave the head, peeked ones stay, and repeated ones are joined', () => {
  const head = read('x-forwarded-for:  a\t \r\nUser-Agent: u\r\nX-FORWARDED-FOR: b\r\nX-Client-Id:\r\n')
  assert.deepEqual(head.taken, ['', 'a, b', 'u'])
  assert.equal(head.pass, 'User-Agent: u\r\n')
})

test('stripped names and prefixes leave the head in any case, and only they', () => {
  const head = read(
    'X-SECRET: 1\r\nX-Secrets: 2\r\nx-POSTERN-role: 3\r\nX-Postern: 4\r\nClient-Cert: 5\r\nClient-Certificate: 6\r\nY: 7\r\n',
  )
  assert.equal(head.pass, 'X-Secrets: 2\r\nX-Postern: 4\r\nY: 7\r\n')
})

test('what some servers read as a dropped name is dropped too', () => {
  const head = read(
    'X_Forwarded_For: 1\r\nx.secret: 2\r\nX_Postern_Role: 3\r\nContent_Length: 4\r\nX_Other: 5\r\nUser_Agent: 6\r\n',
  )
  assert.equal(head.pass, 'X_Other: 5\r\nUser_Agent: 6\r\n')
  assert.deepEqual(head.taken, [undefined, undefined, undefined])
})

test('fields that Connection names leave the head, before or after it', () => {
  const head = read('A: 1\r\nConnection: a, keep-alive\r\nB: 2\r\nConnection: ,b ,close\r\nC: 3\r\n')
  assert.equal(head.pass, 'C: 3\r\n')
  assert.equal(head.close, true)
})

test('hop-by-hop fields and offers of other protocols leave the head', () => {
  const head = read(
    'Keep-Alive: 1\r\nProxy-Connection: 1\r\nProxy-Authorization: 1\r\nTE: 1\r\nTrailer: 1\r\nUpgrade: h2c\r\nHTTP2-Settings: 1\r\nConnection: Upgrade, HTTP2-Settings\r\nZ: 1\r\n',
  )
  assert.equal(head.pass, 'Z: 1\r\n')
})

test('names with other token characters, long names and 8-bit values pass', () => {
  const lines = `a!#$%&'*+.^_\`|~: 1\r\n${'n'.repeat(200)}: 2\r\nv: \xe9\xff\r\nempty:\r\n`
  assert.equal(read(lines).pass, lines)
})

test('a stripped prefix holds for names of any length', () => {
  assert.equal(read(`X-Postern-${'n'.repeat(200)}: 2\r\n`).pass, '')
})

test('HTTP/1.0 needs no Host, closes, and cannot expect anything', () => {
  const head = read('Expect: 100-continue\r\nContent-Length: 1\r\n', 'GET /a HTTP/1.0\r\n')
  assert.deepEqual(
    [head.minor, head.close, head.host, head.expectsContinue, head.bodyBytes],
    [0, true, '', false, 1],
  )
  assert.equal(read('', 'GET http://B:80 HTTP/1.0\r\n').host, 'b:80')
})

test('the absolute form becomes the origin form when it agrees with Host', () => {
  const head = read('', 'GET HTTP://A.b?q HTTP/1.1\r\nHost: a.B\r\n')
  assert.deepEqual([head.path, head.query, head.host], ['/', 'q', 'a.b'])
})

test('every allowed method is read', () => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    assert.equal(read('', `${method} / HTTP/1.1\r\nHost: a\r\n`).method, method)
})

test('rules that cannot hold are refused when they are made', () => {
  assert.throws(() => compileRules({ ...RULES, take: ['host'] }), RangeError)
  assert.throws(() => compileRules({ ...RULES, strip: ['x'.repeat(64)] }), RangeError)
  assert.throws(
    () => compileRules({ ...RULES, identity: Array.from({ length: 31 }, (_, i) => `i${i}`) }),
    RangeError,
  )
})
