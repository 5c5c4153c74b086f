import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { limitKeyOf } from '../../snapshot/find/limit-key.ts'
import {
  keyFor,
  type LimitPlan,
  type PlannedLimit,
  planLimit,
  toPlan,
} from '../../snapshot/find/limit-plan.ts'
import type { LimitFragment } from '../../snapshot/fragments.ts'
import { linkPolicy } from '../../snapshot/link/small-kinds.ts'
import { Calendar } from './calendar.ts'
import { createCounterMemory } from './counter-memory.ts'
import { createCounters } from './counters.ts'
import type { Counters, HeldLimits } from './port.ts'

const NOON = Date.UTC(2026, 2, 4, 12)
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

function planned(given: Partial<LimitFragment>, subject = 'cli_1'): PlannedLimit {
  const fragment = { name: 'limit', kind: 'rate' as const, max: 5, window_ms: 60_000, ...given }
  const [limit] = linkPolicy({
    kind: 'policy',
    id: 'pol_1',
    slug: 'one',
    active: true,
    limits: [fragment],
  }).limits
  const key = limitKeyOf(subject)
  return planLimit(limit!, 'client', key, key)
}

const planOf = (...limits: Partial<LimitFragment>[]): LimitPlan =>
  toPlan(limits.map((given, index) => planned({ name: `l${index}`, ...given })))

function create(entries = 256): Counters {
  return createCounters(createCounterMemory(entries), 0)
}

/** What was admitted when, and what it took. */
interface Admission {
  readonly at: number
  readonly cost: number
}

function within(admissions: readonly Admission[], from: number, to: number): number {
  return admissions.reduce((sum, { at, cost }) => (at > from && at <= to ? sum + cost : sum), 0)
}

test('for any limits, threads and times nothing is admitted beyond them, and nothing refused without need', () => {
  const rateOf = fc.record({
    max: fc.integer({ min: 1, max: 12 }),
    window_ms: fc.constantFrom(1000, 7919, 60_000),
    cost: fc.integer({ min: 1, max: 3 }),
    burst: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
  })
  const steps = fc.array(
    fc.record({
      thread: fc.integer({ min: 0, max: 2 }),
      step: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 4000 })),
      /** How many of those under way end before. */
      ends: fc.integer({ min: 0, max: 3 }),
      good: fc.boolean(),
    }),
    { minLength: 20, maxLength: 120 },
  )
  fc.assert(
    fc.property(
      rateOf,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 5, max: 60 }),
      steps,
      (given, flight, total, all) => {
        const { burst, max, window_ms } = given
        const cost = Math.min(given.cost, burst ?? max)
        const memory = createCounterMemory(64)
        const threads = [0, 1, 2].map((slot) => createCounters(memory, slot))
        const plan = planOf(
          { max, window_ms, cost, ...(burst === undefined ? {} : { burst }) },
          { kind: 'concurrency', max: flight, window_ms: 0 },
          { kind: 'quota', max: total, window_ms: HOUR_MS, rolling: true, count: [[200, 299]] },
          { kind: 'quota', max: 1000, window_ms: DAY_MS, observe: true },
        )
        const admitted: Admission[] = []
        const underWay: { thread: number; limits: HeldLimits; good: boolean }[] = []
        let good = 0
        let bucket = burst ?? 0
        let now = NOON
        let asked = 0
        for (const { thread, step, ends, good: isGood } of all) {
          now += step
          bucket = Math.min(burst ?? 0, bucket + (step * max) / window_ms)
          for (const { thread: its, limits, good: wasGood } of underWay.splice(0, ends)) {
            threads[its]!.release(limits, wasGood ? 200 : 500)
            if (wasGood) good++
          }
          asked++
          const lacksFlight = underWay.length >= flight
          const lacksTotal = good + underWay.length >= total
          const lacksRate =
            burst === undefined ? within(admitted, now - window_ms, now) + cost > max : bucket + 1e-6 < cost
          const index = threads[thread]!.take(plan, now)
          if (index === -1) {
            assert.ok(!lacksFlight && !lacksTotal && !lacksRate, 'admitted beyond a limit')
            bucket -= cost
            admitted.push({ at: now, cost })
            underWay.push({ thread, limits: threads[thread]!.hold(plan), good: isGood })
          } else {
            assert.ok(Number(index) < 3, 'a limit that observes refuses nothing')
            // A slot of a window leaves as a whole, so a call may be refused for one slot longer.
            const slotMs = Math.ceil(window_ms / 60)
            const nearly =
              burst === undefined
                ? within(admitted, now - window_ms - slotMs, now) + cost > max
                : bucket - 1e-6 < cost
            assert.ok(lacksFlight || lacksTotal || nearly, `refused by ${index} without need`)
          }
        }
        for (const { thread, limits } of underWay) threads[thread]!.release(limits, 500)
        assert.equal(threads[0]!.read(plan.limits[1]!, now)?.used ?? 0, 0)
        assert.equal(threads[0]!.read(plan.limits[2]!, now)?.used ?? 0, good)
        assert.ok(asked > 0)
      },
    ),
    { numRuns: 300 },
  )
})

test('a bucket gives its burst at once, then what is refilled, exactly', () => {
  const counters = create()
  const plan = planOf({ max: 3, window_ms: 1000, burst: 5 })
  for (let i = 0; i < 5; i++) assert.equal(counters.take(plan, NOON), -1)
  assert.equal(counters.take(plan, NOON), 0)
  assert.equal(counters.resetMs(0), 334)
  assert.equal(counters.take(plan, NOON + 333), 0)
  assert.equal(counters.take(plan, NOON + 334), -1)
  let more = 0
  for (let ms = 335; ms <= 100_334; ms++) if (counters.take(plan, NOON + ms) === -1) more++
  assert.equal(more, 300)
  // A clock that is set back refills nothing.
  assert.equal(counters.take(plan, NOON - HOUR_MS), 0)
  assert.equal(counters.take(plan, NOON - HOUR_MS + 400), -1)
})

test('a weight is taken whole or not at all', () => {
  const counters = create()
  const plan = planOf({ max: 10, cost: 4 })
  assert.deepEqual(
    [0, 1000, 2000].map((ms) => counters.take(plan, NOON + ms)),
    [-1, -1, 0],
  )
  assert.equal(counters.remaining(0), 2)
  assert.equal(counters.resetMs(0), 58_000)
  assert.equal(counters.take(plan, NOON + 60_000), -1)
})

test('a rolling quota survives a restart slot by slot, and one of another time zone with its period', () => {
  const rolling = { kind: 'quota', max: 5, window_ms: 6 * HOUR_MS, rolling: true } as const
  const zoned = { kind: 'quota', max: 4, window_ms: DAY_MS, timezone: 'Asia/Kolkata' } as const
  const before = create()
  const plan = planOf(rolling, zoned)
  const stored = new Map<string, ReturnType<Counters['exportQuotas']>[number]>()
  for (const hours of [0, 1, 2]) {
    assert.equal(before.take(plan, NOON + hours * HOUR_MS), -1)
    for (const row of before.exportQuotas()) stored.set(row.key, row)
  }
  const now = NOON + 3 * HOUR_MS
  const after = create()
  after.importQuotas([...stored.values()], now)
  assert.equal(after.read(plan.limits[0]!, now)?.used, 3)
  assert.equal(after.read(plan.limits[1]!, now)?.used, 3)
  assert.equal(after.take(plan, now), -1)
  assert.equal(after.take(plan, now), 1)
  assert.equal(after.read(plan.limits[0]!, now + 4 * HOUR_MS)?.used, 2)
  // 18:30 UTC is midnight in India.
  assert.equal(after.take(planOf({ ...rolling, max: 9 }, zoned), Date.UTC(2026, 2, 4, 18, 29, 59, 999)), 1)
  assert.equal(after.take(planOf({ ...rolling, max: 9 }, zoned), Date.UTC(2026, 2, 4, 18, 30)), -1)
  const late = create()
  late.importQuotas([...stored.values()], NOON + 2 * DAY_MS)
  assert.equal(late.read(plan.limits[0]!, NOON + 2 * DAY_MS)?.used ?? 0, 0)
  assert.equal(late.read(plan.limits[1]!, NOON + 2 * DAY_MS)?.used ?? 0, 0)
})

test('days, weeks and months begin where the clocks of a zone say so, also when those are changed', () => {
  const cases = [
    ['d', 'Europe/Berlin', '2026-03-29T12:00Z', '2026-03-28T23:00Z', '2026-03-29T22:00Z'],
    ['d', 'Europe/Berlin', '2026-10-25T12:00Z', '2026-10-24T22:00Z', '2026-10-25T23:00Z'],
    ['w', 'America/New_York', '2026-03-04T12:00Z', '2026-03-02T05:00Z', '2026-03-09T04:00Z'],
    ['m', 'Asia/Kolkata', '2026-02-28T18:30Z', '2026-02-28T18:30Z', '2026-03-31T18:30Z'],
    ['m', 'Pacific/Kiritimati', '2026-12-31T09:59Z', '2026-11-30T10:00Z', '2026-12-31T10:00Z'],
    // Midnight did not exist on this day: the clock went from 23:59 to 01:00.
    ['d', 'Africa/Cairo', '2026-04-24T12:00Z', '2026-04-23T22:00Z', '2026-04-24T21:00Z'],
  ] as const
  for (const [kind, zone, now, start, end] of cases) {
    const calendar = new Calendar(kind, zone)
    calendar.at(Date.parse(now))
    const found = [calendar.start, calendar.end].map((time) => new Date(time).toISOString().slice(0, 16))
    assert.deepEqual(
      found.map((time) => `${time}Z`),
      [start, end],
      `${zone} ${now}`,
    )
  }
})

test('what is under way in a dead thread is given back, and in the others is not', () => {
  const memory = createCounterMemory(256)
  const [first, second] = [createCounters(memory, 0), createCounters(memory, 1)]
  const plan = planOf({ kind: 'concurrency', max: 4, window_ms: 0 })
  assert.deepEqual([first.take(plan, NOON), first.take(plan, NOON), second.take(plan, NOON)], [-1, -1, -1])
  const limits = second.hold(plan)
  assert.equal(second.read(plan.limits[0]!, NOON)?.used, 3)
  second.releaseDead(0)
  assert.equal(second.read(plan.limits[0]!, NOON)?.used, 1)
  // Whoever takes the slot of a dead thread over gives back what it held, should nobody have done so before.
  createCounters(memory, 1)
  assert.equal(first.read(plan.limits[0]!, NOON)?.used, 0)
  assert.equal(limits.length, 1)
})

test('a place under way is never taken over, however full the table is and however long it lasts', () => {
  const counters = create(32)
  const plan = toPlan([planned({ kind: 'concurrency', max: 1, window_ms: 0 })])
  assert.equal(counters.take(plan, NOON), -1)
  const limits = counters.hold(plan)
  for (let i = 0; i < 500; i++) {
    const now = NOON + 400 * DAY_MS + i
    counters.take(
      toPlan([planned({ kind: 'concurrency', max: 1, window_ms: 0, name: 'other' }, `c${i}`)]),
      now,
    )
  }
  assert.ok(counters.facts.full > 0)
  assert.equal(counters.take(plan, NOON + 401 * DAY_MS), 0)
  counters.release(limits, 200)
  assert.equal(counters.take(plan, NOON + 401 * DAY_MS), -1)
})

test('the addresses of one IPv6 network are one source, those of IPv4 are each their own', () => {
  const byAddress = planned({ key: 'ip' })
  const same = (a: string, b: string): boolean => keyFor(byAddress, a).high === keyFor(byAddress, b).high
  assert.ok(same('2001:db8::1', '2001:db8:0:0:ffff::2'))
  assert.ok(!same('2001:db8::1', '2001:db8:0:1::1'))
  assert.ok(!same('192.0.2.1', '192.0.2.2'))
  assert.ok(same('192.0.2.1', '::ffff:192.0.2.1'))
})

test('values that callers invent fill a table of their own', () => {
  const counters = create(64)
  const keyed = planned({ key: 'header:x-tenant', max: 100 })
  const plain = toPlan([planned({ max: 100 })])
  const plan = toPlan([keyed])
  let full = 0
  for (let i = 0; i < 3000; i++) {
    const { low, high } = keyFor(keyed, `tenant ${i}`)
    counters.key(0, low, high)
    if (counters.take(plan, NOON) !== -1) full++
  }
  assert.ok(full > 2000)
  assert.equal(counters.facts.full, full)
  assert.equal(counters.take(plain, NOON), -1)
})
