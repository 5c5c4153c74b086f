import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PLANTED_KINDS, planted, seeded } from '../../test/support/planted-values.ts'
import { applyContent } from './content.ts'
import { createFilter, type StreamedKind } from './filter.ts'
import { compileRule, type RuleSettings } from './rule.ts'
import { Tally } from './tally.ts'

const RUNS = process.env['FUZZ_LONG'] === 'true' ? 5000 : 150

function rule(members: Partial<RuleSettings> = {}) {
  return compileRule({
    id: 'gdr_1',
    slug: 'one',
    detector: { detector: 'pii' },
    action: 'redact',
    isObserved: false,
    passesFailures: false,
    refusesCompressed: false,
    bytesMax: 100_000,
    ...members,
  })
}

const TYPES = { text: 'text/plain', events: 'text/event-stream', lines: 'application/x-ndjson' } as const

/** The bytes through a filter, in pieces that end at these places. */
function streamed(kind: StreamedKind, bytes: Buffer, cuts: readonly number[], chain = [rule()]) {
  const tally = new Tally()
  const filter = createFilter(kind, chain, 'response', tally)
  const out: Buffer[] = []
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    // The piece is on loan: it changes once the filter has it
    const piece = Buffer.from(bytes.subarray(from, cut))
    out.push(Buffer.from(filter.push(piece)))
    piece.fill(0)
    from = cut
  }
  out.push(filter.end())
  return { out: Buffer.concat(out), stop: filter.stop, hits: tally.list() }
}

const value = fc
  .tuple(fc.nat(), fc.constantFrom(...PLANTED_KINDS))
  .map(([seed, kind]) => planted(seeded(seed), kind).value)
const word = fc.oneof(value, fc.constantFrom('ä', '𝄞', ' ', 'word ', '\\u0034', '"', ','), fc.string())
const json = fc.oneof(
  fc.dictionary(fc.string(), fc.oneof(word, fc.integer(), fc.constant(4111111111111111))).map(stringify),
  word,
)
const event = fc
  .tuple(json, fc.constantFrom('\n', '\r\n', '\r'), fc.constantFrom('', 'id: 1', ': note', 'event: a'))
  .map(([data, end, more]) => {
    const lines = data.split(/\r\n|\n|\r/).map((line) => `data: ${line}`)
    return [...(more === '' ? [] : [more]), ...lines, '', ''].join(end)
  })
const CONTENTS = {
  text: fc.array(word, { maxLength: 200 }).map((words) => words.join(' ')),
  events: fc.array(event, { maxLength: 8 }).map((events) => events.join('')),
  lines: fc.array(json, { maxLength: 8 }).map((lines) => lines.map((one) => `${one}\n`).join('')),
}

function stringify(object: unknown): string {
  return JSON.stringify(object)
}

for (const kind of ['text', 'events', 'lines'] as const)
  test(`${kind}: any splitting gives what the whole content gives`, () => {
    let found = 0
    fc.assert(
      fc.property(CONTENTS[kind], fc.array(fc.nat(), { maxLength: 10 }), (content, places) => {
        const bytes = Buffer.from(content.toWellFormed())
        const cuts = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)
        const whole = new Tally()
        const expected = applyContent([rule()], bytes, TYPES[kind], 'response', whole)
        const { out, hits } = streamed(kind, bytes, cuts)
        assert.equal(out.toString(), Buffer.from(expected.value).toString())
        assert.deepEqual(hits, whole.list())
        found += hits.length
      }),
      { numRuns: RUNS },
    )
    assert.ok(found > RUNS / 4, 'values were among the contents')
  })

test('a card is found wherever the content is split, for each kind of content', () => {
  const card = '4111 1111 1111 1111'
  for (const [kind, content] of [
    ['text', `é ${card} 𝄞`],
    ['events', `id: 1\r\ndata: {"é":"${card}"}\r\n\r\ndata: x\r\n\r\n`],
    ['lines', `{"é":"${card}"}\n{"b":1}\n`],
  ] as const) {
    const bytes = Buffer.from(content)
    const { out: expected } = streamed(kind, bytes, [])
    assert.match(expected.toString(), /\[REDACTED:card\]/)
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { out } = streamed(kind, bytes, [cut])
      assert.equal(out.toString(), expected.toString(), `${kind} split at ${cut}`)
    }
    const each = Array.from(bytes, (_, at) => at)
    assert.equal(streamed(kind, bytes, each).out.toString(), expected.toString())
  }
})

test('after a stop nothing is passed on, and no byte of what was found before it', () => {
  const chain = [rule({ action: 'block' })]
  for (const [kind, content] of [
    ['text', `${'word '.repeat(3000)}4111 1111 1111 1111 end`],
    ['events', 'data: first\n\ndata: 4111 1111 1111 1111\n\ndata: end\n\n'],
    ['lines', '{"a":1}\n{"a":"4111 1111 1111 1111"}\n{"end":1}\n'],
  ] as const)
    for (const size of [1, 7, 5000]) {
      const bytes = Buffer.from(content)
      const cuts = Array.from({ length: Math.floor(bytes.length / size) }, (_, at) => at * size)
      const { out, stop } = streamed(kind, bytes, cuts, chain)
      assert.equal(stop?.cause, 'found', kind)
      assert.doesNotMatch(out.toString(), /4111|1111|end/)
      assert.ok(content.startsWith(out.toString()))
    }
})

test('bytes that are no UTF-8 stop the content, or pass unchanged where all rules let failures pass', () => {
  const bytes = Buffer.concat([Buffer.from('a 4111 1111 1111 1111 ä'), Buffer.from([0xff, 0xfe, 0x62])])
  for (let cut = 0; cut <= bytes.length; cut++) {
    assert.equal(streamed('text', bytes, [cut]).stop?.cause, 'failed')
    const passing = streamed('text', bytes, [cut], [rule({ passesFailures: true, action: 'log' })])
    assert.deepEqual(passing.out, bytes)
    assert.equal(passing.stop, null)
  }
})

test('an event that is too long is a failure', () => {
  const bytes = Buffer.from(`data: ${'x'.repeat(3000)}\n\ndata: y\n\n`)
  assert.equal(streamed('events', bytes, [1000], [rule({ bytesMax: 2000 })]).stop?.cause, 'failed')
  const passing = streamed('events', bytes, [1000], [rule({ bytesMax: 2000, passesFailures: true })])
  assert.deepEqual(passing.out, bytes)
})
