import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ClockCell, createClock, createClockCell, moveClock } from '../../src/base/clock.ts'
import { createCounterMemory } from '../../src/gateway/admit/counter-memory.ts'
import { createCounters } from '../../src/gateway/admit/counters.ts'
import type { Counters } from '../../src/gateway/admit/port.ts'
import { createQuotaKeeper, type QuotaKeeper } from '../../src/record/quota-keeper.ts'
import { limitKeyOf } from '../../src/snapshot/find/limit-key.ts'
import { type LimitPlan, planLimit, toPlan } from '../../src/snapshot/find/limit-plan.ts'
import { linkPolicy } from '../../src/snapshot/link/small-kinds.ts'
import type { OtherNodeQuota, QuotaRow, QuotaStore } from '../../src/store/ports/records.ts'
import { StoreUnavailable } from '../../src/store/ports/unavailable.ts'

const DAY_MS = 86_400_000

function planOf(max: number, cost: number, subject = 'cli_1'): LimitPlan {
  const limits = [{ name: 'day', kind: 'quota' as const, max, window_ms: DAY_MS, cost }]
  const policy = linkPolicy({ kind: 'policy', id: 'pol_1', slug: 'one', active: true, limits })
  const key = limitKeyOf(subject)
  return toPlan(policy.limits.map((limit) => planLimit(limit, 'client', key, key)))
}

/** What becomes of the next exchange: it succeeds, is refused, or is stored and its answer is lost. */
type Fate = 'done' | 'refused' | 'lost'

/** The table of a database, as nodes use it. */
class Table {
  readonly rows = new Map<string, OtherNodeQuota & { readonly changed: number }>()
  exchanges = 0

  /** @param during called when the rows are settled, before they are stored */
  storeOf(node: string, fate: () => Fate, during: () => void): QuotaStore {
    let known = 0
    const others = (): (OtherNodeQuota & { changed: number })[] =>
      [...this.rows.values()].filter((row) => row.node !== node)
    const put = (row: QuotaRow & Partial<OtherNodeQuota>): void => {
      const { exchanges: changed } = this
      this.rows.set(`${row.key} ${node}`, { max: 0, cost: 0, share: 0, ...row, node, changed })
    }
    const demand = (): Fate => {
      const met = fate()
      if (met === 'refused') throw new StoreUnavailable('unreachable', 'cut off')
      return met
    }
    return {
      load: async () => [...this.rows.values()].filter((row) => row.node === node),
      async save(rows) {
        demand()
        for (const row of rows) put(row)
      },
      prune: async () => {},
      shared: {
        enterAs: () => {},
        others: async (now) => others().filter(({ ends }) => ends > now),
        exchange: async (keys, isAll, settle) => {
          const met = demand()
          const changed = others().filter((row) => row.changed > known)
          const counters = new Set([...keys, ...changed.map(({ key }) => key)].map((key) => key.slice(0, -2)))
          const told = others().filter(({ key }) => isAll || counters.has(key.slice(0, -2)))
          const rows = settle(told)
          during()
          if (rows.length > 0) this.exchanges++
          for (const row of rows) put(row)
          if (met === 'lost') throw new StoreUnavailable('unreachable', 'the answer was lost')
          known = this.exchanges
          return { stored: rows, isMore: false }
        },
        adopt: async () => [],
      },
    }
  }
}

/** A gateway thread and the recorder of one node. */
class Node {
  readonly id: string
  readonly counters: Counters = createCounters(createCounterMemory(32), 0)
  readonly keeper: QuotaKeeper
  fate: Fate = 'done'
  during = (): void => {}

  constructor(table: Table, id: string, clock: ClockCell) {
    this.id = id
    const store = table.storeOf(
      id,
      () => this.fate,
      () => this.during(),
    )
    this.keeper = createQuotaKeeper(this.counters, store, createClock(clock))
  }

  group(live: readonly string[]): void {
    // As the main thread does
    if (live.length > this.counters.nodes) this.counters.setNodes(live.length)
    this.keeper.setNodes({ self: this.id, live })
  }
}

/** Nodes on one table that know of each other, with a quota that all of them enforce. */
class Nodes {
  readonly table = new Table()
  readonly cell = createClockCell()
  readonly plan: LimitPlan
  readonly nodes: Node[] = []
  /** Units that were admitted in the period. */
  admitted = 0
  readonly cost: number

  constructor(count: number, max: number, cost: number) {
    this.cost = cost
    this.plan = planOf(max, cost)
    // Noon, so that a test that runs at midnight does not count in two periods
    moveClock(this.cell, DAY_MS / 2 - (Date.now() % DAY_MS))
    for (let at = 0; at < count; at++) this.add()
    this.regroup()
  }

  get now(): number {
    return createClock(this.cell).now()
  }

  add(): Node {
    const node = new Node(this.table, `node-${this.nodes.length}-${this.admitted}`, this.cell)
    this.nodes.push(node)
    return node
  }

  regroup(): void {
    const live = this.nodes.map(({ id }) => id)
    for (const node of this.nodes) node.group(live)
  }

  take(at: number, count: number): void {
    const { counters } = this.nodes[at % this.nodes.length]!
    for (let i = 0; i < count; i++) if (counters.take(this.plan, this.now) === -1) this.admitted += this.cost
  }

  async exchange(at: number, fate: Fate = 'done', during = 0): Promise<void> {
    const node = this.nodes[at % this.nodes.length]!
    node.fate = fate
    node.during = () => this.take(at, during)
    await node.keeper.save().then(
      () => {},
      (error: unknown) => assert.ok(error instanceof StoreUnavailable),
    )
    node.during = () => {}
  }

  async exchangeAll(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++)
      for (let at = 0; at < this.nodes.length; at++) await this.exchange(at)
  }
}

test('nodes that count a quota together admit it with at most one request for each other node beyond it, whatever is lost', async () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('take' as const),
      node: fc.nat(4),
      count: fc.oneof(fc.nat(3), fc.nat(40)),
    }),
    fc.record({
      kind: fc.constant('exchange' as const),
      node: fc.nat(4),
      fate: fc.constantFrom<Fate>('done', 'done', 'done', 'refused', 'lost'),
      during: fc.nat(6),
    }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(step, { minLength: 10, maxLength: 120 }),
      async (count, units, cost, steps) => {
        const max = Math.max(units, cost)
        const nodes = new Nodes(count, max, cost)
        for (const one of steps) {
          if (one.kind === 'take') nodes.take(one.node, one.count)
          else await nodes.exchange(one.node, one.fate, one.during)
          assert.ok(
            nodes.admitted <= max + (count - 1) * cost,
            `${nodes.admitted} of ${max} with a cost of ${cost} at ${count} nodes`,
          )
        }
        // Nothing stays unused where all can be reached, whichever node is asked
        for (let round = 0; round < 60; round++) {
          await nodes.exchangeAll(1)
          nodes.take(0, 200)
        }
        assert.ok(nodes.admitted > max - cost, `${nodes.admitted} of ${max} with a cost of ${cost}`)
        assert.ok(nodes.admitted <= max + (count - 1) * cost)
      },
    ),
    { numRuns: 150 },
  )
})

test('a node that stops takes no more than its share out of what the others count, and one that enters is given none of that', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 4 }),
      fc.integer({ min: 20, max: 200 }),
      fc.array(
        fc.record({
          kind: fc.constantFrom('take', 'exchange', 'stop', 'enter'),
          node: fc.nat(4),
          count: fc.nat(30),
        }),
        { minLength: 10, maxLength: 100 },
      ),
      async (count, max, steps) => {
        const nodes = new Nodes(count, max, 1)
        await nodes.exchangeAll(3)
        let most = count
        /** What was admitted by nodes that stopped, and not told. */
        let untold = 0
        /** What nodes could admit before they heard that another one counts with them. */
        let changes = 0
        for (const { kind, node, count: calls } of steps) {
          if (kind === 'take') nodes.take(node, calls)
          else if (kind === 'exchange') await nodes.exchange(node)
          else if (kind === 'stop' && nodes.nodes.length > 1) {
            const [gone] = nodes.nodes.splice(node % nodes.nodes.length, 1)
            const own = gone!.counters.read(nodes.plan.limits[0]!, nodes.now)?.own ?? 0
            const told = [...nodes.table.rows.values()].find((row) => row.node === gone!.id)?.count ?? 0
            untold += own - told
            nodes.regroup()
          } else if (kind === 'enter' && nodes.nodes.length < 5) {
            const part = Math.ceil(max / nodes.nodes.length)
            const entered = nodes.add()
            await entered.keeper.load()
            nodes.regroup()
            changes += part
          }
          most = Math.max(most, nodes.nodes.length)
          assert.ok(
            nodes.admitted <= max + untold + changes + most - 1,
            `${nodes.admitted} of ${max}: ${untold} untold, ${changes} by changes, ${most} nodes`,
          )
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('a quota can be used up at one of three nodes, and the others then admit one request each at most', async () => {
  const nodes = new Nodes(3, 1000, 1)
  for (let round = 0; round < 80 && nodes.admitted < 1000; round++) {
    nodes.take(0, 1000)
    await nodes.exchangeAll(1)
  }
  assert.equal(nodes.admitted, 1000)
  await nodes.exchangeAll(2)
  nodes.take(1, 10)
  nodes.take(2, 10)
  assert.equal(nodes.admitted, 1000, 'they had heard that it is used up')
})

test('a node that cannot reach the others goes on with its share, and then refuses', async () => {
  const nodes = new Nodes(2, 100, 1)
  nodes.take(0, 10)
  await nodes.exchangeAll(4)
  const before = nodes.admitted
  for (let round = 0; round < 5; round++) {
    nodes.take(0, 100)
    await nodes.exchange(0, 'refused')
  }
  const own = nodes.admitted - before
  assert.ok(own > 0 && own < 90, `${own} of 90 that were left`)
  const { counters } = nodes.nodes[0]!
  assert.equal(counters.take(nodes.plan, nodes.now), 0)
  assert.ok(counters.wasShort)
  assert.equal(counters.remaining(0), 0)
  assert.equal(counters.resetMs(0), 1000, 'the next share, not the next period')
  // Reached again, it is given what is left
  for (let round = 0; round < 30; round++) {
    await nodes.exchangeAll(1)
    nodes.take(0, 100)
  }
  assert.equal(nodes.admitted, 100)
})

test('what a node has counted stays counted when it stops, and what it had not admitted is free for the others', async () => {
  const nodes = new Nodes(3, 100, 1)
  nodes.take(1, 20)
  await nodes.exchangeAll(4)
  nodes.nodes.splice(1, 1)
  nodes.regroup()
  for (let round = 0; round < 40; round++) {
    await nodes.exchangeAll(1)
    nodes.take(0, 100)
  }
  assert.equal(nodes.admitted, 100)
})

test('a limit of one is admitted once by each of three nodes that have not spoken yet, and then by none', async () => {
  const nodes = new Nodes(3, 1, 1)
  for (const at of [0, 1, 2]) nodes.take(at, 5)
  assert.equal(nodes.admitted, 3)
  await nodes.exchangeAll(2)
  for (const at of [0, 1, 2]) nodes.take(at, 5)
  assert.equal(nodes.admitted, 3)
})

test('each period is counted anew by all nodes, also where it begins while they cannot be reached', async () => {
  const nodes = new Nodes(2, 50, 1)
  nodes.take(0, 50)
  nodes.take(1, 50)
  await nodes.exchangeAll(3)
  assert.equal(nodes.admitted, 50)
  moveClock(nodes.cell, DAY_MS)
  nodes.admitted = 0
  nodes.take(0, 50)
  await nodes.exchange(0, 'refused')
  nodes.take(1, 50)
  await nodes.exchange(1, 'refused')
  assert.equal(nodes.admitted, 50)
  await nodes.exchangeAll(3)
  nodes.take(0, 50)
  assert.equal(nodes.admitted, 50)
})

test('a reading tells what all nodes have counted, what this one has, and what that may come to', async () => {
  const nodes = new Nodes(2, 100, 1)
  nodes.take(0, 10)
  nodes.take(1, 20)
  await nodes.exchangeAll(3)
  const [one, other] = nodes.nodes.map(({ counters }) => counters.read(nodes.plan.limits[0]!, nodes.now)!)
  assert.deepEqual([one!.used, one!.own], [30, 10])
  assert.deepEqual([other!.used, other!.own], [30, 20])
  assert.ok(one!.ownMax - 10 + other!.ownMax - 20 <= 71, 'both shares are parts of the 70 that are left')
  assert.equal(one!.remaining, 70)
})
