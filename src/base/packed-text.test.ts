import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPacked, packJson, packJsonBeside, unpackJson } from './packed-text.ts'

test('a short text stays as it is, and a long one is the same after it was packed', async () => {
  const short = JSON.stringify({ a: 1 })
  assert.equal(packJson(short), short)
  assert.equal(unpackJson(short), short)
  const long = JSON.stringify(Array.from({ length: 10_000 }, (_, at) => ({ name: `Größe ${at} €` })))
  const packed = packJson(long)
  assert.ok(isPacked(packed))
  assert.ok(packed.length < long.length / 2)
  assert.equal(unpackJson(packed), long)
  assert.deepEqual([await packJsonBeside(short), await packJsonBeside(long)], [short, packed])
})

test('a long text that an earlier version has stored is read as it is, and a damaged one is refused', () => {
  const long = JSON.stringify('x'.repeat(100_000))
  assert.equal(unpackJson(long), long)
  assert.throws(() => unpackJson(`${packJson(long).slice(0, 40)}!`))
})
