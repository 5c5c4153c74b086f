import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { limitKeyOf } from '../../snapshot/find/limit-key.ts'
import { type LimitPlan, partOf, planLimit, toPlan } from '../../snapshot/find/limit-plan.ts'
import type { LimitFragment } from '../../snapshot/fragments.ts'
import { linkPolicy } from '../../snapshot/link/small-kinds.ts'
import { createCounterMemory } from './counter-memory.ts'
import { createCounters } from './counters.ts'
import type { Counters } from './port.ts'

const NOON = Date.UTC(2026, 2, 4, 12)

function planFor(...limits: readonly Partial<LimitFragment>[]): LimitPlan {
  const key = limitKeyOf('cli_1')
  const { limits: linked } = linkPolicy({
    kind: 'policy',
    id: 'pol_1',
    slug: 'one',
    active: true,
    limits: limits.map((given) => ({ name: 'limit', kind: 'rate', max: 100, window_ms: 60_000, ...given })),
  })
  return toPlan(linked.map((limit) => planLimit(limit, 'client', key, key)))
}

function create(nodes: number): Counters {
  const counters = createCounters(createCounterMemory(64), 0)
  counters.setNodes(nodes)
  return counters
}

function admitted(counters: Counters, plan: LimitPlan, now = NOON): number {
  let count = 0
  while (count < 10_000 && counters.take(counters.partOf(plan), now) === -1) count++
  return count
}

test('a node admits its part of each kind of limit, rounded up', () => {
  for (const [nodes, expected] of [
    [1, 100],
    [2, 50],
    [3, 34],
    [7, 15],
  ] as const) {
    assert.equal(admitted(create(nodes), planFor({})), expected, `a rate at ${nodes} nodes`)
    assert.equal(
      admitted(create(nodes), planFor({ kind: 'quota', rolling: true, window_ms: 3_600_000 })),
      expected,
      `a rolling quota at ${nodes} nodes`,
    )
    assert.equal(
      admitted(create(nodes), planFor({ kind: 'concurrency', window_ms: 0 })),
      expected,
      `calls at once at ${nodes} nodes`,
    )
  }
})

test('a bucket is divided in what it holds and in what it is refilled with', () => {
  const counters = create(3)
  const plan = planFor({ max: 30, burst: 60 })
  assert.equal(admitted(counters, plan), 20)
  assert.equal(admitted(counters, plan, NOON + 60_000), 10)
})

test('a node admits at least one request, and never more than the limit', () => {
  assert.equal(admitted(create(3), planFor({ max: 1 })), 1)
  assert.equal(admitted(create(3), planFor({ max: 10, cost: 10 })), 1)
  const bucket = planFor({ max: 1, burst: 9, cost: 9 })
  const counters = create(3)
  assert.equal(admitted(counters, bucket), 1)
  assert.equal(admitted(counters, bucket, NOON + 9 * 60_000), 1)
  fc.assert(
    fc.property(fc.nat(1_000_000_000), fc.integer({ min: 1, max: 64 }), fc.nat(1000), (more, nodes, cost) => {
      const whole = more + Math.max(1, cost)
      const part = partOf(whole, nodes, Math.max(1, cost))
      assert.ok(part >= Math.max(1, cost) && part <= whole)
      if (part > cost) assert.ok(part * nodes - whole < nodes)
    }),
  )
})

test('with one node a plan is the same plan, and a part is computed once', () => {
  const counters = create(1)
  const plan = planFor({})
  assert.equal(counters.partOf(plan), plan)
  counters.setNodes(2)
  const part = counters.partOf(plan)
  assert.equal(counters.partOf(plan), part)
  const day = planFor({ kind: 'quota', window_ms: 86_400_000 })
  assert.equal(counters.partOf(day), day, 'calendar quotas are counted together')
  counters.setNodes(1)
  assert.equal(counters.partOf(plan), plan)
})

test('a thread hears of another number of nodes at its next request', () => {
  const memory = createCounterMemory(64)
  const [main, thread] = [createCounters(memory, 0), createCounters(memory, 1)]
  assert.equal(thread.nodes, 1)
  main.setNodes(3)
  assert.equal(thread.nodes, 3)
  assert.equal(admitted(thread, planFor({})), 34)
  for (const none of [0, -1, 1.5]) assert.throws(() => main.setNodes(none), RangeError)
})

test('when the number of nodes changes, what was counted stays, and one window holds at most one part more for each change', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }),
      (max, counts) => {
        const plan = planFor({ max })
        const nodes: Counters[] = []
        let total = 0
        let largest = 0
        let before = counts[0]!
        let changes = 0
        for (const count of counts) {
          changes += Math.abs(count - before)
          before = count
          while (nodes.length < count) nodes.push(create(1))
          nodes.length = count
          largest = Math.max(largest, Math.ceil(max / count))
          for (const node of nodes) {
            node.setNodes(count)
            total += admitted(node, plan)
          }
        }
        assert.ok(
          total <= max + changes * largest + Math.max(...counts) - 1,
          `${total} of ${max} after ${changes} changes`,
        )
      },
    ),
  )
})

test('the headers say what this node admits', () => {
  const counters = create(4)
  const part = counters.partOf(
    planFor({ max: 100 }, { name: 'at-once', kind: 'concurrency', max: 10, window_ms: 0 }),
  )
  assert.equal(
    part.policyLine,
    'RateLimit-Policy: "limit";q=25;w=60, "at-once";q=3;qu="concurrent-requests"\r\n',
  )
})

test('a reading tells the part of this node', () => {
  const counters = create(4)
  const plan = planFor({})
  for (let i = 0; i < 5; i++) counters.take(counters.partOf(plan), NOON)
  const { used, own, ownMax, remaining } = counters.read(plan.limits[0]!, NOON)!
  assert.deepEqual({ used, own, ownMax, remaining }, { used: 5, own: 5, ownMax: 25, remaining: 20 })
})
