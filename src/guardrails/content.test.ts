import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { applyContent, decodedContent } from './content.ts'
import { compileRule, type Rule } from './rule.ts'
import { Tally } from './tally.ts'

const CARD = '4111111111111111'
const [rule, mask] = (['block', 'mask'] as const).map((action) =>
  compileRule({
    id: `gdr_${action}`,
    slug: action,
    detector: { detector: 'pii', kinds: ['card'] },
    action,
    isObserved: false,
    passesFailures: false,
    refusesCompressed: false,
    bytesMax: 1000,
  }),
) as [Rule, Rule]
const causeOf = (type: string | undefined, body: string): string | undefined =>
  applyContent([rule], Buffer.from(body), type, 'response', new Tally()).stop?.cause

test('what is no media type is looked at like a content without one', () => {
  for (const type of [
    undefined,
    '',
    'json',
    'application/json charset=utf-8',
    'application/json, image/png',
    'image/png, application/json',
    '"application/json"',
    ';application/json',
  ])
    for (const body of [`{"card":"${CARD}"}`, `{"card":"4111\\u0031${CARD.slice(5)}"}`, `card ${CARD}`])
      assert.equal(causeOf(type, body), 'found', `${type} ${body}`)
})

const json = `{"card":"4111\\u0031${CARD.slice(5)}"}`
/** What the upstream would get of a request, or why it gets nothing. */
function sent(type: string | undefined, body: string | Uint8Array, chain = [mask]): string {
  const { value, stop } = applyContent(chain, Buffer.from(body), type, 'request', new Tally())
  return stop === null ? Buffer.from(value).toString() : stop.cause
}

test('JSON in a request is looked at as JSON, whatever its media type', () => {
  for (const type of [
    'application/x-json',
    'application/x-amz-json-1.1',
    'application/csp-report',
    'application/vnd.api+json',
    'application/json-seq',
    'application/geo+json-seq',
    'application/jsonl',
    'application/octet-stream',
    'application/grpc',
    'application/x-thing',
    'application/octet-stream; charset=binary',
    'multipart/mixed; boundary=a',
    'image/png',
    'text/plain',
    'text/html',
    'application/xml',
    'application/x-www-form-urlencoded',
    undefined,
  ]) {
    assert.equal(sent(type, json), '{"card":"********1111"}', type)
    assert.equal(sent(type, json, [rule]), 'found', type)
    assert.equal(sent(type, '{"card":4111111111111111.0}'), '{"card":"********1111"}', type)
  }
  const { stop } = applyContent([rule], Buffer.from(json), 'text/event-stream', 'request', new Tally())
  assert.equal(stop?.cause, 'found')
})

test('text in a request is looked at under any media type, and what is no text passes', () => {
  for (const type of [
    'application/octet-stream',
    'application/x-thing',
    'image/png',
    'application/vnd.thing',
  ]) {
    assert.equal(sent(type, `pay ${CARD}, please`), 'pay ********1111, please', type)
    assert.equal(sent(type, `\x08\x01${CARD}`), 'failed', `${type}: a change would break a binary format`)
    assert.equal(sent(type, `\x08\x01${CARD}`, [rule]), 'found', type)
    const file = Buffer.from(`89504e470d0a1a0a0000000d49484452${'00ff'.repeat(50)}`, 'hex')
    assert.equal(sent(type, file, [rule]), file.toString(), type)
  }
})

test('bytes that are no UTF-8 and that a server may yet read as text are a failure', () => {
  const broken = Buffer.concat([
    Buffer.from('{"a":"'),
    Buffer.from([0xff]),
    Buffer.from(`","card":"${CARD}"}`),
  ])
  for (const type of [
    'application/octet-stream',
    'application/x-thing',
    'image/png',
    undefined,
    'application/json',
  ])
    for (const bytes of [
      broken,
      Buffer.concat([Buffer.from(' \n'), broken]),
      Buffer.from(`\ufeff${json}é`, 'utf16le').subarray(0, -1),
      Buffer.from(`${json}\ud800`, 'utf16le'),
      Buffer.from(`${json}é`, 'utf16le').swap16(),
    ])
      assert.equal(sent(type, bytes), 'failed', `${type} ${bytes.toString('hex')}`)
  assert.equal(sent('application/x-thing', Buffer.from(`caf\xe9 ${CARD}`, 'latin1')), 'failed')
})

test('a request in UTF-16 or UTF-32 without a byte order mark is a failure: its ASCII is valid UTF-8 with zeros', () => {
  const [le, utf32] = [Buffer.from(json, 'utf16le'), Buffer.alloc(json.length * 4)]
  for (const [index, char] of [...json].entries()) utf32.writeUInt32LE(char.charCodeAt(0), index * 4)
  for (const bytes of [le, Buffer.from(le).swap16(), utf32, Buffer.from(utf32).swap32()])
    for (const type of [
      'application/json',
      'text/plain',
      'application/xml',
      'application/x-www-form-urlencoded',
      'text/event-stream',
      'application/x-ndjson',
      'application/octet-stream',
      'application/x-thing',
      'image/png',
      undefined,
    ])
      assert.equal(sent(type, bytes), 'failed', `${type} ${bytes.toString('hex')}`)
  for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded'])
    assert.equal(sent(type, Buffer.from(CARD, 'utf16le')), 'failed', type)
  // Such as a message of gRPC, and one of protobuf
  for (const body of ['\0\0\0\0\x05\x0a\x03abc', '\x0a\x01{\x10\0'])
    assert.equal(sent('application/grpc', body), body)
})

test('a request that is JSON and a form in one is looked at as both, and counts once', () => {
  const both = `{"a":"${CARD}","b":"%34${CARD.slice(1)}"}`
  const type = 'application/x-www-form-urlencoded'
  assert.doesNotMatch(decodeURIComponent(sent(type, both)), /4111/)
  const tally = new Tally()
  const log = { ...rule, blocks: false, action: 'log' as const }
  applyContent([log], Buffer.from(`{"a":"${CARD}"}`), type, 'request', tally)
  assert.equal(tally.list()[0]!.count, 1)
})

test('each line of a request in events is looked at, and each record of a sequence', () => {
  const type = 'text/event-stream'
  for (const line of [`retry: ${CARD}`, `: ${CARD}`, CARD, `data: ${CARD}`, `data:{"a":\ndata:"${CARD}"}`])
    assert.doesNotMatch(sent(type, `data: 1\n${line}\n\n`), /4111/, line)
  assert.equal(
    sent('application/json-seq', `\x1e{"a": 1}\n\x1e{"card": "${CARD}"}\n`),
    '\x1e{"a": 1}\n\x1e{"card": "********1111"}\n',
  )
})

test('a response of a type of files passes as it comes, and one of a type that is not known is looked at', () => {
  for (const type of ['image/png', 'application/octet-stream', 'application/zip', 'video/mp4'])
    assert.equal(causeOf(type, CARD), undefined, type)
  for (const type of ['application/x-thing', 'application/x-amz-json-1.0', 'multipart/mixed'])
    assert.equal(causeOf(type, CARD), 'found', type)
})

test('a charset other than UTF-8 is a failure, however it is written and whatever text it is of', () => {
  const types = [
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'text/event-stream',
    'json',
  ]
  for (const type of types) {
    for (const charset of [
      'charset=utf-7',
      'charset = "UTF-7"',
      ' Charset =utf-7',
      'charset=utf-8; charset=utf-7',
      'charset=utf-7; charset=utf-8',
      'a=";charset=utf-8"; charset=utf-7',
    ])
      assert.equal(causeOf(`${type};${charset}`, '{"card":"+ADQAMQAxADE-"}'), 'failed', `${type};${charset}`)
    for (const charset of ['charset=utf-8', 'charset="UTF-8"', 'charset=US-ASCII', 'version=1'])
      assert.equal(causeOf(`${type}; ${charset}`, 'true'), undefined, `${type}; ${charset}`)
  }
})

test('the first event of a stream with a byte order mark is looked at', () => {
  const card = `\ufeffdata: {"card":"${CARD}"}\n\n`
  assert.equal(causeOf('text/event-stream', card), 'found')
  assert.equal(causeOf('application/json', `\ufeff{"card":"${CARD}"}`), 'found')
  assert.equal(causeOf('application/x-ndjson', `\ufeff{"card":"${CARD}"}\n`), 'found')
})

test('bytes behind the end of a compressed content, which some decoders read, make it a failure', async () => {
  for (const [coding, pack] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const) {
    const [one, other] = [pack(Buffer.from('{"a":1}')), pack(Buffer.from(CARD))]
    assert.equal(String(await decodedContent(one, coding, 1000)), '{"a":1}')
    const both = await decodedContent(Buffer.concat([one, other]), coding, 1000)
    // gzip may have several members (RFC 1952 section 2.2), and all are decoded
    if (coding === 'gzip') assert.equal(String(both), `{"a":1}${CARD}`)
    else assert.equal(both, 'the compressed content has bytes behind its end')
    assert.equal(typeof (await decodedContent(one.subarray(0, -1), coding, 1000)), 'string')
    assert.equal(await decodedContent(one, coding, 3), 'the decoded content is longer than max_body')
  }
})
