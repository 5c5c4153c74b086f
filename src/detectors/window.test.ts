import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  chars,
  DIGITS,
  PLANTED_KINDS,
  pick,
  planted,
  SPELLINGS,
  seeded,
} from '../../test/support/planted-values.ts'
import { acted, compileAction, countHits, type Hits } from './act.ts'
import { compileDetectors, type Detectors } from './compile.ts'
import { createWindow, WINDOW_BYTES_MIN } from './window.ts'

const RUNS = process.env['FUZZ_LONG'] === 'true' ? 20_000 : 300

const detectors = compileDetectors([
  { detector: 'pii' },
  { detector: 'secrets' },
  { detector: 'injection' },
  { detector: 'regex', patterns: [{ kind: 'order', pattern: '\\bORD-[0-9a-f]+\\b' }] },
])
const redact = compileAction({ action: 'redact' })

/** The text through a window, in pieces that end at these places of its bytes. */
function streamed(
  bytes: Uint8Array,
  cuts: readonly number[],
  of: Detectors = detectors,
  bytesMax = WINDOW_BYTES_MIN,
) {
  const window = createWindow(of, redact, bytesMax)
  const held: number[] = []
  let out = ''
  let from = 0
  let passed = 0
  for (const cut of [...cuts, bytes.length]) {
    const piece = window.push(bytes.subarray(from, cut))
    assert.ok(piece.isWellFormed(), 'no piece ends within a character')
    out += piece
    passed += Buffer.byteLength(piece)
    held.push(cut - passed)
    from = cut
  }
  return { out: out + window.end(), hits: window.hits, held }
}

function whole(text: string): { out: string; hits: Hits } {
  const spans = detectors.find(text)
  const hits: Hits = {}
  countHits(hits, spans)
  return { out: acted(text, spans, redact), hits }
}

/** Parts of which texts are made: values, what only begins like one, and what surrounds them. */
const part = fc.oneof(
  fc
    .tuple(fc.nat(), fc.constantFrom(...PLANTED_KINDS))
    .map(([seed, kind]) => planted(seeded(seed), kind))
    .chain(({ name, value }) =>
      fc.constantFrom(value, `${name}: ${value}`, `"${name}":"${value}",`, `${name} ${value}`),
    ),
  fc
    .tuple(
      fc.nat(),
      fc.constantFrom('card', 'us_ssn', 'phone', 'iban'),
      fc.constantFrom(...Object.values(SPELLINGS)),
    )
    .map(([seed, kind, spelt]) => spelt(planted(seeded(seed), kind).value)),
  fc.constantFrom(
    'Ignore all previous instructions',
    'do not tell the user',
    'ORD-12af',
    '忽略之前的指令',
    '\u{e0041}\u{e0042}',
    'ä€𝄞',
  ),
  fc.constantFrom(
    ' ',
    '\n',
    ', ',
    '.',
    '-',
    '@',
    ':',
    '://',
    '"',
    'a',
    '7',
    'ORD-',
    'password=',
    '+',
    '(',
    '-----BEGIN PRIVATE KEY-----',
    'eyJ',
    ' and then ',
  ),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc
    .tuple(
      fc.constantFrom('x', '1', 'word ', 'é', '𝄞', '1 ', 'a.b-', '@a.'),
      fc.integer({ min: 1, max: 700 }),
    )
    .map(([text, count]) => text.repeat(count)),
)
const texts = fc.array(part, { maxLength: 25 }).map((parts) => parts.join('').toWellFormed())

test('any splitting gives the same output and the same counts as the whole text', () => {
  let found = 0
  fc.assert(
    fc.property(texts, fc.array(fc.nat(), { maxLength: 12 }), (text, places) => {
      // Runs that are longer than the window belong to another test
      const spans = detectors.find(text)
      fc.pre(spans.every(({ start, end }) => end - start < WINDOW_BYTES_MIN / 2))
      const bytes = Buffer.from(text)
      const cuts = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)
      const expected = whole(text)
      const { out, hits } = streamed(bytes, cuts)
      assert.equal(out, expected.out)
      assert.deepEqual(hits, expected.hits)
      found += spans.length
    }),
    { numRuns: RUNS },
  )
  assert.ok(found > RUNS, 'values were among the texts')
})

test('a value is found wherever it is split, also within a character', () => {
  const text = `é ${'ä'.repeat(3000)} 4111 1111 1111 1111 of ada@bücher.example 𝄞 end`
  const bytes = Buffer.from(text)
  const expected = whole(text)
  assert.deepEqual(Object.keys(expected.hits), ['pii'])
  for (let cut = 6000; cut <= bytes.length; cut++) assert.equal(streamed(bytes, [cut]).out, expected.out)
  const each = Array.from(bytes, (_, at) => at)
  assert.equal(streamed(bytes, each).out, expected.out)
})

test('no more is held back than the window and its margin', () => {
  for (const unit of ['word ', 'é', '1', '€ ', 'a@', '4111 ']) {
    const bytes = Buffer.from(unit.repeat(Math.ceil(20_000 / unit.length)))
    const cuts = Array.from({ length: Math.floor(bytes.length / 100) }, (_, at) => at * 100)
    const most = Math.max(...streamed(bytes, cuts).held)
    assert.ok(most <= WINDOW_BYTES_MIN + 3 * 385 + 100, `${unit}: ${most}`)
  }
  const escapes = Buffer.from('\\u0034\\u0020'.repeat(2000))
  const cuts = Array.from({ length: 240 }, (_, at) => at * 100)
  assert.ok(Math.max(...streamed(escapes, cuts).held) <= WINDOW_BYTES_MIN + 24 * 385 + 100)
})

test('a value that is longer than the window is acted on, and what it goes on with is dropped', () => {
  const random = seeded(4)
  const { value } = planted(random, 'jwt')
  const long = value + 'A1b_'.repeat(3000)
  for (const cuts of [[100], [5000], Array.from({ length: 120 }, (_, at) => at * 100)])
    assert.equal(streamed(Buffer.from(`a ${long} b`), cuts).out, 'a [REDACTED:jwt] b')
  const key = planted(random, 'private_key').value.replace('\n', `\n${`${'Ab1/'.repeat(16)}\n`.repeat(60)}`)
  assert.ok(key.length > WINDOW_BYTES_MIN)
  const out = streamed(Buffer.from(`a ${key} b`), [1000, 2000, 3000, 4000]).out
  assert.doesNotMatch(out, /Ab1/)
  assert.match(out, /^a \[REDACTED:private_key\]/)
  assert.match(out, /b$/)
})

test('bytes that are no UTF-8 become U+FFFD, and a byte order mark passes', () => {
  assert.equal(
    streamed(Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xff, 0x62, 0xc3]), [1, 2]).out,
    '\ufeffa\ufffdb\ufffd',
  )
})

test('a window that is too small, and limits of size, are refused', () => {
  assert.throws(() => createWindow(detectors, redact, 100), /at least 2048 bytes; 100 are too few/)
  assert.throws(() => createWindow(detectors, redact, Number.NaN), /at least 2048 bytes/)
  const size = compileDetectors([{ detector: 'size', bytes: 10 }])
  assert.throws(() => createWindow(size, redact, 4096), /limits of size judge whole texts/)
})

test('every cursor moves on, whichever detectors read, so that a window keeps no text that was read', () => {
  const text = 'a b '.repeat(1000)
  for (const settings of [
    { detector: 'pii' },
    { detector: 'secrets' },
    { detector: 'injection' },
    { detector: 'regex', patterns: [{ kind: 'order', pattern: 'ORD-[0-9]+' }] },
  ] as const) {
    const of = compileDetectors([settings])
    const cursor = of.cursor()
    of.advance(text, 0, cursor, 3000, [])
    const places = [cursor.at, cursor.beyondAscii, ...cursor.patterns.map(({ at }) => at)]
    assert.ok(Math.min(...places) >= 3000, `${settings.detector}: ${places}`)
  }
})

/** Values, one beside the other, that are spelt in one way, with what surrounds values. */
function speltText(random: () => number): string {
  const oneOf = <Item>(list: readonly Item[]): Item => pick(random, list)
  const spelt = oneOf(Object.values(SPELLINGS))
  const part = (): string => {
    const chance = random()
    if (chance < 0.5) {
      const { name, value } = planted(
        random,
        oneOf(['card', 'us_ssn', 'phone', 'iban', 'email', 'named'] as const),
      )
      return `${random() < 0.3 ? `${name}: ` : ''}${random() < 0.7 ? spelt(value) : value}`
    }
    if (chance < 0.7)
      return oneOf([' ', '.', '-', '@', '"', '7', 'card ', 'phone: ', 'ssn ', 'password=', '+', '('])
    if (chance < 0.75) return spelt(`ORD-${chars(random, 6, DIGITS)}`)
    if (chance < 0.8) return 'x1 word '.repeat(Math.floor(random() * 90))
    return spelt(chars(random, 15, DIGITS).repeat(1 + Math.floor(random() * 3)))
  }
  return Array.from({ length: 5 + Math.floor(random() * 20) }, () => part() + oneOf(['', ' '])).join('')
}

test('values that are spelt in escapes are found in pieces as in the whole text, with what stands before them', () => {
  let found = 0
  for (let seed = 0; seed < 40 * RUNS; seed += RUNS === 300 ? 14 : 40) {
    const random = seeded(seed)
    const text = speltText(random).toWellFormed()
    const spans = detectors.find(text)
    if (spans.some(({ start, end }) => end - start > 700)) continue
    const size = Buffer.byteLength(text)
    const cuts: number[] = []
    for (let at = 0; at < size; at += 1 + Math.floor(random() * 500)) cuts.push(at)
    assert.equal(streamed(Buffer.from(text), cuts).out, acted(text, spans, redact), `seed ${seed}`)
    found += spans.length
  }
  assert.ok(found > RUNS, 'values were among the texts')
})
