import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onPostgres } from '../../../test/support/postgres-databases.ts'
import { createClock } from '../../base/clock.ts'
import type { DatabaseAddress } from '../../base/net/database-url.ts'
import { createCounterMemory } from '../../gateway/admit/counter-memory.ts'
import { createCounters } from '../../gateway/admit/counters.ts'
import type { Counters } from '../../gateway/admit/port.ts'
import { createQuotaKeeper, type QuotaKeeper } from '../../record/quota-keeper.ts'
import { limitKeyOf } from '../../snapshot/find/limit-key.ts'
import { type LimitPlan, planLimit, toPlan } from '../../snapshot/find/limit-plan.ts'
import type { LimitFragment } from '../../snapshot/fragments.ts'
import { linkPolicy } from '../../snapshot/link/small-kinds.ts'
import type { LastingRecordStore } from '../ports/records.ts'
import { openRecordStore } from './records.ts'

const HOUR_MS = 3_600_000

function planFor(given: Partial<LimitFragment>, subject = 'cli_1'): LimitPlan {
  const limit = { name: 'quota', kind: 'quota' as const, max: 100, window_ms: 30 * 24 * HOUR_MS, ...given }
  const policy = linkPolicy({ kind: 'policy', id: 'pol_1', slug: 'one', active: true, limits: [limit] })
  const key = limitKeyOf(subject)
  return toPlan(policy.limits.map((one) => planLimit(one, 'client', key, key)))
}

/** A gateway thread and a recorder of a node. */
interface Node extends AsyncDisposable {
  readonly id: string
  readonly counters: Counters
  readonly keeper: QuotaKeeper
  readonly store: LastingRecordStore
}

async function startNode(address: DatabaseAddress, id: string, entries = 256): Promise<Node> {
  const store = await openRecordStore(address, id)
  const counters = createCounters(createCounterMemory(entries), 0)
  const keeper = createQuotaKeeper(counters, store.quotas, createClock())
  await keeper.load()
  return { id, counters, keeper, store, [Symbol.asyncDispose]: () => store.close() }
}

function together(nodes: readonly Node[]): AsyncDisposableStack {
  const stack = new AsyncDisposableStack()
  for (const node of nodes) stack.use(node)
  return stack
}

function group(...nodes: readonly Node[]): void {
  const live = nodes.map(({ id }) => id)
  for (const { id, counters, keeper } of nodes) {
    // As the main thread does
    if (live.length > counters.nodes) counters.setNodes(live.length)
    keeper.setNodes({ self: id, live })
  }
}

function take({ counters }: Node, plan: LimitPlan, calls: number): number {
  let admitted = 0
  for (let i = 0; i < calls; i++) if (counters.take(counters.partOf(plan), Date.now()) === -1) admitted++
  return admitted
}

const usedOf = ({ counters }: Node, plan: LimitPlan): number =>
  counters.read(plan.limits[0]!, Date.now())?.used ?? 0

await onPostgres(({ server, create }) => {
  const sql = ({ database }: DatabaseAddress, text: string): string => server.sql(text, database).trim()

  test('nodes on one database count a quota together, and any of them can use it up', async () => {
    const address = await create()
    await using one = await startNode(address, 'one')
    await using other = await startNode(address, 'other')
    group(one, other)
    const plan = planFor({})
    let admitted = 0
    for (let round = 0; round < 40; round++) {
      admitted += take(one, plan, 5) + take(other, plan, 1)
      await Promise.all([one.keeper.save(), other.keeper.save()])
    }
    assert.ok(admitted === 100 || admitted === 101, `${admitted} of 100`)
    assert.equal(take(one, plan, 5) + take(other, plan, 5), 0)
    assert.equal(usedOf(one, plan), admitted)
    assert.equal(usedOf(other, plan), admitted)
    assert.equal(sql(address, 'select sum(count) from postern.record_quotas'), String(admitted))
  })

  test('a change of the number of nodes has all quotas exchanged, in parts for which others wait a short time', async () => {
    const address = await create()
    const nodes = [await startNode(address, 'one', 4096), await startNode(address, 'other', 4096)]
    await using _ = together(nodes)
    const plans = Array.from({ length: 2500 }, (_, at) => planFor({}, `cli_${at}`))
    const told: number[] = []
    for (const { store } of nodes) {
      const shared = store.quotas.shared!
      const { exchange } = shared
      shared.exchange = (keys, isAll, settle) =>
        exchange(keys, isAll, (others) => {
          told.push(others.length)
          return settle(others)
        })
    }
    // Each counts alone, and stores that
    for (const node of nodes) {
      for (const plan of plans) take(node, plan, 1)
      await node.keeper.save()
    }
    group(...nodes)
    for (let round = 0; round < 2; round++) for (const { keeper } of nodes) await keeper.save()
    for (const node of nodes)
      for (const plan of plans) if (usedOf(node, plan) !== 2) assert.fail(`${usedOf(node, plan)} of 2`)
    // Its own thousand, and another one of the other node
    assert.ok(told.length >= 6 && told.every((rows) => rows <= 2000), String(told))
    // Until no share is to be changed any more
    for (let round = 0; told.length > 0 && round < 10; round++) {
      told.length = 0
      for (const { keeper } of nodes) await keeper.save()
    }
    assert.deepEqual(told, [])
  })

  test('a node that starts again takes up its count, and those of nodes that are gone', async () => {
    const address = await create()
    const plan = planFor({})
    {
      await using one = await startNode(address, 'one')
      await using gone = await startNode(address, 'gone')
      group(one, gone)
      take(one, plan, 20)
      take(gone, plan, 30)
      await one.keeper.save()
      await gone.keeper.save()
    }
    await using again = await startNode(address, 'one')
    group(again)
    assert.equal(usedOf(again, plan), 50)
    const { own } = again.counters.read(plan.limits[0]!, Date.now())!
    assert.equal(own, 20)
    assert.equal(take(again, plan, 100), 50)
    await again.keeper.save()
    await again.keeper.save()
    assert.equal(sql(address, 'select sum(count) from postern.record_quotas'), '100')
  })

  test('a node that enters is told what the others have counted before its first request', async () => {
    const address = await create()
    await using one = await startNode(address, 'one')
    group(one)
    const plan = planFor({})
    assert.equal(take(one, plan, 100), 100)
    await one.keeper.save()
    await using entered = await startNode(address, 'entered')
    group(one, entered)
    assert.equal(take(entered, plan, 5), 0)
    await one.keeper.save()
    await entered.keeper.save()
    assert.equal(take(entered, plan, 5) + take(one, plan, 5), 0)
  })

  test('many quotas of two nodes are exchanged at the same time, and none is counted twice', async () => {
    const address = await create()
    await using one = await startNode(address, 'one')
    await using other = await startNode(address, 'other')
    group(one, other)
    const plans = Array.from({ length: 50 }, (_, at) => planFor({ max: 1000 }, `cli_${at}`))
    let admitted = 0
    for (let round = 0; round < 10; round++) {
      for (const plan of plans) admitted += take(one, plan, 2)
      for (const plan of plans.toReversed()) admitted += take(other, plan, 3)
      await Promise.all([one.keeper.save(), other.keeper.save(), one.store.quotas.prune(0, 9)])
    }
    await Promise.all([one.keeper.save(), other.keeper.save()])
    assert.equal(admitted, 50 * 50)
    assert.equal(sql(address, 'select sum(count), count(*) from postern.record_quotas'), '2500|100')
    for (const plan of plans) assert.equal(usedOf(one, plan), 50)
  })

  test('while nothing changes, an exchange writes nothing', async () => {
    const address = await create()
    await using one = await startNode(address, 'one')
    await using other = await startNode(address, 'other')
    group(one, other)
    take(one, planFor({}), 10)
    for (let round = 0; round < 6; round++) for (const node of [one, other]) await node.keeper.save()
    const exchanges = () => sql(address, 'select exchanges from postern.record_quota_turns')
    const before = exchanges()
    for (let round = 0; round < 6; round++) for (const node of [one, other]) await node.keeper.save()
    assert.equal(exchanges(), before)
  })

  test('a rolling quota is kept by each node, and taken over from a node that is gone by one that starts', async () => {
    const address = await create()
    const plan = planFor({ rolling: true, window_ms: HOUR_MS })
    await using one = await startNode(address, 'one')
    {
      await using gone = await startNode(address, 'gone')
      group(one, gone)
      assert.equal(take(one, plan, 10), 10)
      assert.equal(take(gone, plan, 60), 50)
      await one.keeper.save()
      await gone.keeper.save()
    }
    assert.equal(usedOf(one, plan), 10)
    await using fresh = await startNode(address, 'fresh')
    group(one, fresh)
    assert.equal(usedOf(fresh, plan), 0)
    await fresh.keeper.save()
    assert.equal(usedOf(fresh, plan), 50)
    await fresh.keeper.save()
    assert.equal(usedOf(one, plan), 10, 'that of a node that lives stays with it')
    assert.equal(
      sql(address, 'select node, sum(count) from postern.record_quotas group by node order by node'),
      'fresh|50\none|10',
    )
  })

  test('counts that were moved here from a data directory belong to the first node', async () => {
    const address = await create()
    const plan = planFor({})
    {
      await using moved = await startNode(address, '')
      take(moved, plan, 40)
      await moved.keeper.save()
    }
    await using one = await startNode(address, 'one')
    await using other = await startNode(address, 'other')
    assert.deepEqual(
      [one, other].map(({ counters }) => counters.read(plan.limits[0]!, Date.now())?.own),
      [40, 0],
    )
    assert.deepEqual([usedOf(one, plan), usedOf(other, plan)], [40, 40])
  })
})
