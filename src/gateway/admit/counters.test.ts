import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { limitKeyOf } from '../../snapshot/find/limit-key.ts'
import { type LimitPlan, planLimit, toPlan } from '../../snapshot/find/limit-plan.ts'
import type { LimitFragment } from '../../snapshot/fragments.ts'
import { linkPolicy } from '../../snapshot/link/small-kinds.ts'
import type { LinkedLimit } from '../../snapshot/linked-types/client.ts'
import { createCounterMemory } from './counter-memory.ts'
import { createCounters } from './counters.ts'
import type { Counters } from './port.ts'
import { STRIPES } from './stripe-locks.ts'

const NOON = Date.UTC(2026, 2, 4, 12)
const DAY_MS = 86_400_000

function limit(given: Partial<LimitFragment>, policy = 'pol_1'): LinkedLimit {
  const fragment = { name: 'limit', kind: 'rate' as const, max: 5, window_ms: 60_000, ...given }
  return linkPolicy({ kind: 'policy', id: policy, slug: 'one', active: true, limits: [fragment] }).limits[0]!
}

const quota = (max: number, windowMs = DAY_MS): LinkedLimit =>
  limit({ name: 'quota', kind: 'quota', max, window_ms: windowMs })

function planFor(limits: readonly LinkedLimit[], subject: string): LimitPlan {
  const key = limitKeyOf(subject)
  return toPlan(limits.map((one) => planLimit(one, 'client', key, key)))
}

function take(counters: Counters, limits: readonly LinkedLimit[], now: number, subject = 'cli_1') {
  return counters.take(planFor(limits, subject), now)
}

function create(entries = 1024): Counters {
  return createCounters(createCounterMemory(entries), 0)
}

test('a rate admits its max and refuses the next until the first has left the window', () => {
  const counters = create()
  const rate = limit({ max: 3 })
  for (let i = 0; i < 3; i++) {
    assert.equal(take(counters, [rate], NOON + i * 1000), -1)
    assert.equal(counters.remaining(0), 2 - i)
  }
  assert.equal(take(counters, [rate], NOON + 3000), 0)
  assert.equal(counters.remaining(0), 0)
  assert.equal(counters.resetMs(0), 57_000)
  assert.equal(take(counters, [rate], NOON + 59_999), 0)
  assert.equal(take(counters, [rate], NOON + 60_000), -1)
})

test('a refused request counts in none of its limits', () => {
  const counters = create()
  const wide = limit({ name: 'wide', max: 100 })
  const tight = limit({ name: 'tight', max: 1 })
  assert.equal(take(counters, [wide, tight], NOON), -1)
  for (let i = 0; i < 10; i++) assert.equal(take(counters, [wide, tight], NOON), 1)
  assert.equal(take(counters, [wide], NOON), -1)
  assert.equal(counters.remaining(0), 98)
})

test('subjects count apart, and so do the same names of different policies', () => {
  const counters = create()
  const rate = limit({ max: 1 })
  assert.equal(take(counters, [rate], NOON, 'cli_1'), -1)
  assert.equal(take(counters, [rate], NOON, 'cli_2'), -1)
  assert.equal(take(counters, [limit({ max: 1 }, 'pol_2')], NOON, 'cli_1'), -1)
  assert.equal(take(counters, [rate], NOON, 'cli_1'), 0)
})

/** Admission times of a subject, judged against the definition: at most max in any (t - window, t]. */
function worst(times: readonly number[], windowMs: number): number {
  let most = 0
  for (const [index, end] of times.entries()) {
    let count = 0
    for (let i = index; i >= 0 && times[i]! > end - windowMs; i--) count++
    most = Math.max(most, count)
  }
  return most
}

test('no trailing window holds more than max, for threads in any order and clocks that differ a little', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom(1000, 1001, 7919, 60_000, 3_600_000),
      fc.array(
        fc.record({
          thread: fc.integer({ min: 0, max: 2 }),
          step: fc.oneof(
            fc.integer({ min: 0, max: 30 }),
            fc.integer({ min: 0, max: 2000 }),
            fc.integer({ min: 0, max: 90_000 }),
          ),
          skew: fc.integer({ min: 0, max: 3 }),
        }),
        { minLength: 20, maxLength: 200 },
      ),
      (max, windowMs, steps) => {
        const memory = createCounterMemory(64)
        const threads = [0, 1, 2].map((slot) => createCounters(memory, slot))
        const rate = limit({ max, window_ms: windowMs })
        const quotaOfAll = quota(40)
        const admitted: number[] = []
        let now = NOON
        for (const { thread, step, skew } of steps) {
          now += step
          const seen = now - skew
          const before = admitted.length
          if (take(threads[thread]!, [rate, quotaOfAll], seen) === -1) admitted.push(now)
          // Progress: whoever waited a whole slot longer than the window is admitted.
          const recent = admitted
            .slice(0, before)
            .filter((time) => time > now - windowMs * (61 / 60) - 4 - 60)
          if (recent.length < max && before < 40 && admitted.length === before)
            assert.fail(`refused with ${recent.length} of ${max} in the window`)
        }
        // A thread whose clock is behind counts at the time of the one ahead, hence the skew.
        assert.ok(worst(admitted, windowMs - 3) <= max)
        assert.ok(admitted.length <= 40)
      },
    ),
    { numRuns: 300 },
  )
})

test('a clock that is set back neither admits more nor locks out for longer than one window', () => {
  const counters = create()
  const rate = limit({ max: 2 })
  assert.equal(take(counters, [rate], NOON), -1)
  assert.equal(take(counters, [rate], NOON), -1)
  const back = NOON - 3_600_000
  assert.equal(take(counters, [rate], back), 0)
  assert.equal(take(counters, [rate], back + 59_000), 0)
  assert.equal(take(counters, [rate], back + 60_000), -1)
})

test('a clock that is set back and then forward again admits no more than max, in any window of real time', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.constantFrom(1000, 7919, 60_000, 3_600_000),
      fc.array(
        fc.record({
          thread: fc.integer({ min: 0, max: 2 }),
          subject: fc.integer({ min: 0, max: 2 }),
          step: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 20_000 })),
          // How far the clock is behind from here on; one that is behind comes back to the right time first.
          back: fc.option(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 7_200_000 })), { freq: 6 }),
        }),
        { minLength: 20, maxLength: 200 },
      ),
      (max, windowMs, steps) => {
        const memory = createCounterMemory(64)
        const threads = [0, 1, 2].map((slot) => createCounters(memory, slot))
        const rate = limit({ max, window_ms: windowMs })
        const admitted: number[][] = [[], [], []]
        let real = NOON
        let behind = 0
        let setAt = real
        take(threads[0]!, [rate], real, 'cli_else')
        for (const { thread, subject, step, back } of steps) {
          real += step
          const ask = (one: number): void => {
            if (take(threads[thread]!, [rate], real - behind, `cli_${one}`) === -1) admitted[one]!.push(real)
          }
          // What nobody counted before the clock was changed cannot be told from what never was.
          if (back !== null) for (const one of [subject, 0, 1, 2]) ask(one)
          // A clock that has caught up by itself before it is set forward is one that was never set back.
          if (back !== null && behind > 0 && real - setAt >= behind - 1000)
            for (const times of admitted) times.length = 0
          if (back !== null) {
            setAt = real
            behind = behind === 0 ? back : 0
          }
          // A counter that sleeps while the clock comes back and is set back again sees one smaller step forward.
          for (const one of back === null ? [subject] : [subject, 0, 1, 2]) ask(one)
        }
        // A clock that is behind by less than a second stands still until it has caught up.
        for (const times of admitted) assert.ok(worst(times, windowMs - 1000) <= max)
      },
    ),
    { numRuns: 300 },
  )
})

test('a clock that was far ahead for a moment freezes no counter', () => {
  const counters = create(STRIPES)
  const rate = limit({ max: 1 })
  const daily = quota(1)
  const ahead = NOON + 400 * DAY_MS
  for (let i = 0; i < 200; i++) take(counters, [rate, daily], ahead, `cli_${i}`)
  assert.ok(counters.facts.full > 0)
  // The places of those who do not come back are free again, and those who do wait for one window.
  let admitted = 0
  for (let i = 200; i < 220; i++) if (take(counters, [rate], NOON + i, `cli_${i}`) === -1) admitted++
  assert.ok(admitted > 10, `${admitted} of 20`)
  const known = create()
  assert.equal(take(known, [rate, daily], ahead), -1)
  assert.equal(take(known, [rate], NOON), 0)
  assert.equal(take(known, [rate], NOON + 60_000), -1)
  assert.equal(take(known, [daily], NOON), 0)
  assert.equal(take(known, [daily], NOON + DAY_MS), -1)
})

test('threads that are a few milliseconds apart do not give a quota back and forth at midnight', () => {
  const memory = createCounterMemory(64)
  const [first, second] = [createCounters(memory, 0), createCounters(memory, 1)]
  const daily = quota(10)
  const midnight = Date.UTC(2026, 2, 5)
  take(first, [daily], midnight - 1000)
  let admitted = 0
  for (let i = 0; i < 40; i++) {
    if (take(first, [daily], midnight + i) === -1) admitted++
    if (take(second, [daily], midnight + i - 50) === -1) admitted++
  }
  assert.equal(admitted, 10)
  // Set back by an hour and forward again: the quota of the day is still used up.
  assert.equal(take(first, [daily], midnight - 3_600_000), 0)
  assert.equal(take(first, [daily], midnight + 5000), 0)
  assert.equal(take(first, [daily], midnight + DAY_MS), -1)
})

test('quotas start again at 00:00 UTC, on Monday and on the 1st', () => {
  const counters = create()
  const cases = [
    [DAY_MS, Date.UTC(2026, 2, 4, 23, 59, 59, 999), Date.UTC(2026, 2, 5)],
    [7 * DAY_MS, Date.UTC(2026, 2, 8, 23, 59, 59, 999), Date.UTC(2026, 2, 9)],
    [30 * DAY_MS, Date.UTC(2026, 1, 28, 23, 59, 59, 999), Date.UTC(2026, 2, 1)],
    [30 * DAY_MS, Date.UTC(2027, 11, 31, 23, 59, 59, 999), Date.UTC(2028, 0, 1)],
  ] as const
  for (const [windowMs, last, next] of cases) {
    const daily = quota(1, windowMs)
    const subject = `cli_${last}`
    assert.equal(take(counters, [daily], last, subject), -1)
    assert.equal(take(counters, [daily], last, subject), 0)
    assert.equal(counters.resetMs(0), 1)
    assert.equal(take(counters, [daily], next, subject), -1)
    assert.equal(take(counters, [daily], next, subject), 0)
    // Back before midnight the quota is not given again.
    assert.equal(take(counters, [daily], last, subject), 0)
  }
})

test('quotas survive a restart, once each, and only those of the period', () => {
  const before = create()
  const daily = quota(5)
  for (let i = 0; i < 4; i++) take(before, [daily], NOON)
  take(before, [daily], NOON, 'cli_2')
  take(before, [limit({})], NOON)
  const counts = before.exportQuotas()
  assert.deepEqual(counts.map(({ count }) => count).sort(), [1, 4])
  assert.ok(
    counts.every(({ period, key }) => period === Date.UTC(2026, 2, 4) && /^[0-9a-f]{16}q0$/.test(key)),
  )
  assert.deepEqual(before.exportQuotas(), [])

  const after = create()
  after.importQuotas(counts, NOON + 1000)
  after.importQuotas([{ key: 'nonsense', period: 0, ends: 1, entered: 1, count: 1 }], NOON)
  assert.equal(take(after, [daily], NOON + 1000), -1)
  assert.equal(after.remaining(0), 0)
  assert.equal(take(after, [daily], NOON + 1000), 0)

  const tomorrow = create()
  tomorrow.importQuotas(counts, NOON + DAY_MS)
  assert.equal(take(tomorrow, [daily], NOON + DAY_MS), -1)
  assert.equal(tomorrow.remaining(0), 4)
})

test('a full table refuses new subjects, counts that, and goes on counting those it knows', () => {
  const counters = create(STRIPES)
  const rate = limit({ max: 1000 })
  let known = ''
  let full = 0
  for (let i = 0; i < 500; i++) {
    if (take(counters, [rate], NOON, `cli_${i}`) === -1) known = `cli_${i}`
    else {
      full++
      assert.ok(counters.wasFull)
      assert.equal(counters.remaining(0), 0)
    }
  }
  assert.ok(full > 400)
  assert.equal(counters.facts.full, full)
  assert.equal(take(counters, [rate], NOON, known), -1)
  // Counters that no longer count anything give up their place.
  assert.equal(take(counters, [rate], NOON + 120_000, 'cli_new'), -1)
})

test('two limits that meet in one stripe never share a place', () => {
  const counters = create(STRIPES * 4)
  const limits = Array.from({ length: 8 }, (_, index) => limit({ name: `l${index}`, max: 2 }))
  let counted = 0
  for (let i = 0; i < 40; i++) {
    const now = NOON + i * 200_000
    const first = take(counters, limits, now, `cli_${i % 3}`)
    if (counters.wasFull) continue
    counted++
    assert.equal(first, -1)
    for (let at = 0; at < limits.length; at++) assert.equal(counters.remaining(at), 1)
  }
  assert.ok(counted > 10, `${counted} of 40`)
})

test('a dead thread gives back its lock, and what it was counting stays consistent', () => {
  const memory = createCounterMemory(64)
  const rate = limit({ max: 3 })
  const dying = createCounters(memory, 5)
  assert.equal(take(dying, [rate], NOON), -1)
  // Another thread dies inside of a look-up, while it holds the lock.
  const other = createCounters(memory, 0)
  const worker = new Worker(
    `
    const { workerData, parentPort } = require('node:worker_threads')
    import(workerData.url).then(({ createCounters }) => {
      const counters = createCounters(workerData.memory, 6)
      const { limit } = workerData.plan.limits[0]
      Object.defineProperty(limit, 'algorithm', { get() { parentPort.postMessage('inside'); for (;;); } })
      counters.take(workerData.plan, workerData.now)
    })
    `,
    {
      eval: true,
      workerData: {
        url: new URL('./counters.ts', import.meta.url).href,
        memory,
        plan: planFor([rate], 'cli_1'),
        now: NOON,
      },
      execArgv: ['--disable-warning=ExperimentalWarning'],
    },
  )
  return new Promise<void>((resolve, reject) => {
    worker.on('error', reject)
    worker.on('message', () => void worker.terminate())
    worker.on('exit', () => {
      try {
        // Until the lock is broken the limit fails closed instead of hanging.
        assert.equal(take(other, [rate], NOON), 0)
        assert.ok(other.wasFull)
        // Whoever takes over the slot breaks it too, should nobody have done so before.
        createCounters(memory, 6)
        other.releaseDead(6)
        assert.equal(other.facts.brokenLocks, 1)
        assert.equal(take(other, [rate], NOON), -1)
        assert.equal(other.remaining(0), 1)
        resolve()
      } catch (error) {
        reject(error as Error)
      }
    })
  })
})

test('threads that run at the same time admit exactly max together', async () => {
  const memory = createCounterMemory(1024)
  const rate = limit({ max: 3000 })
  const daily = quota(5000)
  const url = new URL('./counters.ts', import.meta.url).href
  const plan = planFor([rate, daily], 'cli_1')
  const admitted = await Promise.all(
    [0, 1].map(
      (slot) =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(
            `
            const { workerData, parentPort } = require('node:worker_threads')
            import(workerData.url).then(({ createCounters }) => {
              const { memory, slot, plan, now } = workerData
              const counters = createCounters(memory, slot)
              let admitted = 0
              for (let i = 0; i < 20000; i++) {
                if (counters.take(plan, now + (i % 50)) === -1) admitted++
              }
              parentPort.postMessage(admitted)
            })
            `,
            {
              eval: true,
              workerData: { url, memory, slot, plan, now: NOON },
              execArgv: ['--disable-warning=ExperimentalWarning'],
            },
          )
          worker.on('message', resolve)
          worker.on('error', reject)
        }),
    ),
  )
  assert.equal(admitted[0]! + admitted[1]!, 3000)
  const counters = createCounters(memory, 2)
  assert.equal(take(counters, [daily], NOON), -1)
  assert.equal(counters.remaining(0), 1999)
})

test('failures of a source are counted apart from limits and end by themselves', () => {
  const counters = create(STRIPES)
  for (let i = 0; i < 500; i++) take(counters, [limit({})], NOON, `cli_${i}`)
  assert.ok(counters.facts.full > 0, 'limits have no place left')
  for (let i = 0; i < 20; i++) assert.equal(counters.countFailure(7, 9, NOON), true)
  assert.equal(counters.countFailure(7, 9, NOON), false)
  assert.equal(counters.throttledMs(7, 9, NOON + 1000), 59_000)
  assert.equal(counters.throttledMs(7, 10, NOON), 0)
  assert.equal(counters.throttledMs(7, 9, NOON + 60_000), 0)
})

test('a source has one new verification in any second, beside its failures', () => {
  const counters = create(4096)
  for (let i = 0; i < 20; i++) counters.countFailure(7, 9, NOON)
  assert.equal(counters.mayVerify(7, 9, NOON), true)
  assert.equal(counters.mayVerify(7, 9, NOON + 999), false)
  assert.equal(counters.mayVerify(7, 10, NOON + 999), true)
  assert.equal(counters.mayVerify(7, 9, NOON + 1000), true)
  assert.equal(counters.mayVerify(7, 9, NOON + 1999), false)
  assert.equal(counters.throttledMs(7, 9, NOON + 1000), 59_000)
})
