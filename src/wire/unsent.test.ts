import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../test/support/long.ts'
import { PIECE_BYTES_MAX } from './limits.ts'
import { Unsent } from './streamed-answer.ts'

/** No piece of it looks like the one before. */
const PATTERN = Buffer.from(Array.from({ length: 200_300 }, (_, i) => i % 251))

/** What is counted, up to a bound. */
class Counted {
  bytes = 0
  readonly max: number

  constructor(max: number) {
    this.max = max
  }

  take(bytes: number): boolean {
    if (this.bytes + bytes > this.max) return false
    this.bytes += bytes
    return true
  }

  give(bytes: number): void {
    this.bytes -= bytes
  }
}

test('bytes come out as they went in, and what is here is counted', () => {
  const add = fc.record({ add: fc.oneof(fc.nat(40), fc.nat(3000), fc.nat(200_000)) })
  const step = fc.oneof({ weight: 3, arbitrary: add }, fc.constant('next' as const), fc.constant('drop' as const))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom(10_000, 300_000, Infinity), (steps, max) => {
      const counted = new Counted(max)
      const unsent = new Unsent(counted)
      let inside = Buffer.alloc(0)
      let next = 0
      for (const each of steps) {
        if (each === 'next') {
          const block = unsent.next()
          assert.equal(block === null, inside.length === 0)
          if (block !== null) {
            assert.ok(block.length > 0 && block.length <= PIECE_BYTES_MAX)
            assert.deepEqual(block, inside.subarray(0, block.length))
            inside = inside.subarray(block.length)
          }
        } else if (each === 'drop') {
          unsent.drop()
          inside = Buffer.alloc(0)
        } else {
          const bytes = Buffer.from(PATTERN.subarray(next % 251, (next % 251) + each.add))
          next += each.add
          if (!unsent.add(bytes, 0, bytes.length)) {
            unsent.drop()
            inside = Buffer.alloc(0)
          } else inside = Buffer.concat([inside, bytes])
          bytes.fill(0)
        }
        assert.equal(unsent.isEmpty, inside.length === 0)
        assert.ok(counted.bytes >= inside.length && counted.bytes <= inside.length * 2 + PIECE_BYTES_MAX)
      }
      unsent.drop()
      assert.equal(counted.bytes, 0)
    }),
    { numRuns: fuzzCases(100, 10_000) },
  )
}) // biome-ignore format: reads as one

test('many small pieces lie in few blocks', () => {
  const unsent = new Unsent(new Counted(Infinity))
  for (let i = 0; i < 100_000; i++) unsent.add(Buffer.from('x'), 0, 1)
  let blocks = 0
  while (unsent.next() !== null) blocks++
  assert.ok(blocks < 10, `${blocks} blocks`)
})
