/** Idempotency keys that processes share, by processes on one PostgreSQL. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { onPostgres, tamperWithDatabase } from '../../../test/support/postgres-databases.ts'
import { TcpProxy } from '../../../test/support/tcp-proxy.ts'
import type { DatabaseAddress } from '../../base/net/database-url.ts'
import type { Claim } from '../../gateway/idempotency/keys.ts'
import { toKept } from '../../gateway/kept-answer.ts'
import type { NodeIdentity } from '../../store/ports/nodes.ts'
import type { KeyStore } from '../../store/ports/places.ts'
import { openSharedDatabase } from '../../store/postgres/shared-state/database.ts'
import { createKeyRows } from '../../store/postgres/shared-state/keys.ts'
import { createNodeTable } from '../../store/postgres/shared-state/nodes.ts'
import { openKeyStore } from '../../store/sqlite/idempotency-keys.ts'
import { openSharedKeys } from './shared-keys.ts'

const HOUR = 3_600_000
const SEAL_KEY = Buffer.alloc(32, 1)
const ANSWER = toKept(201, 'x-name: Zoë\r\n', Buffer.from('{"iban":"DE12"}\0\xff'))

await onPostgres(({ create }) => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-shared-keys-'))
  after(() => rmSync(directory, { recursive: true }))
  let files = 0
  const newFile = (): KeyStore => openKeyStore(join(directory, `${++files}.db`))

  /** One process. The clock of all is moved by hand. */
  async function start(
    address: DatabaseAddress,
    name: string,
    given: {
      readonly moved?: () => number
      readonly sealKey?: Uint8Array
      readonly file?: KeyStore
      readonly bytesMax?: number
    } = {},
  ) {
    const { moved = () => 0, sealKey = SEAL_KEY, file = newFile(), bytesMax } = given
    const database = await openSharedDatabase(address)
    database.begin()
    const table = createNodeTable(database, address)
    const facts = { version: '1', recordsWaiting: 0, skewMs: null, staleMaxMs: null }
    const heartbeat = { facts, held: { revision: 0, ended: 0 }, counted: [], isNews: false }
    const parts = new AsyncDisposableStack()
    parts.defer(() => database.close())
    let node: NodeIdentity = { id: name, epoch: 0 }
    const enter = async (): Promise<void> => {
      node = { id: name, epoch: (await table.join(name, name, name, heartbeat))! }
    }
    await enter()
    const rows = createKeyRows(database, moved)
    const { keys, kept, mend } = openSharedKeys({
      rows,
      file,
      sealKey,
      node: () => node,
      parts,
      fault: assert.ifError,
      ...(bytesMax === undefined ? {} : { bytesMax }),
    })
    /** @param thread its slot */
    const claim = async (key: string, fingerprint = 'f', thread = 0): Promise<Claim> =>
      keys.claim(key, fingerprint, thread)
    return {
      keys,
      kept,
      mend,
      rows,
      claim,
      state: async (key: string, fingerprint?: string, thread?: number) =>
        (await claim(key, fingerprint, thread)).state,
      enter,
      leave: () => table.remove(name, node.epoch),
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    }
  }

  /** The row of a node that was silent for so long. */
  async function silence(address: DatabaseAddress, name: string, seconds: number): Promise<void> {
    await using tamper = await tamperWithDatabase(address)
    await tamper.execute(
      `update shared_nodes set seen_at = clock_timestamp() - interval '${seconds} seconds' where id = '${name}'`,
    )
  }

  test('of many claims of a key at the same time, by all processes and threads, one is made', async () => {
    const address = await create()
    await using one = await start(address, 'one')
    await using other = await start(address, 'other')
    for (let round = 0; round < 10; round++) {
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? one : other).state(`cli ${round}`, 'f', n % 3)),
      )
      assert.deepEqual(claims.toSorted(), [...Array(19).fill('busy'), 'claimed'])
    }
  })

  test('a repetition on another node gets the answer, another request under the key does not, and a day later the key is free', async () => {
    const address = await create()
    let now = 0
    const moved = (): number => now
    await using one = await start(address, 'one', { moved })
    await using other = await start(address, 'other', { moved })
    assert.equal(await one.state('cli k'), 'claimed')
    assert.deepEqual([await other.state('cli k'), await other.state('cli k', 'g')], ['busy', 'conflict'])
    one.keys.settle('cli k', ANSWER, 1)
    assert.equal(await one.state('cli k'), 'busy', 'only the thread that made the request settles it')
    one.keys.settle('cli k', ANSWER, 0)
    assert.deepEqual(await one.claim('cli k'), { state: 'answered', answer: ANSWER })
    await one.mend()
    assert.deepEqual(await other.claim('cli k'), { state: 'answered', answer: ANSWER })
    assert.deepEqual(await one.claim('cli k'), { state: 'answered', answer: ANSWER })
    assert.equal(await other.state('cli k', 'g'), 'conflict')
    assert.equal(await other.state('cli unkept'), 'claimed')
    other.keys.settle('cli unkept', null, 0)
    await other.mend()
    assert.equal(await one.state('cli unkept'), 'forgotten')
    assert.equal(await other.state('cli free'), 'claimed')
    other.keys.release('cli free', 0)
    assert.equal(await other.state('cli free'), 'claimed', 'the claim waits for the release')
    now = 24 * HOUR - 60_000
    assert.equal(await other.state('cli k'), 'answered')
    now = 24 * HOUR + 60_000
    for (const key of ['cli k', 'cli unkept']) assert.equal(await other.state(key, 'g'), 'claimed')
    assert.equal(await one.state('cli free'), 'busy', 'its request is under way')
  })

  test('the request of a node that has ended, is silent or has started anew is cut off; one that is back still ends it', async () => {
    const address = await create()
    await using one = await start(address, 'one')
    await using other = await start(address, 'other')
    await using third = await start(address, 'third')
    for (const key of ['cli a', 'cli b']) assert.equal(await one.state(key), 'claimed')
    await silence(address, 'one', 9)
    assert.equal(await other.state('cli a'), 'busy')
    await silence(address, 'one', 11)
    assert.deepEqual([await other.state('cli a'), await other.state('cli a', 'g')], ['cut_off', 'conflict'])
    assert.equal(await one.state('cli a'), 'busy', 'the process knows its own requests')
    one.keys.settle('cli a', ANSWER, 0)
    await one.mend()
    assert.equal(await other.state('cli a'), 'answered')
    await one.enter()
    assert.equal(await other.state('cli b'), 'cut_off')
    assert.equal(await third.state('cli c'), 'claimed')
    await third.leave()
    assert.equal(await other.state('cli c'), 'cut_off')
  })

  test('the request of a thread that has ended is cut off for all nodes, and one that it was to make is not made', async () => {
    const address = await create()
    await using one = await start(address, 'one')
    await using other = await start(address, 'other')
    assert.equal(await one.state('cli a', 'f', 1), 'claimed')
    const claim = one.claim('cli b', 'f', 1)
    one.keys.cutOff(1)
    assert.equal((await claim).state, 'unavailable')
    await one.mend()
    for (const node of [one, other]) assert.equal(await node.state('cli a', 'f', 1), 'cut_off')
    assert.equal(await other.state('cli b'), 'claimed')
  })

  test('answers are sealed, and one that another key file has sealed is forgotten', async () => {
    const address = await create()
    await using one = await start(address, 'one')
    await using other = await start(address, 'other', { sealKey: Buffer.alloc(32, 2) })
    await one.claim('cli k')
    one.keys.settle('cli k', ANSWER, 0)
    await one.mend()
    await using tamper = await tamperWithDatabase(address)
    const [row] = await tamper.rows('select sealed from shared_keys')
    assert.doesNotMatch(Buffer.from(row!['sealed'] as Uint8Array).toString('latin1'), /iban|x-name/)
    assert.equal(await other.state('cli k'), 'forgotten')
  })

  test('while the database cannot be reached no key is claimed, this process answers for its own, and all is written later', async () => {
    const address = await create()
    await using proxy = await TcpProxy.make(address.port)
    await proxy.open()
    await using one = await start({ ...address, port: proxy.port }, 'one')
    await using other = await start(address, 'other')
    for (const key of ['cli a', 'cli b', 'cli c', 'cli d']) assert.equal(await one.state(key), 'claimed')
    await proxy.cut()
    assert.equal(await one.state('cli new'), 'unavailable')
    assert.equal(one.kept.fault?.fault, 'unreachable')
    one.keys.settle('cli a', ANSWER, 0)
    one.keys.settle('cli b', null, 0)
    one.keys.release('cli c', 0)
    await one.mend()
    assert.deepEqual(await one.claim('cli a'), { state: 'answered', answer: ANSWER })
    assert.deepEqual(
      [await one.state('cli b'), await one.state('cli d'), await one.state('cli a', 'g')],
      ['forgotten', 'busy', 'conflict'],
    )
    assert.equal(await other.state('cli a'), 'busy')
    await proxy.open()
    await one.mend()
    await one.mend()
    assert.equal(one.kept.fault, null)
    assert.deepEqual(
      [await other.state('cli a'), await other.state('cli b'), await other.state('cli d')],
      ['answered', 'forgotten', 'busy'],
    )
    for (const key of ['cli c', 'cli new']) assert.equal(await other.state(key), 'claimed')
  })

  test('a claim whose answer was lost is taken back, and those that the process knows stay', async () => {
    const address = await create()
    await using proxy = await TcpProxy.make(address.port)
    await proxy.open()
    await using one = await start({ ...address, port: proxy.port }, 'one')
    await using other = await start(address, 'other')
    assert.equal(await one.state('cli known'), 'claimed')
    proxy.judge((bytes) => (bytes.includes('insert into') ? 'after' : null))
    assert.equal(await one.state('cli lost'), 'unavailable')
    assert.equal(await other.state('cli lost'), 'busy', 'the database has it')
    proxy.judge(() => null)
    await one.mend()
    assert.deepEqual([await other.state('cli known'), await other.state('cli lost')], ['busy', 'claimed'])
    await one.mend()
    assert.equal(await one.state('cli lost'), 'busy')
  })

  test('keys of the time before the database are known in it, and the file is empty then', async () => {
    const address = await create()
    const file = newFile()
    const until = Date.now() + HOUR
    const shared = { fingerprint: 'f', until, sealed: null }
    file.save(
      [],
      [
        { key: 'cli open', ...shared, state: 'open' },
        { key: 'cli unkept', ...shared, state: 'unkept' },
        { key: 'cli old', ...shared, until: 0, state: 'unkept' },
        ...Array.from({ length: 250 }, (_, n) => ({ key: `cli ${n}`, ...shared, state: 'unkept' as const })),
      ],
    )
    await using one = await start(address, 'one', { file })
    assert.equal(await one.state('cli open'), 'cut_off')
    assert.deepEqual(
      [await one.state('cli unkept'), await one.state('cli 249'), await one.state('cli old')],
      ['forgotten', 'forgotten', 'claimed'],
    )
    assert.deepEqual(file.load(), [])
  })

  test('at the bound the oldest answers of the client with the most are forgotten, and no request that is under way', async () => {
    const address = await create()
    await using one = await start(address, 'one', { bytesMax: 40_000 })
    await using other = await start(address, 'other')
    const answer = (bytes: number) => toKept(200, '', new Uint8Array(bytes))
    const make = async (key: string, bytes: number): Promise<void> => {
      assert.equal(await one.state(key), 'claimed')
      one.keys.settle(key, answer(bytes), 0)
      await one.mend()
    }
    await make('small k', 100)
    assert.equal(await one.state('large open'), 'claimed')
    for (let n = 0; n < 30; n++) await make(`large ${n}`, 4000)
    for (const key of ['small k', 'large 29']) assert.equal(await other.state(key), 'answered', key)
    assert.equal(await other.state('large open'), 'busy')
    assert.equal(await other.state('large 0'), 'claimed')
    await using tamper = await tamperWithDatabase(address)
    const [sum] = await tamper.rows('select sum(bytes)::int as bytes from shared_keys')
    assert.ok(Number(sum!['bytes']) < 50_000, `${sum!['bytes']} bytes`)
  })
})
