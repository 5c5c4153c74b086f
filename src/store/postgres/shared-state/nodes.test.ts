/** Nodes on one PostgreSQL: who counts whom, what changes wait for, and what happens when notices or the server are lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../../../test/support/eventually.ts'
import { onPostgres, tamperWithDatabase } from '../../../../test/support/postgres-databases.ts'
import { TcpProxy } from '../../../../test/support/tcp-proxy.ts'
import { createClock } from '../../../base/clock.ts'
import type { DatabaseAddress } from '../../../base/net/database-url.ts'
import { createNodeEvents, type NodeEvents } from '../../../fleet/main/node-events.ts'
import { createNodes, type Nodes } from '../../../fleet/main/nodes.ts'
import type { Event } from '../../../shared-state/ports/events.ts'
import { CONFIG_MIGRATIONS } from '../../migrations/config.ts'
import { withPool } from '../connection.ts'
import { migrate } from '../migrate.ts'
import { openSharedDatabase } from './database.ts'
import { createEventTable, createNodeTable } from './nodes.ts'

interface TestNode extends AsyncDisposable {
  readonly nodes: Nodes
  readonly events: NodeEvents
  /** From the others. */
  readonly heard: Event[]
  readonly log: string[]
  /** How many nodes were counted, in their order. */
  readonly counts: number[]
  readonly revised: { count: number }
  isDraining: boolean
  contacts: number
  /** Leaves without a word, as a killed process. */
  kill(): void
}

interface Starting {
  readonly id?: string
  readonly place?: string
  readonly direct?: DatabaseAddress
  readonly acknowledgeMs?: number
  readonly staleMaxMs?: number | null
}

await onPostgres(({ server, create }) => {
  async function start(
    address: DatabaseAddress,
    name: string,
    { id = name, place = name, direct = address, acknowledgeMs = 300, staleMaxMs = null }: Starting = {},
  ): Promise<TestNode> {
    const shared = await openSharedDatabase(address)
    shared.begin()
    const log: string[] = []
    let isKilled = false
    const nodes = createNodes({
      table: createNodeTable(shared, direct),
      id,
      drawId: () => `${id}-2`,
      name,
      place,
      version: '1.2.3',
      clock: createClock(),
      counted: (count) => node.counts.push(count),
      drained(isDraining) {
        node.isDraining = isDraining
      },
      seen: () => {},
      inContact: () => node.contacts++,
      staleMaxMs,
      log: (level, text) => log.push(`${level} ${text}`),
      acknowledgeMs,
    })
    const heard: Event[] = []
    const events = createNodeEvents({
      table: createEventTable(shared),
      key: new Uint8Array(32),
      self: () => nodes.group().self,
      hasOthers: () => nodes.others().length > 0,
      deliver: (event) => heard.push(event),
      log: (level, text) => log.push(`${level} ${text}`),
    })
    nodes.hear(events)
    const node: TestNode = {
      nodes,
      events,
      heard,
      log,
      counts: [],
      revised: { count: 0 },
      isDraining: false,
      contacts: 0,
      kill() {
        isKilled = true
      },
      async [Symbol.asyncDispose]() {
        if (!isKilled) await node.nodes.leave()
        await shared.close()
      },
    }
    node.nodes.watch(async () => {
      node.revised.count++
      return true
    })
    return node
  }

  /** What a node that is not heard of looks like. */
  async function silence(address: DatabaseAddress, id: string): Promise<void> {
    await using tamper = await tamperWithDatabase(address)
    await tamper.execute("update shared_nodes set seen_at = seen_at - interval '11 seconds' where id = ?", id)
  }

  const read = async ({ nodes }: TestNode) =>
    (await nodes.read()).rows.map(({ id, held, counted }) => [id, held.revision, counted.join(' ')])

  test('a node that enters is counted by every live node before it has entered, and no more once it has left', async () => {
    const address = await create()
    await using ann = await start(address, 'ann')
    await ann.nodes.enter()
    await using bob = await start(address, 'bob')
    await bob.nodes.enter()
    assert.deepEqual([ann.counts, bob.counts], [[2], [2]])
    await using cyd = await start(address, 'cyd')
    await cyd.nodes.enter()
    assert.deepEqual([ann.counts, bob.counts, cyd.counts], [[2, 3], [2, 3], [3]])
    assert.deepEqual(
      await read(ann),
      ['ann', 'bob', 'cyd'].map((id) => [id, 0, 'ann bob cyd']),
    )
    await bob.nodes.leave()
    await eventually(() => ann.counts.at(-1) === 2 && cyd.counts.at(-1) === 2)
    assert.deepEqual([ann.nodes.others(), cyd.nodes.others()], [['cyd'], ['ann']])
    assert.ok(ann.log.includes('info Node bob has left.'), ann.log.join('\n'))
  })

  test('a change waits until the others have acknowledged it, and names those that are late', async () => {
    const address = await create()
    await using ann = await start(address, 'ann')
    await using bob = await start(address, 'bob')
    await using cyd = await start(address, 'cyd')
    for (const { nodes } of [ann, bob, cyd]) await nodes.enter()
    assert.deepEqual(await ann.nodes.missing('revision', 1), ['bob', 'cyd'])
    const waiting = ann.nodes.missing('revision', 1)
    await Promise.all([bob.nodes.acknowledge('revision', 1), cyd.nodes.acknowledge('revision', 2)])
    assert.deepEqual(await waiting, [])
    assert.deepEqual(await ann.nodes.missing('revision', 2), ['bob'])
  })

  test('a silent node is named without waiting and not counted, until it is removed', async () => {
    const address = await create()
    await using ann = await start(address, 'ann', { acknowledgeMs: 60_000 })
    await using bob = await start(address, 'bob')
    for (const { nodes } of [ann, bob]) await nodes.enter()
    bob.kill()
    await silence(address, 'bob')
    await ann.nodes.beat()
    assert.equal(ann.counts.at(-1), 1)
    assert.match(ann.log.at(-1) ?? '', /^warn Node bob is silent\. Changes are pending for it/)
    const begun = performance.now()
    assert.deepEqual(await ann.nodes.missing('revision', 1), ['bob'])
    assert.ok(performance.now() - begun < 30_000)
    assert.deepEqual(await ann.nodes.missing('revision', 1), ['bob'])
    assert.equal(await ann.nodes.remove('bob'), true)
    assert.equal(await ann.nodes.remove('bob'), false)
    assert.deepEqual(await ann.nodes.missing('revision', 1), [])
  })

  test('a silent node that serves nothing without contact is not waited for once that time is over', async () => {
    const address = await create()
    await using ann = await start(address, 'ann')
    await using bob = await start(address, 'bob', { staleMaxMs: 10_000 })
    for (const { nodes } of [ann, bob]) await nodes.enter()
    bob.kill()
    await silence(address, 'bob')
    await ann.nodes.beat()
    assert.deepEqual(await ann.nodes.missing('revision', 1), ['bob'])
    await silence(address, 'bob')
    await ann.nodes.beat()
    assert.deepEqual(await ann.nodes.missing('revision', 1), [])
  })

  test('a process that starts again on its data directory takes its row, and a copied directory draws another id', async () => {
    const address = await create()
    await using ann = await start(address, 'ann')
    await ann.nodes.enter()
    await using bob = await start(address, 'bob')
    await bob.nodes.enter()
    bob.kill()
    await using again = await start(address, 'bob')
    await again.nodes.enter()
    assert.deepEqual(
      (await read(ann)).map(([id]) => id),
      ['ann', 'bob'],
    )
    await using copy = await start(address, 'cyd', { id: 'bob', place: 'elsewhere' })
    await copy.nodes.enter()
    assert.match(copy.log[0] ?? '', /^warn Another node has the id bob/)
    assert.deepEqual((await read(ann)).map(([id]) => id).toSorted(), ['ann', 'bob', 'bob-2'])
    assert.equal(ann.counts.at(-1), 3)
  })

  test('a node whose row was removed while it was alive enters again with its next heartbeat', async () => {
    const address = await create()
    await using ann = await start(address, 'ann')
    await using bob = await start(address, 'bob')
    for (const { nodes } of [ann, bob]) await nodes.enter()
    await bob.nodes.acknowledge('revision', 3)
    assert.equal(await ann.nodes.remove('bob'), false, 'it is not silent')
    {
      await using tamper = await tamperWithDatabase(address)
      await tamper.execute("delete from shared_nodes where id = 'bob'")
    }
    await bob.nodes.beat()
    assert.match(bob.log.join('\n'), /This node was removed, and enters again/)
    assert.deepEqual(await ann.nodes.missing('revision', 3), [])
    await eventually(() => ann.counts.at(-1) === 2)
  })

  test('a committed revision is told at once to every other node, and a draining node is told that it drains', async () => {
    const address = await create()
    await withPool(address, (pool) => migrate(pool, 'config', CONFIG_MIGRATIONS, ''))
    await using ann = await start(address, 'ann')
    await using bob = await start(address, 'bob')
    for (const { nodes } of [ann, bob]) await nodes.enter()
    const before = bob.revised.count
    {
      await using tamper = await tamperWithDatabase(address)
      await tamper.execute("insert into meta values ('config_revision', '1')")
      await tamper.execute("insert into meta values ('another', '1')")
    }
    await eventually(() => bob.revised.count === before + 1)
    assert.equal(await ann.nodes.drain('bob', true), true)
    await eventually(() => bob.isDraining)
    assert.equal(await ann.nodes.drain('bob', false), true)
    await eventually(() => !bob.isDraining)
    assert.equal(await ann.nodes.drain('nobody', true), false)
  })

  test('without notices everything is read with the heartbeats, and notices come again on a new connection', async () => {
    const address = await create()
    await withPool(address, (pool) => migrate(pool, 'config', CONFIG_MIGRATIONS, ''))
    await using way = await TcpProxy.make(address.port)
    await using ann = await start(address, 'ann', { direct: { ...address, port: way.port } })
    await using bob = await start(address, 'bob')
    await ann.nodes.enter()
    const entering = bob.nodes.enter()
    await eventually(async () => {
      await ann.nodes.beat()
      return ann.counts.length > 0
    })
    await entering
    assert.equal(way.connections, 0)
    await bob.nodes.drain('ann', true)
    assert.equal(ann.isDraining, false)
    await ann.nodes.beat()
    assert.equal(ann.isDraining, true)
    await way.open()
    await ann.nodes.beat()
    assert.equal(way.connections, 1)
    await bob.nodes.drain('ann', false)
    await eventually(() => !ann.isDraining)
    way.reset()
    await eventually(async () => {
      await ann.nodes.beat()
      return way.connections === 2
    })
    await bob.nodes.drain('ann', true)
    await eventually(() => ann.isDraining)
  })

  test('a connection for notices that is lost while it is made is made anew', async () => {
    const address = await create()
    await withPool(address, (pool) => migrate(pool, 'config', CONFIG_MIGRATIONS, ''))
    await using way = await TcpProxy.make(address.port)
    await way.open()
    // The first one is cut with its statement, the second one with its answer
    let cuts = 0
    way.judge((bytes) => {
      if (cuts === 2 || !bytes.includes('listen postern')) return null
      cuts++
      return cuts === 1 ? 'before' : 'after'
    })
    await using ann = await start(address, 'ann', { direct: { ...address, port: way.port } })
    await ann.nodes.enter()
    assert.equal(cuts, 1)
    await using bob = await start(address, 'bob')
    const entering = bob.nodes.enter()
    await eventually(async () => {
      await ann.nodes.beat()
      return way.connections >= 3
    })
    await entering
    await bob.nodes.drain('ann', true)
    await eventually(() => ann.isDraining)
    assert.equal(cuts, 2)
  })

  test('what one node tells reaches every other node once and in order, with notices and without', async () => {
    const address = await create()
    await using way = await TcpProxy.make(address.port)
    await way.open()
    await using ann = await start(address, 'ann')
    await using bob = await start(address, 'bob')
    await using cyd = await start(address, 'cyd', { direct: { ...address, port: way.port } })
    for (const { nodes } of [ann, bob, cyd]) await nodes.enter()
    for (const { nodes } of [ann, bob, cyd]) await nodes.beat()
    await way.cut()
    const told = Array.from({ length: 40 }, (_, index) => ({
      topic: 'log_level' as const,
      // One is too long for a notice
      text: `${index} ${'x'.repeat(index === 20 ? 200_000 : index)}`,
    }))
    for (const event of told) {
      ann.events.publish(event)
      await new Promise(setImmediate)
    }
    await eventually(() => bob.heard.length >= told.length)
    assert.deepEqual(bob.heard, told)
    assert.deepEqual(cyd.heard, [])
    await cyd.nodes.beat()
    assert.deepEqual(cyd.heard, told)
    bob.events.publish(told[0]!)
    await eventually(() => ann.heard.length > 0)
    for (const { nodes } of [ann, bob, cyd]) await nodes.beat()
    assert.deepEqual([ann.heard, bob.heard.length, cyd.heard.length], [[told[0]], 40, 41])
    const rows = server.sql('select node, sealed from postern.shared_events', address.database)
    assert.doesNotMatch(Buffer.from(rows).toString('latin1'), /log_level/)
  })

  test('events that are too many while the database cannot be reached are dropped and told of, and later ones arrive', async () => {
    const address = await create()
    await using ann = await start(address, 'ann')
    await using bob = await start(address, 'bob')
    for (const { nodes } of [ann, bob]) await nodes.enter()
    await bob.nodes.beat()
    await server.stop()
    ann.events.publish({ topic: 'session_ended', text: 'lost' })
    await eventually(() =>
      ann.log.some((line) => /^warn \d+ events of MCP sessions did not reach/.test(line)),
    )
    await server.start()
    for (const { nodes } of [ann, bob])
      await eventually(() =>
        nodes.beat().then(
          () => true,
          () => false,
        ),
      )
    ann.events.publish({ topic: 'session_ended', text: 'kept' })
    await eventually(() => bob.heard.length > 0)
    assert.deepEqual(bob.heard, [{ topic: 'session_ended', text: 'kept' }])
  })

  test('while the database cannot be reached a node goes on with what it knew, and a node that starts enters later', async () => {
    const address = await create()
    await using ann = await start(address, 'ann')
    await using bob = await start(address, 'bob')
    for (const { nodes } of [ann, bob]) await nodes.enter()
    await server.stop()
    await assert.rejects(ann.nodes.beat(), { code: 'store_unavailable' })
    assert.deepEqual([ann.counts, ann.nodes.others()], [[2], ['bob']])
    await ann.nodes.acknowledge('revision', 5)
    const contacts = ann.contacts
    await using cyd = await start(address, 'cyd')
    await cyd.nodes.enter()
    assert.deepEqual(cyd.counts, [])
    await server.start()
    await eventually(() =>
      cyd.nodes.beat().then(
        () => true,
        () => false,
      ),
    )
    await eventually(() =>
      ann.nodes.beat().then(
        () => true,
        () => false,
      ),
    )
    assert.deepEqual([cyd.counts.at(-1), ann.counts.at(-1)], [3, 3])
    await eventually(() => ann.contacts > contacts && cyd.contacts > 0)
    assert.deepEqual(await cyd.nodes.missing('revision', 5), ['bob'])
  })
})
