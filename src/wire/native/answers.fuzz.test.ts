import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzzCases } from '../../../test/support/long.ts'
import { createRandom, mutate, readWithLlhttp } from '../../../test/wire/llhttp.ts'
import { BodyReader, CHUNKED, UNTIL_CLOSE } from './body-reader.ts'
import { answerTable, ResponseHead } from './response-head.ts'

const SEEDS = [
  'HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 02:31:51 GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello',
  'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nVary: a\r\nConnection: X-B\r\nX-B: 1\r\n\r\n5;n=v;m="q"\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n',
  'HTTP/1.0 200 OK\r\nX-Request-Id: a\r\n\r\nuntil the end',
  'HTTP/1.1 204 No Content\r\nETag: "x"\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n',
  'HTTP/1.1 304\r\nContent-Length: 7\r\nConnection: close\r\n\r\n',
]
const PIECES = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  '\0',
  ':',
  ';',
  ',',
  '"',
  '=',
  '0',
  '2',
  'a',
  'HTTP/1.1 ',
  '\x0b',
  '\x7f',
  '\xff',
].concat([
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'chunked',
  '5\r\nhello\r\n',
  '0\r\n\r\n',
  '3\r\n',
  ';a=b',
  ' \r\n',
  '0x',
  '+',
  '-',
])

const head = new ResponseHead(answerTable(['server']))

/** The body of an answer whose bytes arrive in pieces that end at `cuts`; null on a fault or when it does not end. */
function bodyOf(
  bytes: Buffer,
  framing: number,
  cuts: readonly number[],
): { body: string; rest: number } | null {
  const reader = new BodyReader()
  reader.reset(framing)
  let body = ''
  let at = 0
  for (const cut of [...cuts, bytes.length]) {
    if (reader.done) break
    if (!reader.read(bytes, at, cut)) return null
    body += bytes.toString('latin1', reader.from, reader.to)
    at = reader.next
  }
  if (!reader.done && framing !== UNTIL_CLOSE) return null
  return { body, rest: bytes.length - at }
}

function cutsOf(length: number, random: (below: number) => number): number[] {
  const cuts: number[] = []
  for (let at = random(6) + 1; at < length; at += random(6) + 1) cuts.push(at)
  return cuts
}

const REPLACED = ['x-request-id']

test('what is accepted of an upstream, llhttp reads in the same way', () => {
  const random = createRandom(0xa15)
  const cases = fuzzCases(20_000)
  let accepted = 0
  for (let i = 0; i < cases; i++) {
    const text = mutate(SEEDS[random(SEEDS.length)]!, PIECES, random)
    const bytes = Buffer.from(text, 'latin1')
    const what = JSON.stringify(text)
    const stop = bytes.indexOf('\r\n\r\n')
    if (stop < 0 || !head.parse(bytes, 0, stop + 2, REPLACED)) continue
    const { status } = head
    if (status < 200) continue
    const isBodiless = status === 204 || status === 304
    const framing = isBodiless ? 0 : head.chunked ? CHUNKED : head.length >= 0 ? head.length : UNTIL_CLOSE
    const rest = bytes.subarray(stop + 4)
    const ours = bodyOf(Buffer.from(rest), framing, [])
    assert.deepEqual(bodyOf(Buffer.from(rest), framing, cutsOf(rest.length, random)), ours, what)
    if (ours === null || ours.rest > 0) continue
    const { messages } = readWithLlhttp('answer', bytes)
    const theirs = messages[0]
    assert.ok(theirs, `llhttp does not accept ${what}`)
    assert.deepEqual([theirs.status, theirs.minor, theirs.body], [status, head.minor, ours.body], what)
    if (framing !== UNTIL_CLOSE) assert.ok(theirs.isComplete, `llhttp waits for more: ${what}`)
    const values: string[] = []
    for (let k = 0; k < theirs.headers.length; k += 2)
      values.push(`${theirs.headers[k]}:${theirs.headers[k + 1]!.trim()}`)
    let at = 0
    for (const line of head.pass.split('\r\n').slice(0, -1)) {
      const colon = line.indexOf(':')
      const name = line.slice(0, colon)
      const plain = `${name}:${line.slice(colon + 1).trim()}`
      while (at < values.length && values[at] !== plain) at++
      assert.ok(at < values.length, `${plain} is not what llhttp read: ${what}`)
      assert.doesNotMatch(name, /^(server|x-request-id|content-length|transfer-encoding|connection)$/i, what)
    }
    accepted++
  }
  assert.ok(accepted > cases / 5, `${accepted} answers were accepted`)
})

test('a chunked body is the same however it is cut, and llhttp agrees', () => {
  const random = createRandom(0xc4)
  const request = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
  const cases = fuzzCases(20_000)
  let accepted = 0
  for (let i = 0; i < cases; i++) {
    let text = ''
    for (let chunks = random(4); chunks >= 0; chunks--) {
      const data = 'abcdefghijklmnopqrstuvwxyz'.slice(0, random(26) + 1)
      const extension = random(4) === 0 ? ';name=token;other="quo\\"ted";x' : ''
      text += `${random(3) === 0 ? '00' : ''}${data.length.toString(16)}${extension}\r\n${data}\r\n`
    }
    text += `0\r\n${random(3) === 0 ? 'X-Checksum: 1\r\nX-Other:\r\n' : ''}\r\n`
    if (random(2) === 0) text = mutate(text, PIECES, random)
    const bytes = Buffer.from(text, 'latin1')
    const ours = bodyOf(Buffer.from(bytes), CHUNKED, [])
    assert.deepEqual(
      bodyOf(Buffer.from(bytes), CHUNKED, cutsOf(bytes.length, random)),
      ours,
      JSON.stringify(text),
    )
    const single = Array.from({ length: bytes.length }, (_, k) => k + 1)
    assert.deepEqual(bodyOf(Buffer.from(bytes), CHUNKED, single), ours, JSON.stringify(text))
    if (ours === null) continue
    const [theirs] = readWithLlhttp(
      'requests',
      Buffer.from(request + text.slice(0, text.length - ours.rest), 'latin1'),
    ).messages
    assert.ok(theirs?.isComplete, `llhttp does not accept ${JSON.stringify(text)}`)
    assert.equal(theirs.body, ours.body, JSON.stringify(text))
    accepted++
  }
  assert.ok(accepted > cases / 3, `${accepted} bodies were accepted`)
})
