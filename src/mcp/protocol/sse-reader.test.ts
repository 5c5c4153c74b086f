import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../../test/support/long.ts'
import { type ServerSentEvent, SseReader } from './sse-reader.ts'

const ROOMY = { eventBytesMax: 1_000_000, budget: null }

interface Read {
  readonly events: readonly ServerSentEvent[]
  readonly lastId: string
  readonly retry: number | null
  readonly isWhole: boolean
}

/** Reads a text in pieces that end at the given places. */
function read(text: string | Buffer, cuts: readonly number[] = [], options = ROOMY): Read {
  const bytes = Buffer.from(text)
  const events: ServerSentEvent[] = []
  const reader = new SseReader(options, (event) => events.push(event))
  let at = 0
  let isWhole = true
  for (const cut of [...new Set(cuts), bytes.length].sort((a, b) => a - b)) {
    // What was handed in changes afterwards, as a shared buffer does
    const lent = Buffer.concat([Buffer.from('\n\ndata: of another\n\n'), bytes.subarray(at, cut), Buffer.from('\n\n')])
    isWhole = reader.add(lent, 20, lent.length - 2)
    lent.fill('x')
    at = cut
  }
  return { events, lastId: reader.lastId, retry: reader.retry, isWhole }
} // biome-ignore format: reads as one

const dataOf = (text: string): string[] => read(text).events.map(({ data }) => data)

test('an event has its type, data, id and reconnection time', () => {
  const { events } = read('event: add\ndata: 1\nid: a\nretry: 100\n\ndata: 2\n\nid\nretry: 1s\ndata: 3\n\n')
  assert.deepEqual(events, [
    { event: 'add', data: '1', id: 'a', retry: 100 },
    { event: 'message', data: '2', id: 'a', retry: 100 },
    { event: 'message', data: '3', id: '', retry: 100 },
  ])
})

test('the examples of the standard are read as it says', () => {
  assert.deepEqual(dataOf('data: YHOO\ndata: +2\ndata: 10\n\n'), ['YHOO\n+2\n10'])
  const { events } = read(': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n')
  assert.deepEqual(
    events.map(({ data, id }) => [data, id]),
    [
      ['first event', '1'],
      ['second event', ''],
      [' third event', ''],
    ],
  )
  assert.deepEqual(dataOf('data\n\ndata\ndata\n\ndata:'), ['', '\n'])
  assert.deepEqual(dataOf('data:test\n\ndata: test\n\n'), ['test', 'test'])
}) // biome-ignore format: reads as one

test('lines end with CR, LF or both, also where they are mixed', () => {
  assert.deepEqual(dataOf('data: a\r\rdata: b\r\n\r\ndata: c\n\ndata: d\r\n\rdata: e\r\n\n'), [
    'a',
    'b',
    'c',
    'd',
    'e',
  ])
})

test('an event is told at its last line break, and not when more has come', () => {
  const told: string[] = []
  const reader = new SseReader(ROOMY, ({ data }) => told.push(data))
  reader.add(Buffer.from('data: a\r'))
  reader.add(Buffer.from('\n\r'))
  assert.deepEqual(told, ['a'])
  reader.add(Buffer.from('\ndata: b\n'))
  assert.deepEqual(told, ['a'])
  reader.add(Buffer.from('\n'))
  assert.deepEqual(told, ['a', 'b'])
})

test('a byte order mark at the beginning is no part of the first line, and one elsewhere is', () => {
  const mark = '\ufeff'
  assert.deepEqual(dataOf(`${mark}data: a\n\n${mark}data: b\n\ndata:${mark}c\n\n`), ['a', `${mark}c`])
  assert.deepEqual(dataOf(`${mark}${mark}data: a\n\ndata: b\n\n`), ['b'])
  const half = Buffer.concat([Buffer.from([0xef, 0xbb]), Buffer.from('data: a\n\ndata: b\n\n')])
  assert.deepEqual(read(half, [1, 2, 3]).events.length, 1)
})

test('an id with NUL is none, and a block without data keeps its id and time', () => {
  const { events, lastId, retry } = read(
    'id: a\0b\ndata: 1\n\nid: last\nretry: 7\nevent: lost\n\ndata: 2\n\n',
  )
  assert.deepEqual(
    events.map(({ event, id }) => [event, id]),
    [
      ['message', ''],
      ['message', 'last'],
    ],
  )
  assert.deepEqual([lastId, retry], ['last', 7])
  assert.equal(read('retry: 99999999999999999999\n\n').retry, Number.MAX_SAFE_INTEGER)
})

test('bytes that are no UTF-8 are replaced, and characters may be cut anywhere', () => {
  const text = Buffer.concat([Buffer.from('data: é😀'), Buffer.from([0xff, 0xe2, 0x82]), Buffer.from('\n\n')])
  for (let cut = 0; cut <= text.length; cut++)
    assert.equal(read(text, [cut]).events[0]!.data, new TextDecoder().decode(text.subarray(6, -2)))
})

test('an event that is too long ends the reading, however it comes', () => {
  const options = { eventBytesMax: 100, budget: null }
  const fits = `data: ${'x'.repeat(62)}`
  for (const cuts of [[], [1], [50, 60], Array.from({ length: 68 }, (_, i) => i)]) {
    const good = read(`${fits}\n\n${fits}\n\n`, cuts, options)
    assert.deepEqual([good.events.length, good.isWhole], [2, true])
    for (const bad of [`${fits}x\n\n`, `${fits}x`, 'data: 1\ndata: 2\ndata: 3\n\n', `unknown: ${fits}\n`]) {
      const { events, isWhole } = read(`${bad}data: after\n\n`, cuts, options)
      assert.deepEqual([events, isWhole], [[], false])
    }
  }
})

test('comments may be of any length and number', () => {
  const options = { eventBytesMax: 100, budget: null }
  const text = `${': alive\n'.repeat(1000)}data: a\n:${'x'.repeat(100_000)}\n:\n\n`
  assert.deepEqual(
    read(text, [5, 9000, 50_000], options).events.map(({ data }) => data),
    ['a'],
  )
})

test('what is kept of an event is counted until its end, and given back', () => {
  let kept = 0
  const budget = {
    take: (bytes: number) => {
      kept += bytes
      return kept <= 1000
    },
    give: (bytes: number) => {
      kept -= bytes
    },
  }
  const told: string[] = []
  const reader = new SseReader({ eventBytesMax: 10_000, budget }, ({ data }) => told.push(data))
  assert.equal(reader.add(Buffer.from(`data: ${'x'.repeat(500)}`)), true)
  assert.ok(kept > 500)
  assert.equal(reader.add(Buffer.from(`\ndata: ${'x'.repeat(100)}\nevent: more\nid: 1\n`)), true)
  assert.ok(kept > 600 && kept < 700, String(kept))
  assert.equal(reader.add(Buffer.from('\n')), true)
  assert.equal(kept, 0)
  reader.add(Buffer.from('data: first\ndata: half'))
  reader.close()
  assert.equal(kept, 0)
  assert.equal(reader.add(Buffer.from('\n\n')), false)
  assert.equal(told.length, 1)
  const crowded = new SseReader({ eventBytesMax: 10_000, budget }, () => {})
  assert.equal(crowded.add(Buffer.alloc(2000, 'x')), false)
  const ofLines = new SseReader({ eventBytesMax: 10_000, budget }, () => {})
  assert.equal(ofLines.add(Buffer.from(`data: ${'x'.repeat(300)}\n`.repeat(4))), false)
})

test('a type and an id are kept in part, or not at all, where they are very long', () => {
  const long = 'x'.repeat(100_000)
  const { events } = read(`id: 1\ndata: a\n\nid: ${long}\nevent: ${long}\ndata: b\n\n`)
  assert.deepEqual(
    events.map(({ event, id }) => [event.length, id]),
    [
      ['message'.length, '1'],
      [8192, ''],
    ],
  )
})

test('a reader that is closed for an event tells no more', () => {
  const told: string[] = []
  const reader: SseReader = new SseReader(ROOMY, ({ data }) => {
    told.push(data)
    reader.close()
  })
  assert.equal(reader.add(Buffer.from('data: a\n\ndata: b\n\n')), false)
  assert.deepEqual(told, ['a'])
})

/** The standard, word by word, over a whole stream. */
function model(bytes: Buffer): Omit<Read, 'isWhole'> {
  const events: ServerSentEvent[] = []
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\r|\n/)
  lines.pop()
  let [data, event, id, lastId, retry]: [string, string, string, string, number | null] = ['', '', '', '', null]
  for (const line of lines) {
    if (line === '') {
      lastId = id
      if (data !== '') events.push({ event: event === '' ? 'message' : event, data: data.slice(0, -1), id, retry })
      data = ''
      event = ''
    } else if (!line.startsWith(':')) {
      const colon = line.indexOf(':')
      const name = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (name === 'event') event = value
      else if (name === 'data') data += `${value}\n`
      else if (name === 'id' && !value.includes('\0')) id = value
      else if (name === 'retry' && /^[0-9]+$/.test(value)) retry = Number(value)
    }
  }
  return { events, lastId, retry }
} // biome-ignore format: reads as one

test('any bytes give the events of the standard, however they are cut', () => {
  const part = fc.constantFrom(
    ...['data', 'event', 'id', 'retry', ':', ': ', ' ', '\n', '\r', '\r\n', '\n\n', '\0', '12', 'x', 'é', '😀', '\ufeff'],
    ...['data: ', 'id: ', 'event:', 'retry: 5\n'],
  ) // biome-ignore format: a list of fragments
  const text = fc.array(fc.oneof({ weight: 9, arbitrary: part.map((one) => Buffer.from(one)) }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }) }), { maxLength: 60 }) // biome-ignore format: reads as one
  fc.assert(
    fc.property(text, fc.array(fc.nat(1000), { maxLength: 20 }), (parts, places) => {
      const bytes = Buffer.concat(parts)
      const { isWhole, ...found } = read(
        bytes,
        places.map((place) => place % (bytes.length + 1)),
      )
      assert.equal(isWhole, true)
      assert.deepEqual(found, model(bytes))
    }),
    { numRuns: fuzzCases(3000, 200_000) },
  )
})

test('the bound is the same however an event is cut', () => {
  const line = fc.tuple(fc.constantFrom('data: ', ':', 'id:', 'x'), fc.nat(60), fc.constantFrom('\n', '\r\n', '\n\n'))
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.array(fc.nat(1000), { maxLength: 20 }), (lines, places) => {
      const bytes = Buffer.from(lines.map(([name, length, end]) => name + 'y'.repeat(length) + end).join(''))
      const options = { eventBytesMax: 120, budget: null }
      const cuts = places.map((place) => place % (bytes.length + 1))
      assert.deepEqual(read(bytes, cuts, options), read(bytes, [], options))
    }),
    { numRuns: fuzzCases(1000, 50_000) },
  )
}) // biome-ignore format: reads as one
