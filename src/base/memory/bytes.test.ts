import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CallerMemory } from '../../wire/caller-memory.ts'
import { ByteBuffer } from './bytes.ts'

test('what was kept is what came, whatever its pieces, and counts at most twice', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 3 }),
    fc.nat({ max: 100_000 }).map((length) => new Uint8Array(length).fill(length)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const all = new CallerMemory(2 ** 40)
      const kept = new ByteBuffer(all.open('a'))
      for (const bytes of pieces) {
        const lent = Buffer.concat([Buffer.from('<<'), bytes, Buffer.from('>>')])
        assert.ok(kept.add(lent, 2, 2 + bytes.length))
        lent.fill(0)
      }
      const whole = Buffer.concat(pieces)
      assert.deepEqual(kept.whole(), whole)
      assert.equal(kept.length, whole.length)
      assert.ok(all.bytes >= whole.length && all.bytes <= 2 * whole.length)
      kept.drop()
      assert.deepEqual([all.bytes, kept.length, kept.whole().length], [0, 0, 0])
    }),
  )
})

test('single bytes are kept in few blocks', () => {
  let blocks = 0
  const kept = new ByteBuffer({
    take() {
      blocks++
      return true
    },
    give() {},
  })
  const one = Buffer.from('a')
  for (let i = 0; i < 500_000; i++) kept.add(one, 0, 1)
  assert.equal(kept.whole().length, 500_000)
  assert.ok(blocks < 30, String(blocks))
})

test('what there is no room for is forgotten as a whole', () => {
  const all = new CallerMemory(1000)
  const kept = new ByteBuffer(all.open('a'))
  const bytes = Buffer.alloc(800, 'a')
  assert.ok(kept.add(bytes, 0, 800))
  assert.equal(kept.add(bytes, 0, 800), false)
  assert.deepEqual([kept.length, all.bytes], [0, 0])
})
