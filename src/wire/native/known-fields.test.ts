import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzzCases } from '../../../test/support/long.ts'
import { createRandom, mutate } from '../../../test/wire/llhttp.ts'
import { RULES } from '../../../test/wire/peers.ts'
import { PIECES, SEEDS } from '../../../test/wire/request-seeds.ts'
import { DEFAULT_LIMITS } from '../limits.ts'
import { FieldSection } from './field-section.ts'
import { KnownFields } from './field-table.ts'
import { RequestHead } from './request-head.ts'
import { compileRules } from './request-rules.ts'
import { answerTable, type KnownAnswers, ResponseHead } from './response-head.ts'

const rules = compileRules(RULES)

/** Reads a section as a connection does. Gives whether it was known. */
function seen(known: KnownFields<FieldSection>, lines: string): boolean {
  // Other bytes around it, as in a buffer with more than one message
  const bytes = Buffer.from(`before${lines}after`, 'latin1')
  const [from, end] = [6, 6 + lines.length]
  const found = known.find(bytes, from, end)
  if (found !== null) return true
  const section = new FieldSection(rules, 100)
  assert.ok(section.read(bytes, from, end))
  known.learn(bytes, from, end, section)
  return false
}

test('a section is known when every byte of it is the same', () => {
  const lines = 'Host: a\r\nAccept: */*\r\n'
  for (let at = 0; at < lines.length; at++) {
    const known = new KnownFields<FieldSection>()
    assert.equal(seen(known, lines), false)
    assert.equal(seen(known, lines), true)
    const bytes = Buffer.from(lines, 'latin1')
    bytes[at]! ^= 0x80
    assert.equal(known.find(bytes, 0, bytes.length), null)
  }
})

test('a section that replaces another is known after it came again', () => {
  const known = new KnownFields<FieldSection>()
  assert.deepEqual(
    ['A: 1\r\n', 'A: 1\r\n', 'A: 2\r\n', 'A: 2\r\n', 'A: 1\r\n', 'B: 1\r\n', 'B: 1\r\n'].map((lines) =>
      seen(known, lines),
    ),
    [false, true, false, true, false, false, true],
  )
})

test('the more sections have come that were others, the more rarely one is kept', () => {
  const known = new KnownFields<FieldSection>()
  assert.deepEqual(
    [...'ABCDEEEEE'].map((name) => seen(known, `${name}: 1\r\n`)),
    [false, false, false, false, false, false, false, false, true],
  )
})

test('sections that are empty, tiny or huge are read as ever', () => {
  for (const lines of ['', `X: ${'y'.repeat(5000)}\r\n`]) {
    const known = new KnownFields<FieldSection>()
    assert.deepEqual([seen(known, lines), seen(known, lines)], [false, false])
  }
})

test('a head reads the same whatever its connection has sent before', () => {
  const random = createRandom(41)
  const head = new RequestHead(rules, DEFAULT_LIMITS)
  const alone = new RequestHead(rules, DEFAULT_LIMITS)
  let known = new KnownFields<FieldSection>()
  let text = SEEDS[0]!
  for (let round = 0; round < fuzzCases(20_000); round++) {
    if (random(10) === 0) known = new KnownFields<FieldSection>()
    const change = random(10)
    if (change < 1) text = SEEDS[random(SEEDS.length)]!
    else if (change < 4) text = mutate(text, PIECES, random)
    else if (change < 6) text = text.replace(/^\S+ \S+ HTTP\/1.\d/, `POST /p${round} HTTP/1.${round % 2}`)
    const stop = text.indexOf('\r\n\r\n')
    if (stop < 0) {
      text = SEEDS[round % SEEDS.length]!
      continue
    }
    const bytes = Buffer.from(text, 'latin1')
    assert.deepEqual(
      judged(head, head.parse(bytes, 0, stop + 2, known)),
      judged(alone, alone.parse(bytes, 0, stop + 2)),
    )
  }
})

test('an answer reads the same whatever its connection has answered before, and whichever lines are replaced', () => {
  const random = createRandom(43)
  const table = answerTable(['server'])
  const [head, alone] = [new ResponseHead(table), new ResponseHead(table)]
  const replaced = [[], ['date', 'x-a'], ['content-length', 'vary']]
  const seeds = [
    'HTTP/1.1 200 OK\r\nServer: s\r\nDate: Sat, 21 Nov 2026 02:31:51 GMT\r\nContent-Length: 5\r\n\r\n',
    'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nVary: a\r\nConnection: X-B, close\r\nX-B: 1\r\n\r\n',
    'HTTP/1.0 200\r\nX-A: a\r\n\r\n',
  ]
  const known: KnownAnswers = new KnownFields()
  let text = seeds[0]!
  for (let round = 0; round < fuzzCases(20_000); round++) {
    const change = random(10)
    if (change < 2) text = seeds[random(seeds.length)]!
    else if (change < 4) text = mutate(text, PIECES, random)
    else if (change < 5) text = text.replace(/^HTTP\/1.\d \d+/, `HTTP/1.${round % 2} 20${round % 10}`)
    const stop = text.indexOf('\r\n\r\n')
    if (stop < 0) {
      text = seeds[round % seeds.length]!
      continue
    }
    const bytes = Buffer.from(text, 'latin1')
    const names = replaced[random(replaced.length)]!
    const isRead = alone.parse(bytes, 0, stop + 2, names)
    assert.equal(head.parse(bytes, 0, stop + 2, names, known), isRead)
    if (isRead) assert.deepEqual(head, alone)
  }
})

/** What the last head was read as. */
function judged(head: RequestHead, code: string | null): unknown {
  const { method, path, query, host, minor, pass, taken, bodyBytes, close, expectsContinue, upgrade } = head
  return [
    code,
    head.inner,
    method,
    path,
    query,
    host,
    minor,
    pass,
    taken,
    bodyBytes,
    close,
    expectsContinue,
    upgrade,
  ]
}
