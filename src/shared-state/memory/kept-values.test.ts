import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { createKeptValueMemory, openKeptValues } from './kept-values.ts'

const FOREVER = { keptAt: 0, freshUntil: Number.POSITIVE_INFINITY, staleUntil: Number.POSITIVE_INFINITY }
const bytesOf = (text: string): Uint8Array => Buffer.from(text)
const textOf = (found: { readonly bytes: Uint8Array } | null): string | null =>
  found === null ? null : Buffer.from(found.bytes).toString()

test('a value is found by every thread until its times pass or it is deleted', () => {
  const memory = createKeptValueMemory(64, 4096)
  const [one, other] = [openKeptValues(memory, 0), openKeptValues(memory, 1)]
  assert.equal(one.set('a', bytesOf('first'), { keptAt: 0, freshUntil: 1000, staleUntil: 2000 }), true)
  assert.equal(other.get('a', 999)?.isFresh, true)
  assert.deepEqual([textOf(other.get('a', 1000)), other.get('a', 1000)?.isFresh], ['first', false])
  assert.equal(other.get('a', 2000), null)
  other.set('a', bytesOf(''), FOREVER)
  assert.equal(textOf(one.get('a', 0)), '')
  other.delete('a')
  assert.equal(one.get('a', 0), null)
})

test('a value that was kept before the clock was set back is not found until the clock is there again', () => {
  const values = openKeptValues(createKeptValueMemory(64, 4096), 0)
  values.set('a', bytesOf('first'), { keptAt: 100_000, freshUntil: 110_000, staleUntil: 120_000 })
  assert.equal(values.get('a', 40_000), null)
  assert.equal(textOf(values.get('a', 99_500)), 'first')
})

test('the oldest values give way in the ring, and one that is too long is not kept', () => {
  const values = openKeptValues(createKeptValueMemory(64, 1024), 0)
  for (let n = 0; n < 20; n++) values.set(`k${n}`, new Uint8Array(100).fill(n), FOREVER)
  const found = Array.from({ length: 20 }, (_, n) => values.get(`k${n}`, 0))
  for (const [n, one] of found.entries())
    if (one !== null) assert.deepEqual(one.bytes, new Uint8Array(100).fill(n))
  assert.deepEqual(
    found.flatMap((one, n) => (one === null ? [] : [n])),
    [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
  )
  assert.equal(values.set('long', new Uint8Array(257), FOREVER), false)
})

test('whatever is set, read and deleted, a value is the last one of its key or none', () => {
  const step = fc.record({
    op: fc.constantFrom('set', 'get', 'delete'),
    key: fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'),
    length: fc.nat({ max: 60 }),
    slot: fc.nat({ max: 2 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const memory = createKeptValueMemory(8, 256)
      const threads = [0, 1, 2].map((slot) => openKeptValues(memory, slot))
      const model = new Map<string, Uint8Array>()
      for (const [turn, { op, key, length, slot }] of steps.entries()) {
        const values = threads[slot]!
        if (op === 'set') {
          const bytes = new Uint8Array(length).fill(turn)
          assert.equal(values.set(key, bytes, FOREVER), true)
          model.set(key, bytes)
          assert.deepEqual(values.get(key, 0)?.bytes, bytes)
        } else if (op === 'delete') {
          values.delete(key)
          model.delete(key)
        } else {
          const found = values.get(key, 0)
          if (found !== null) assert.deepEqual(found.bytes, model.get(key))
        }
      }
    }),
    { numRuns: process.env['FUZZ_LONG'] === 'true' ? 10_000 : 500 },
  )
})

test('threads that write at once leave each value whole', async () => {
  const memory = createKeptValueMemory(64, 64 * 1024)
  const module = new URL('./kept-values.ts', import.meta.url).href
  const code = `
    import { parentPort, workerData } from 'node:worker_threads'
    const { openKeptValues } = await import(${JSON.stringify(module)})
    const values = openKeptValues(workerData.memory, workerData.slot)
    const times = { keptAt: 0, freshUntil: Infinity, staleUntil: Infinity }
    let torn = 0, found = 0
    for (let n = 0; n < 20000; n++) {
      values.set('k' + (n % 5), new Uint8Array(500 + (n % 7) * 100).fill(n), times)
      const one = values.get('k' + ((n + 2) % 5), 0)
      if (one === null) continue
      found++
      if (one.bytes.some((byte) => byte !== one.bytes[0])) torn++
    }
    parentPort.postMessage({ torn, found })
  `
  const results = await Promise.all(
    [0, 1, 2].map(async (slot) => {
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
        workerData: { memory, slot },
      })
      const [result] = await once(worker, 'message')
      return result as { torn: number; found: number }
    }),
  )
  for (const { torn, found } of results) assert.ok(torn === 0 && found > 1000, JSON.stringify(results))
})

test('a thread that died with the lock keeps others waiting for a moment, and its slot frees the lock', () => {
  const memory = createKeptValueMemory(64, 4096)
  const other = openKeptValues(memory, 1)
  other.set('a', bytesOf('kept'), FOREVER)
  // As a thread of slot 0 leaves it that is ended between lock and unlock
  Atomics.store(new Int32Array(memory, 0, 1), 0, 1)
  assert.equal(other.get('a', 0), null)
  assert.equal(other.set('b', bytesOf('no'), FOREVER), false)
  openKeptValues(memory, 0)
  assert.equal(other.get('a', 0), null, 'what may be half written is gone')
  assert.equal(other.set('b', bytesOf('yes'), FOREVER), true)
  assert.equal(textOf(other.get('b', 0)), 'yes')
})
