import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { createClock, createClockCell, moveClock } from '../../src/base/clock.ts'
import { createCounterMemory } from '../../src/gateway/admit/counter-memory.ts'
import { createCounters } from '../../src/gateway/admit/counters.ts'
import type { Counters } from '../../src/gateway/admit/port.ts'
import { createQuotaKeeper } from '../../src/record/quota-keeper.ts'
import { limitKeyOf } from '../../src/snapshot/find/limit-key.ts'
import { type LimitPlan, planLimit, toPlan } from '../../src/snapshot/find/limit-plan.ts'
import type { LimitFragment } from '../../src/snapshot/fragments.ts'
import { linkPolicy } from '../../src/snapshot/link/small-kinds.ts'
import { openRecordStore } from '../../src/store/sqlite/records.ts'
import { IS_LONG } from '../support/long.ts'

const NOON = Date.UTC(2026, 2, 4, 12)
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Periods of which a quota keeps the count. */
const KEPT = 8

const directory = mkdtempSync(join(tmpdir(), 'postern-clocks-'))

function planOf(given: Partial<LimitFragment>, subject = 'cli_1'): LimitPlan {
  const fragment = { name: 'limit', kind: 'quota' as const, max: 5, window_ms: DAY_MS, ...given }
  const limits = [fragment]
  const [limit] = linkPolicy({ kind: 'policy', id: 'pol_1', slug: 'one', active: true, limits }).limits
  const key = limitKeyOf(subject)
  return toPlan([planLimit(limit!, 'client', key, key)])
}

const path = join(directory, 'records.db')

/** Counters of a process that can be restarted: what they hold passes through a file of records, which begins empty. */
class Process {
  readonly #cell = createClockCell()
  readonly #clock = createClock(this.#cell)
  #counters: Counters = createCounters(createCounterMemory(256), 0)
  #keeper = createQuotaKeeper(this.#counters, store.quotas, this.#clock)

  constructor() {
    emptied.exec('DELETE FROM quotas')
  }

  setClock(now: number): void {
    moveClock(this.#cell, now - this.#clock.now())
  }

  take(plan: LimitPlan, now: number): boolean {
    return this.#counters.take(plan, now) === -1
  }

  async restart(): Promise<void> {
    await this.#keeper.save()
    await this.#keeper.prune()
    this.#counters = createCounters(createCounterMemory(256), 0)
    this.#keeper = createQuotaKeeper(this.#counters, store.quotas, this.#clock)
    await this.#keeper.load()
  }
}

const store = openRecordStore(path)
const emptied = new DatabaseSync(path)
after(async () => {
  emptied.close()
  await store.close()
  rmSync(directory, { recursive: true })
})

/** A name of the calendar period in which `now` is, worked out from the local date. */
function periodOf(windowMs: number, timezone: string | undefined, now: number): string {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone: timezone ?? 'UTC', dateStyle: 'short' })
  const date = parts.format(now)
  if (windowMs === 30 * DAY_MS) return date.slice(0, 7)
  if (windowMs === DAY_MS) return date
  const day = new Date(`${date}T00:00Z`)
  return new Date(day.getTime() - ((day.getUTCDay() + 6) % 7) * DAY_MS).toISOString().slice(0, 10)
}

const stepOf = fc.oneof(
  { weight: 3, arbitrary: fc.record({ calls: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 3 * 24 * 60 }) }) },
  { weight: 2, arbitrary: fc.record({ jump: fc.integer({ min: -600 * 24 * 60, max: 600 * 24 * 60 }) }) },
  { weight: 2, arbitrary: fc.constant({ back: true }) },
  { weight: 1, arbitrary: fc.constant({ restart: true }) },
)

test('however the clock jumps and the process restarts, no calendar period that is kept admits more than max', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(DAY_MS, 7 * DAY_MS, 30 * DAY_MS),
      fc.constantFrom(undefined, 'Asia/Kolkata', 'America/New_York', 'Pacific/Kiritimati'),
      fc.array(stepOf, { minLength: 10, maxLength: 60 }),
      async (max, windowMs, timezone, steps) => {
        const plan = planOf({ max, window_ms: windowMs, ...(timezone === undefined ? {} : { timezone }) })
        const restarting = new Process()
        const lasting = createCounters(createCounterMemory(256), 0)
        /** What each kept period has admitted; the one that was left first is the first. */
        const admitted = new Map<string, number>()
        const seen = new Set<string>()
        let now = NOON
        const times = [now]
        for (const step of steps) {
          if ('pass' in step) now += step.pass * MINUTE_MS
          else if ('jump' in step) {
            times.push(now)
            now = Math.max(NOON - 700 * DAY_MS, now + step.jump * MINUTE_MS)
          } else if ('back' in step) now = times.pop() ?? now
          else if ('restart' in step) await restarting.restart()
          restarting.setClock(now)
          if (!('calls' in step)) continue
          const period = periodOf(windowMs, timezone, now)
          const before = admitted.get(period) ?? 0
          const isLatest = [...seen].every((other) => other < period)
          admitted.delete(period)
          if (admitted.size === KEPT) admitted.delete(admitted.keys().next().value!)
          let more = 0
          for (let call = 0; call < step.calls; call++) {
            const isAdmitted = restarting.take(plan, now)
            assert.equal(isAdmitted, lasting.take(plan, now) === -1, 'a restart changes no answer')
            if (isAdmitted) more++
          }
          assert.ok(before + more <= max, `${before + more} of ${max} in ${period}`)
          if (isLatest)
            assert.equal(more, Math.min(max, step.calls), 'a later period than any begins with none')
          admitted.set(period, before + more)
          seen.add(period)
        }
      },
    ),
    { numRuns: IS_LONG ? 1000 : 60 },
  )
})

test('a clock that is ahead once, for as long as it likes, gives a rolling quota at most once more', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(HOUR_MS, 12 * HOUR_MS, 30 * DAY_MS),
      fc.integer({ min: 1, max: 600 * 24 }),
      fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      fc.integer({ min: 0, max: 6 }),
      async (max, windowMs, hours, restarts, callsAhead) => {
        const plan = planOf({ max, window_ms: windowMs, rolling: true })
        const counting = new Process()
        let admitted = 0
        const call = (times: number, now: number): void => {
          for (let i = 0; i < times; i++) if (counting.take(plan, now)) admitted++
        }
        const clocks = [NOON, NOON + hours * HOUR_MS, NOON + 2 * MINUTE_MS]
        for (const [index, now] of clocks.entries()) {
          counting.setClock(now)
          if (restarts[index]) await counting.restart()
          call(index === 1 ? callsAhead : 2 * max, now)
        }
        counting.setClock(NOON + 4 * MINUTE_MS)
        await counting.restart()
        call(2 * max, NOON + 4 * MINUTE_MS)
        assert.ok(admitted <= 2 * max, `${admitted} of ${max}`)
      },
    ),
    { numRuns: IS_LONG ? 300 : 30 },
  )
})

test('a call of a period that was left is given back there, and nowhere else', () => {
  const counters = createCounters(createCounterMemory(256), 0)
  const plan = planOf({ max: 3, count: [[200, 299]] })
  const ahead = NOON + 500 * DAY_MS
  for (let i = 0; i < 3; i++) assert.equal(counters.take(plan, NOON), -1)
  assert.equal(counters.take(plan, ahead), -1)
  const held = counters.hold(plan)
  assert.equal(counters.take(plan, ahead), -1)
  assert.equal(counters.take(plan, NOON), 0)
  counters.release(held, 500)
  assert.equal(counters.take(plan, NOON), 0)
  assert.equal(counters.read(plan.limits[0]!, ahead)?.used, 1)
})

test('a quota that has expired keeps its place while another is empty', () => {
  const counters = createCounters(createCounterMemory(256), 0)
  const plans = Array.from({ length: 20 }, (_, index) => planOf({ max: 1 }, `cli_${index}`))
  for (const plan of plans) assert.equal(counters.take(plan, NOON), -1)
  const others = Array.from({ length: 20 }, (_, index) => planOf({ max: 1 }, `other_${index}`))
  for (const plan of others) counters.take(plan, NOON + 500 * DAY_MS)
  const again = plans.filter((plan) => counters.take(plan, NOON) === -1)
  assert.deepEqual(again, [])
})

test('what was counted before the store could be read stays the count of the current period', async () => {
  emptied.exec('DELETE FROM quotas')
  const plan = planOf({ max: 3 })
  const first = createCounters(createCounterMemory(256), 0)
  first.take(plan, NOON - DAY_MS)
  first.take(plan, NOON - DAY_MS)
  await createQuotaKeeper(first, store.quotas, createClock()).save()
  const second = createCounters(createCounterMemory(256), 0)
  second.take(plan, NOON)
  const keeper = createQuotaKeeper(second, store.quotas, createClock())
  await keeper.load()
  await keeper.save()
  assert.equal(second.read(plan.limits[0]!, NOON)?.used, 1)
  const third = createCounters(createCounterMemory(256), 0)
  await createQuotaKeeper(third, store.quotas, createClock()).load()
  assert.equal(third.read(plan.limits[0]!, NOON)?.used, 1)
  assert.equal(third.read(plan.limits[0]!, NOON - DAY_MS)?.used, 2)
})
