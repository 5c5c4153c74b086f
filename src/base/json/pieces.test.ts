import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutPause } from '../threads/time-slices.ts'
import { fromPieces, type JsonPieces, jsonBytesInPieces, toPieces } from './pieces.ts'

const crossed = (value: unknown): unknown =>
  withoutPause(fromPieces(structuredClone(withoutPause(toPieces(value)))))

test('data of any size and shape comes back as JSON would bring it', () => {
  const long = '"\\\u2028é'.repeat(30_000)
  const list = Array.from({ length: 5000 }, (_, index) => ({ index, of: [null, true, `${index}`] }))
  for (const value of [
    null,
    'a',
    long,
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
    else if ('text' in pieces) lengths.push(pieces.text.length)
    else
      for (const run of 'items' in pieces ? pieces.items : pieces.members)
        if ('json' in run) lengths.push(run.json.length)
        else walk(run.value)
  }
  walk(withoutPause(toPieces(value)))
  assert.ok(lengths.length > 15, `${lengths.length} pieces`)
  assert.ok(Math.max(...lengths) < 140_000, `${Math.max(...lengths)} characters`)
})
