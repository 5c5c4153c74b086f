import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutPause } from '../threads/time-slices.ts'
import { buffersOf, fromPieces, type JsonPieces, jsonBytesInPieces, toPieces } from './pieces.ts'

function crossed(value: unknown): unknown {
  const pieces = withoutPause(toPieces(value))
  const transfer = [...buffersOf(pieces)]
  const sent = structuredClone(pieces, { transfer })
  assert.ok(transfer.every(({ byteLength }) => byteLength === 0))
  return withoutPause(fromPieces(sent))
}

test('data of any size and shape comes back as JSON would bring it', () => {
  const long = '"\\\u2028é'.repeat(30_000)
  const list = Array.from({ length: 5000 }, (_, index) => ({ index, of: [null, true, `${index}`] }))
  for (const value of [
    null,
    'a',
    long,
    // A pair of surrogates at each place where a long string may be cut, and halves of pairs
    `a${'😀'.repeat(300_000)}`,
    '😀'.repeat(300_000),
    `${'\ud83d'.repeat(100_000)}${'\ude00'.repeat(300_000)}`,
    [],
    {},
    [long, 1, long],
    list,
    { small: 1, list, long, more: { list, '': long }, [long]: [] },
    Array.from({ length: 3000 }, () => []),
    Object.fromEntries(list.map((one) => [`name "${one.index}"`, one])),
    { gone: undefined, items: [undefined, ...list] },
    JSON.parse(`{"__proto__":{"a":1},"list":${JSON.stringify(list)}}`),
    JSON.parse(`{"a":1,"__proto__":{"list":${JSON.stringify(list)}}}`),
  ]) {
    assert.deepEqual(crossed(value), JSON.parse(JSON.stringify(value)))
    assert.equal(Buffer.from(withoutPause(jsonBytesInPieces(value))).toString(), JSON.stringify(value))
  }
})

test('large data is cut into pieces of a bounded size', () => {
  const value = { documents: Array.from({ length: 20_000 }, (_, at) => ({ at, text: 'x'.repeat(50) })) }
  const lengths: number[] = []
  const walk = (pieces: JsonPieces): void => {
    if ('json' in pieces) lengths.push(pieces.json.length)
    else if ('texts' in pieces) lengths.push(...pieces.texts.map((part) => part.length))
    else
      for (const run of 'items' in pieces ? pieces.items : pieces.members)
        if ('json' in run) lengths.push(run.json.length)
        else walk(run.value)
  }
  walk(withoutPause(toPieces(value)))
  assert.ok(lengths.length > 15, `${lengths.length} pieces`)
  assert.ok(Math.max(...lengths) < 140_000, `${Math.max(...lengths)} characters`)
})

test('the bytes of a long string are in parts of a bounded size, which change hands', () => {
  const pieces = withoutPause(toPieces({ documents: [`${'x'.repeat(4_000_000)}é`] }))
  const buffers = [...buffersOf(pieces)]
  assert.ok(buffers.length > 10, `${buffers.length}`)
  assert.ok(Math.max(...buffers.map(({ byteLength }) => byteLength)) < 300_000)
  let pauses = 0
  const reading = fromPieces(pieces)
  for (let step = reading.next(); step.done !== true; step = reading.next()) pauses++
  assert.ok(pauses > 10, `${pauses}`)
})
