import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { limitKeyOf } from '../../snapshot/find/limit-key.ts'
import { keyFor, type PlannedLimit, planLimit, toPlan } from '../../snapshot/find/limit-plan.ts'
import type { LimitFragment } from '../../snapshot/fragments.ts'
import { linkPolicy } from '../../snapshot/link/small-kinds.ts'
import { createCounterMemory } from './counter-memory.ts'
import { CounterTable, ENTRY_FLOATS, EXPIRES, RATE, tableBytes } from './counter-table.ts'
import { createCounters } from './counters.ts'
import type { Counters } from './port.ts'
import { STRIPES } from './stripe-locks.ts'

const NOON = Date.UTC(2026, 2, 4, 12)
const ENTRIES = 4096

function byTenant(given: Partial<LimitFragment> = {}): (client: string) => PlannedLimit {
  const fragment = { name: 'tenant', kind: 'rate' as const, max: 2, window_ms: 60_000, ...given }
  const policy = linkPolicy({
    kind: 'policy',
    id: 'pol_1',
    slug: 'one',
    active: true,
    limits: [{ key: 'header:x-tenant', ...fragment }],
  })
  const place = limitKeyOf('collection:col_1')
  return (client) => planLimit(policy.limits[0]!, 'collection', place, limitKeyOf(`client:${client}`))
}

function asks(counters: Counters, planned: PlannedLimit, value: string, now = NOON): boolean {
  const { low, high } = keyFor(planned, value)
  counters.key(0, low, high)
  return counters.take(toPlan([planned]), now) === -1
}

/** How many of so many new values of a client are admitted. */
function admitted(counters: Counters, planned: PlannedLimit, values: number, name = 'v', now = NOON): number {
  let count = 0
  for (let i = 0; i < values; i++) if (asks(counters, planned, `${name}${i}`, now)) count++
  return count
}

test('a client that invents values is refused at its share, and every other client goes on', () => {
  const counters = createCounters(createCounterMemory(ENTRIES), 0)
  const limit = byTenant()
  const filler = limit('filler')
  assert.ok(asks(counters, filler, 'known'))
  const taken = admitted(counters, filler, 4 * ENTRIES)
  assert.ok(taken > ENTRIES * 0.35 && taken < ENTRIES * 0.6, `${taken} of ${ENTRIES}`)
  assert.ok(counters.wasFull)
  assert.equal(counters.facts.full, 4 * ENTRIES - taken)
  for (let i = 0; i < 40; i++) assert.equal(admitted(counters, limit(`other ${i}`), 20), 20)
  // What has its place keeps it.
  assert.ok(asks(counters, filler, 'known'))
  assert.ok(!asks(counters, filler, 'known'))
  assert.ok(!counters.wasFull)
})

test('four clients that invent values one after the other leave places for a fifth', () => {
  const counters = createCounters(createCounterMemory(ENTRIES), 0)
  const limit = byTenant()
  const taken = [0, 1, 2, 3].map((i) => admitted(counters, limit(`filler ${i}`), 2 * ENTRIES))
  // Each gets half of what is free when it comes.
  for (const [i, count] of taken.entries()) assert.ok(count > ENTRIES / 2 ** (i + 2), `${taken}`)
  assert.equal(admitted(counters, limit('other'), 30), 30)
})

test('a share holds over threads, and is free again when its counters have expired', () => {
  const memory = createCounterMemory(ENTRIES)
  const threads = [0, 1, 2].map((slot) => createCounters(memory, slot))
  const limit = byTenant()
  const filler = limit('filler')
  const each = threads.map((thread, slot) => admitted(thread, filler, ENTRIES, `${slot} `))
  const taken = each.reduce((sum, count) => sum + count, 0)
  assert.ok(taken > ENTRIES * 0.35 && taken < ENTRIES * 0.6, `${each}`)
  assert.equal(admitted(threads[2]!, limit('other'), 20), 20)
  assert.equal(admitted(threads[0]!, filler, 20, 'later ', NOON + 61_000), 20)
})

test('counters of a client that are stored count for its share after a restart, and none of them is lost', () => {
  for (const rolling of [undefined, true] as const) {
    const before = createCounters(createCounterMemory(ENTRIES), 0)
    const limit = byTenant({ kind: 'quota', max: 1, window_ms: 86_400_000, rolling })
    const filler = limit('filler')
    const values = Array.from({ length: 2 * ENTRIES }, (_, i) => `v${i}`)
    const held = values.filter((value) => asks(before, filler, value))
    const after = createCounters(createCounterMemory(ENTRIES), 0)
    after.importQuotas(before.exportQuotas().reverse(), NOON)
    for (const value of held) {
      assert.ok(!asks(after, filler, value))
      assert.ok(!after.wasFull)
    }
    const more = admitted(after, filler, ENTRIES, 'new ')
    assert.ok(more < ENTRIES * 0.12, `${more} more`)
    assert.equal(admitted(after, limit('other'), 20), 20)
  }
})

test('for any owners, keys and times an entry is made where its owner holds fewer than are free, and nowhere else', () => {
  const steps = fc.array(
    fc.record({
      owner: fc.constantFrom(0x1234_5678, 0x2345_6789, 0x3456_789a),
      key: fc.integer({ min: 1, max: 120 }),
      /** Shares are counted anew once a second. */
      step: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 }), fc.constant(1000)),
      lifeMs: fc.integer({ min: 1, max: 4000 }),
      dies: fc.boolean(),
    }),
    { minLength: 40, maxLength: 150 },
  )
  const perStripe = 16
  fc.assert(
    fc.property(steps, (list) => {
      const memory = new SharedArrayBuffer(64 + tableBytes(STRIPES * perStripe, { hasShares: true }))
      const [table, other] = [0, 1].map(
        (slot) => new CounterTable(memory, 64, STRIPES * perStripe, slot, { hasShares: true }),
      ) as [CounterTable, CounterTable]
      const live = new Map<number, { readonly owner: number; readonly until: number }>()
      const known = new Set<number>()
      let now = NOON
      for (const { owner, key, step, lifeMs, dies } of list) {
        now += step
        for (const [one, { until }] of live) if (until <= now) live.delete(one)
        const held = [...live.values()].filter((one) => one.owner === owner).length
        const mayTake = held < perStripe - live.size
        // All keys lie in one stripe.
        const low = key * STRIPES
        table.stripes.lock(1)
        const entry = table.find(low, key, RATE, table.timeOf(low, now), owner)
        if (entry !== -1) table.floats[entry * ENTRY_FLOATS + EXPIRES] = now + lifeMs
        table.stripes.unlock(1)
        if (live.has(key)) assert.notEqual(entry, -1)
        // An entry that has expired is its first owner's until the next count.
        else if (entry !== -1) assert.ok(mayTake || known.has(key))
        else if (step === 1000) assert.ok(!mayTake)
        known.add(key)
        if (entry !== -1) live.set(key, { owner: table.ownerOf(entry), until: now + lifeMs })
        if (!dies) continue
        other.stripes.lock(1)
        table.releaseDead(1)
      }
    }),
    { numRuns: 200 },
  )
})

test('counts that were stored without a client are put back', () => {
  const limit = byTenant({ kind: 'quota', max: 1, window_ms: 86_400_000 })
  const before = createCounters(createCounterMemory(ENTRIES), 0)
  assert.ok(asks(before, limit('one'), 'a'))
  const stored = before
    .exportQuotas()
    .map((row) => ({ ...row, key: row.key.replace(/^k[0-9a-f]{8}\./, 'k') }))
  assert.match(stored[0]!.key, /^k[0-9a-f]{16}q0$/)
  const after = createCounters(createCounterMemory(ENTRIES), 0)
  after.importQuotas(stored, NOON)
  assert.ok(!asks(after, limit('one'), 'a'))
})

test('a limit that only observes refuses nothing when its counter finds no place', () => {
  const counters = createCounters(createCounterMemory(ENTRIES), 0)
  const seen = byTenant({ observe: true })('filler')
  const underWay = byTenant({ name: 'under-way', kind: 'concurrency', observe: true })('filler')
  const plan = toPlan([seen, underWay])
  for (let i = 0; i < 3 * ENTRIES; i++) {
    for (const [index, planned] of plan.limits.entries()) {
      const { low, high } = keyFor(planned, `v${i}`)
      counters.key(index, low, high)
    }
    assert.equal(counters.take(plan, NOON), -1)
    counters.release(counters.hold(plan), 200)
  }
  assert.ok(counters.facts.full > 0)
})
