import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CallerMemory, SMALL_BYTES_MAX } from './caller-memory.ts'

const MAX = 100 * SMALL_BYTES_MAX
const BIG = SMALL_BYTES_MAX + 1

/** What one holder gets when it takes pieces until it is refused. */
function fill(all: CallerMemory, holder: string, piece: number): number {
  const before = all.bytes
  const reservation = all.open(holder)
  while (reservation.take(piece));
  return all.bytes - before
}

test('one holder alone gets half, and the next ones halves of what is left', () => {
  const all = new CallerMemory(MAX)
  let left = MAX
  for (const holder of ['a', 'b', 'c', 'd']) {
    const taken = fill(all, holder, 1000)
    assert.ok(taken <= left / 2, `${holder} ${taken}`)
    assert.ok(taken > left / 2 - 2000, `${holder} ${taken}`)
    left -= taken
  }
})

test('holders that take in turn share alike, and leave as much as each has', () => {
  const all = new CallerMemory(MAX)
  const names = ['a', 'b', 'c']
  const taken = names.map(() => 0)
  const holdings = names.map((name) => all.open(name))
  for (const reservation of holdings) assert.ok(reservation.take(BIG))
  for (let more = true; more; ) {
    more = false
    holdings.forEach((reservation, i) => {
      if (!reservation.take(1000)) return
      taken[i]! += 1000
      more = true
    })
  }
  for (const bytes of taken) assert.ok(Math.abs(bytes + BIG - MAX / 4) < 2000, String(taken))
})

test('the answer to a call finds room where nothing else does', () => {
  const all = new CallerMemory(MAX)
  const reservation = all.open('a')
  assert.ok(reservation.take(MAX / 2))
  assert.equal(reservation.take(1000), false)
  reservation.answers()
  assert.ok(reservation.take(MAX / 8))
  assert.equal(reservation.take(MAX / 8), false)
})

test('small holdings of one holder leave a ninth, and another one is let in', () => {
  const all = new CallerMemory(MAX)
  let count = 0
  while (all.open('a').take(SMALL_BYTES_MAX)) count++
  assert.equal(count, 88)
  assert.equal(all.open('a').take(BIG), false)
  assert.equal(all.open('b').take(BIG), true)
})

test('what was refused is let in when others have ended', () => {
  const all = new CallerMemory(10)
  const first = all.open('a')
  assert.ok(first.take(8))
  const other = all.open('b')
  assert.equal(other.take(2), false)
  first.give(1)
  first.release()
  assert.ok(other.take(2))
  other.release()
  assert.deepEqual([all.bytes, all.holders], [0, 0])
})

test('a holding that is over takes no more, and gives back once', () => {
  const all = new CallerMemory(1000)
  const other = all.open('a')
  assert.ok(other.take(10))
  const reservation = all.open('a')
  assert.ok(reservation.take(5))
  reservation.release()
  reservation.release()
  reservation.give(5)
  assert.equal(reservation.take(1), false)
  assert.equal(all.bytes, 10)
})

test('whatever is taken and given in whatever order, the limit holds, big holdings leave as much as they are, and all comes back', () => {
  const step = fc.record({
    reservation: fc.nat({ max: 11 }),
    bytes: fc.oneof(fc.nat({ max: 10 }), fc.nat({ max: 3 * SMALL_BYTES_MAX })),
    does: fc.constantFrom('take', 'take', 'take', 'give', 'release'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 0, max: MAX / 10 }), (steps, max) => {
      const all = new CallerMemory(max)
      // Four holders with three holdings each; what the test knows of them is kept beside
      const holdings = Array.from({ length: 12 }, (_, i) => ({ name: i % 4, bytes: 0, over: false }))
      const real = holdings.map(({ name }) => all.open(String(name)))
      const sum = (of: typeof holdings): number => of.reduce((bytes, held) => bytes + held.bytes, 0)
      for (const { reservation, bytes, does } of steps) {
        const known = holdings[reservation]!
        const its = real[reservation]!
        if (does === 'release') {
          its.release()
          known.bytes = 0
          known.over = true
        } else if (does === 'give') {
          const given = Math.min(bytes, known.bytes)
          its.give(given)
          known.bytes -= given
        } else if (its.take(bytes)) {
          known.bytes += bytes
          assert.ok(!known.over || bytes === 0)
          const own = sum(holdings.filter(({ name }) => name === known.name))
          if (known.bytes > SMALL_BYTES_MAX && bytes > 0) assert.ok(own <= max - sum(holdings))
        }
        assert.equal(all.bytes, sum(holdings))
        assert.ok(all.bytes <= max)
      }
      for (const its of real) its.release()
      assert.deepEqual([all.bytes, all.holders], [0, 0])
    }),
  )
})
