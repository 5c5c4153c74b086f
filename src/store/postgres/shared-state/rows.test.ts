/** Links and keys used once as rows: the suites of every memory, by two processes on one PostgreSQL. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testLinks } from '../../../../test/shared-state/links.ts'
import { testOnce } from '../../../../test/shared-state/once.ts'
import { onPostgres, tamperWithDatabase } from '../../../../test/support/postgres-databases.ts'
import { TcpProxy } from '../../../../test/support/tcp-proxy.ts'
import type { DatabaseAddress } from '../../../base/net/database-url.ts'
import { createKeyMemory, createSharedOnce, openKeyMemory } from '../../../shared-state/memory/key-memory.ts'
import { StoreUnavailable } from '../../ports/unavailable.ts'
import { openSharedDatabase, type SharedDatabase } from './database.ts'
import { createLinkRows, sweepLinkRows } from './links.ts'
import { createOnceRows, sweepOnceRows } from './once.ts'

const SEAL_KEY = new Uint8Array(32).fill(7)
const HOUR = 3_600_000

await onPostgres(({ create }) => {
  const opened: SharedDatabase[] = []
  after(() => Promise.all(opened.map((one) => one.close())))

  /** Two processes on one database. */
  async function two(given?: DatabaseAddress): Promise<readonly [SharedDatabase, SharedDatabase]> {
    const address = given ?? (await create())
    const pair = [await openSharedDatabase(address), await openSharedDatabase(address)] as const
    opened.push(...pair)
    for (const one of pair) one.begin()
    return pair
  }

  testLinks('rows of PostgreSQL', async () => {
    let moved = 0
    const of = (database: SharedDatabase) =>
      createLinkRows<{ readonly secret: string }>(
        database,
        'secret',
        { max: 4, ownMax: 2 },
        SEAL_KEY,
        () => moved,
      )
    const [one, other] = await two()
    return {
      members: [of(one), of(other)],
      move: (ms) => {
        moved += ms
      },
    }
  })

  testOnce('rows of PostgreSQL', async () => {
    let now = 1000
    const of = (database: SharedDatabase) => createOnceRows(database, 'used_tokens', assert.ifError)
    const [one, other] = await two()
    return {
      members: [of(one), of(other)],
      now: () => now,
      move: (ms) => {
        now += ms
      },
    }
  })

  testOnce('rows of PostgreSQL behind the memory of each process', async () => {
    let now = 1000
    const of = (database: SharedDatabase) =>
      createSharedOnce(
        openKeyMemory(createKeyMemory(1024)),
        createOnceRows(database, 'used_tokens', assert.ifError),
      )
    const [one, other] = await two()
    return {
      members: [of(one), of(other)],
      now: () => now,
      move: (ms) => {
        now += ms
      },
    }
  })

  test('where the oldest link gives way, a new link pushes out the oldest one of its kind, whoever put it', async () => {
    const [one, other] = await two()
    const of = (database: SharedDatabase, kind: 'sign_in' | 'connecting') =>
      createLinkRows<number>(database, kind, { max: 3, dropsOldest: true }, SEAL_KEY, () => 0)
    assert.equal(await of(one, 'connecting').put('0', 100, HOUR, null), true)
    for (let n = 0; n < 5; n++)
      assert.equal(await of(n % 2 === 0 ? one : other, 'sign_in').put(`${n}`, n, HOUR, null), true)
    const taken = []
    for (let n = 0; n < 5; n++) taken.push(await of(one, 'sign_in').take(`${n}`))
    assert.deepEqual(taken, [null, null, 2, 3, 4])
    assert.equal(await of(other, 'connecting').take('0'), 100)
  })

  test('bounds of links hold for processes that put links at the same time', async () => {
    const [one, other] = await two()
    const of = (database: SharedDatabase) =>
      createLinkRows<number>(database, 'secret', { max: 5, ownMax: 5 }, SEAL_KEY, () => 0)
    const put = await Promise.all(
      Array.from({ length: 20 }, (_, n) => of(n % 2 === 0 ? one : other).put(`${n}`, n, HOUR, null)),
    )
    assert.equal(put.filter((isKept) => isKept).length, 5)
  })

  test('a link is sealed in its row, and one that another key or another link has sealed is as unknown', async () => {
    const address = await create()
    const [one, other] = await two(address)
    const of = (database: SharedDatabase, key = SEAL_KEY) =>
      createLinkRows<{ readonly secret: string }>(database, 'secret', { max: 9 }, key, () => 0)
    for (const key of ['a', 'b', 'c']) await of(one).put(key, { secret: `top-secret-${key}` }, HOUR, 'ann')
    await using tamper = await tamperWithDatabase(address)
    const rows = await tamper.rows('select sealed from shared_links')
    for (const { sealed } of rows)
      assert.doesNotMatch(Buffer.from(sealed as Uint8Array).toString('latin1'), /secret/)
    const strange = of(other, new Uint8Array(32).fill(8))
    assert.deepEqual([await strange.look('a'), await strange.take('a')], [null, null])
    await tamper.execute(
      "update shared_links set sealed = (select sealed from shared_links where key = 'c') where key = 'b'",
    )
    assert.deepEqual([await of(one).look('b'), await of(one).take('b')], [null, null])
    assert.deepEqual(await of(other).take('c'), { secret: 'top-secret-c' })
  })

  test('what has ended is swept, but no key that a node with another clock could still take', async () => {
    const address = await create()
    const [one, other] = await two(address)
    const now = Date.now()
    const links = createLinkRows<number>(one, 'secret', { max: 9 }, SEAL_KEY, () => 0)
    await links.put('short', 1, HOUR, null)
    await links.put('long', 1, 3 * HOUR, null)
    const once = createOnceRows(other, 'used_replies', assert.ifError)
    await once.claim('short', now + HOUR, now)
    await once.claim('late', now + 2 * HOUR, now)
    await using tamper = await tamperWithDatabase(address)
    const left = async () => [
      (await tamper.rows('select key from shared_links')).map(({ key }) => key),
      (await tamper.rows('select count(*)::int as keys from shared_once'))[0]!['keys'],
    ]
    for (const [moved, expected] of [
      [0, [['short', 'long'], 2]],
      [2 * HOUR + 60_000, [['long'], 1]],
      [4 * HOUR, [[], 0]],
    ] as const) {
      await sweepLinkRows(one, moved)
      await sweepOnceRows(other, moved)
      assert.deepEqual(await left(), expected)
    }
  })

  test('while the database cannot be reached, no key is taken and no link given; then all go on, and no key was lost', async () => {
    const address = await create()
    await using proxy = await TcpProxy.make(address.port)
    await proxy.open()
    const [near] = await two(address)
    const [far] = await two({ ...address, port: proxy.port })
    const now = Date.now()
    const memory = openKeyMemory(createKeyMemory(1024))
    const once = createSharedOnce(memory, createOnceRows(far, 'used_tokens', assert.ifError))
    const links = createLinkRows<number>(far, 'secret', { max: 9 }, SEAL_KEY, () => 0)
    assert.equal(await once.claim('before', now + HOUR, now), 'first')
    await links.put('a', 1, HOUR, null)
    await proxy.cut()
    assert.equal(await once.claim('token', now + HOUR, now), 'unavailable')
    assert.equal(once.claim('before', now + HOUR, now), 'again', 'without the database')
    for (const ask of [() => links.look('a'), () => links.take('a'), () => links.put('b', 2, HOUR, null)])
      await assert.rejects(async () => ask(), StoreUnavailable)
    await proxy.open()
    assert.equal(await once.claim('token', now + HOUR, now), 'first')
    assert.equal(await once.claim('token', now + HOUR, now), 'again')
    assert.equal(await links.take('a'), 1)
    assert.equal(
      await createOnceRows(near, 'used_tokens', assert.ifError).claim('token', now + HOUR, now),
      'again',
    )
  })
})
