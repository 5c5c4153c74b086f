import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { applyContent, decodedContent } from './content.ts'
import { compileRule } from './rule.ts'
import { Tally } from './tally.ts'

const CARD = '4111111111111111'
const rule = compileRule({
  id: 'gdr_1',
  slug: 'one',
  detector: { detector: 'pii', kinds: ['card'] },
  action: 'block',
  isObserved: false,
  passesFailures: false,
  refusesCompressed: false,
  bytesMax: 1000,
})
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
  assert.equal(causeOf('image/png', CARD), undefined)
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
