import assert from 'node:assert/strict'
import { test } from 'node:test'
import type {
  OriginSessionPool,
  PooledSession,
  SessionKey,
} from '../../src/shared-state/ports/origin-sessions.ts'
import { eventually } from '../support/eventually.ts'

/** A pool with two members, that keeps 4 sessions: 3 of one origin, 2 of one owner there. Unused ones are kept for 1,000 ms. */
export interface PoolMade {
  readonly members: readonly [OriginSessionPool, OriginSessionPool]
  /** Ends a member without a word. */
  leave(at: 0 | 1): void
  /** The clock is moved by hand. */
  move(ms: number): void
  sweep(): void
}

const keyOf = (holder: string, given: Partial<SessionKey> = {}): SessionKey => ({
  origin: 'ori_a',
  reach: 'r1',
  holder,
  client: `client of ${holder}`,
  owner: `owner of ${holder}`,
  ownerClient: 'acme',
  ...given,
})

/** The serials of which a member is told. */
function retiredOf(pool: OriginSessionPool): string[] {
  const heard: string[] = []
  pool.onRetired(({ serial, key: { holder }, id }) => heard.push(`${serial} ${holder} ${id}`))
  return heard
}

async function open(
  pool: OriginSessionPool,
  key: SessionKey,
  id: string | null = `id ${key.holder}`,
): Promise<string> {
  const taken = await pool.take(key)
  assert.equal(taken.kind, 'open')
  const { serial } = taken as Extract<typeof taken, { kind: 'open' }>
  pool.opened(serial, id)
  return serial
}

async function held(pool: OriginSessionPool, key: SessionKey): Promise<PooledSession> {
  const taken = await pool.take(key)
  assert.equal(taken.kind, 'session', JSON.stringify(taken))
  return (taken as Extract<typeof taken, { kind: 'session' }>).session
}

const told = (heard: readonly string[], all: readonly string[]): Promise<void> =>
  eventually(
    () => heard.length >= all.length,
    () => JSON.stringify(heard),
  ).then(() => assert.deepEqual(heard, all))

/** What every implementation of `OriginSessionPool` keeps. @param make a pool without sessions */
export function testOriginSessions(name: string, make: () => PoolMade | Promise<PoolMade>): void {
  test(`${name}: of many who take a session at the same time, one opens it for all`, async () => {
    const { members } = await make()
    const taking = Array.from({ length: 20 }, async (_, n) => {
      const pool = members[n % 2]!
      const taken = await pool.take(keyOf('x'))
      if (taken.kind === 'open') pool.opened(taken.serial, 'session-1')
      return taken.kind === 'session' ? taken.session.id : taken.kind
    })
    assert.deepEqual((await Promise.all(taking)).sort(), [
      'open',
      ...Array.from({ length: 19 }, () => 'session-1'),
    ])
    assert.equal((await held(members[1], keyOf('x'))).id, 'session-1')
  })

  test(`${name}: sessions differ by origin, reach and holder, and not by owner`, async () => {
    const { members } = await make()
    await open(members[0], keyOf('x'))
    assert.equal((await held(members[1], keyOf('x', { owner: 'somebody else' }))).id, 'id x')
    for (const other of [{ origin: 'ori_b' }, { reach: 'r2' }, { holder: 'y' }])
      assert.equal((await members[1].take(keyOf('x', other))).kind, 'open')
  })

  test(`${name}: those who wait learn why a session was not opened, and the next one tries again`, async () => {
    const { members } = await make()
    const first = await members[0].take(keyOf('x'))
    const waiting = [members[1].take(keyOf('x')), members[0].take(keyOf('x'))]
    assert.equal(first.kind, 'open')
    if (first.kind === 'open') members[0].failed(first.serial, 'it is ill')
    assert.deepEqual(await Promise.all(waiting), [
      { kind: 'failed', reason: 'it is ill' },
      { kind: 'failed', reason: 'it is ill' },
    ])
    await open(members[1], keyOf('x'))
  })

  test(`${name}: when an opener ends, one of those who wait opens instead`, async () => {
    const { members, leave } = await make()
    const first = await members[0].take(keyOf('x'))
    const waiting = [members[1].take(keyOf('x')), members[1].take(keyOf('x'))]
    leave(0)
    const next = await waiting[0]!
    assert.equal(next.kind, 'open')
    // What an opener says late changes nothing
    if (first.kind === 'open') members[0].opened(first.serial, 'late')
    if (next.kind === 'open') members[1].opened(next.serial, 'id x')
    const last = await waiting[1]!
    assert.equal(last.kind === 'session' && last.session.id, 'id x')
  })

  test(`${name}: an opener that ends while nobody waits leaves nothing behind`, async () => {
    const { members, leave } = await make()
    assert.equal((await members[0].take(keyOf('x'))).kind, 'open')
    leave(0)
    await open(members[1], keyOf('x'))
  })

  test(`${name}: a session that is gone is dropped once, and nobody ends it`, async () => {
    const { members } = await make()
    const [one, other] = members
    const heard = retiredOf(other)
    const serial = await open(one, keyOf('x'))
    await held(other, keyOf('x'))
    one.gone(serial)
    await told(heard, [`${serial} x id x`])
    const again = await open(one, keyOf('x'), 'second')
    // Another call in the same session heard the same
    other.gone(serial)
    one.gone(serial)
    assert.equal((await held(other, keyOf('x'))).serial, again)
    assert.equal(await other.release(serial), false)
    assert.equal(heard.length, 1)
  })

  test(`${name}: the last holder that releases a session ends it`, async () => {
    const { members } = await make()
    const [one, other] = members
    const serial = await open(one, keyOf('x'))
    await held(other, keyOf('x'))
    assert.equal(await one.release(serial), false)
    assert.equal(await one.release(serial), false)
    // It is still there for others
    assert.equal((await held(one, keyOf('x'))).serial, serial)
    assert.deepEqual([await other.release(serial), await one.release(serial)], [false, true])
    await open(other, keyOf('x'))
  })

  test(`${name}: unused sessions are retired, and used ones are not`, async () => {
    const { members, move, sweep } = await make()
    const [one, other] = members
    const heard = [retiredOf(one), retiredOf(other)]
    const x = await open(one, keyOf('x'))
    const y = await open(one, keyOf('y'))
    await held(other, keyOf('y'))
    move(600)
    one.used(x)
    move(400)
    sweep()
    await told(heard[0]!, [`${y} y id y`])
    await told(heard[1]!, [`${y} y id y`])
    assert.equal((await held(other, keyOf('x'))).serial, x)
    assert.equal(await one.release(y), false)
    assert.equal(await other.release(y), true)
    assert.equal((await members[0].take(keyOf('y'))).kind, 'open')
  })

  test(`${name}: a member that ends leaves its sessions to the others, which end them in time`, async () => {
    const { members, leave, move, sweep } = await make()
    const heard = retiredOf(members[1])
    const serial = await open(members[0], keyOf('x'))
    const other = await open(members[0], keyOf('y'))
    leave(0)
    assert.equal((await held(members[1], keyOf('x'))).serial, serial)
    move(1000)
    sweep()
    await told(heard, [`${other} y id y`, `${serial} x id x`])
    assert.deepEqual([await members[1].release(other), await members[1].release(serial)], [true, true])
  })

  test(`${name}: a holder that ends while it should release leaves that to others`, async () => {
    const { members, leave, move, sweep } = await make()
    const heard = retiredOf(members[1])
    const serial = await open(members[0], keyOf('x'))
    move(1000)
    sweep()
    assert.deepEqual(heard, [])
    leave(0)
    await told(heard, [`${serial} x id x`])
    assert.equal(await members[1].release(serial), true)
  })

  test(`${name}: a session whose client has left is retired at once, also one that is being opened, and no other`, async () => {
    const { members } = await make()
    const [one, other] = members
    const heard = retiredOf(one)
    const x = await open(one, keyOf('x'))
    const shared = await open(one, keyOf('y', { client: '' }))
    const taken = await one.take(keyOf('z'))
    assert.equal(taken.kind, 'open')
    const { serial } = taken as Extract<typeof taken, { kind: 'open' }>
    other.clientLeft('client of x')
    other.clientLeft('')
    other.clientLeft('client of z')
    await told(heard, [`${x} x id x`])
    one.opened(serial, 'id z')
    await told(heard, [`${x} x id x`, `${serial} z id z`])
    assert.equal(await one.release(x), true)
    assert.equal((await held(other, keyOf('y', { client: '' }))).serial, shared)
  })

  test(`${name}: a session in which a task works is neither unused nor left, until the task has ended or its time is over`, async () => {
    const { members, move, sweep } = await make()
    const [one, other] = members
    const heard = retiredOf(one)
    const x = await open(one, keyOf('x'))
    const y = await open(one, keyOf('y'))
    one.taskBegan(x, 'task 1', 5000)
    one.taskBegan(x, 'task 2', 5000)
    one.taskBegan(y, 'task 1', 3000)
    move(2000)
    sweep()
    other.clientLeft('client of x')
    other.taskEnded('ori_a', 'id x', 'task 1')
    other.taskEnded('ori_a', 'id x', 'task 3')
    other.taskEnded('ori_b', 'id x', 'task 2')
    assert.equal((await held(other, keyOf('x'))).serial, x)
    assert.equal(await other.release(x), false)
    assert.deepEqual(heard, [])
    other.taskEnded('ori_a', 'id x', 'task 2')
    await told(heard, [`${x} x id x`])
    move(1000)
    sweep()
    await told(heard, [`${x} x id x`, `${y} y id y`])
  })

  test(`${name}: at a bound a session in which a task works goes last`, async () => {
    const { members } = await make()
    const [pool] = members
    const heard = retiredOf(pool)
    const a = await open(pool, keyOf('a', { owner: 'ann' }))
    const b = await open(pool, keyOf('b', { owner: 'ann' }))
    pool.taskBegan(a, 'task', 5000)
    const c = await open(pool, keyOf('c', { owner: 'ann' }))
    await told(heard, [`${b} b id b`])
    pool.taskBegan(c, 'task', 5000)
    await open(pool, keyOf('d', { owner: 'ann' }))
    await told(heard, [`${b} b id b`, `${a} a id a`])
  })

  test(`${name}: at each bound the session goes that was unused for longest`, async () => {
    const { members, move } = await make()
    const [pool] = members
    const heard = retiredOf(pool)
    const serials = new Map<string, string>()
    const add = async (holder: string, given: Partial<SessionKey> = {}): Promise<void> => {
      move(1)
      serials.set(holder, await open(pool, keyOf(holder, given)))
    }
    const said = (...holders: string[]): Promise<void> =>
      told(
        heard,
        holders.map((holder) => `${serials.get(holder)} ${holder} id ${holder}`),
      )
    await add('a', { owner: 'ann' })
    await add('b', { owner: 'ann' })
    pool.used(serials.get('a')!)
    await add('c', { owner: 'ann' })
    await said('b')
    await add('d')
    await add('e')
    await said('b', 'a')
    await add('f', { origin: 'ori_b' })
    await add('g', { origin: 'ori_b' })
    await said('b', 'a', 'c')
    assert.equal((await held(pool, keyOf('d'))).serial, serials.get('d'))
  })

  test(`${name}: a client that names many owners takes no session from a client with fewer`, async () => {
    const { members, move } = await make()
    const [pool] = members
    const heard = retiredOf(pool)
    const serials = new Map<string, string>()
    const add = async (holder: string, given: Partial<SessionKey>): Promise<void> => {
      move(1)
      serials.set(holder, await open(pool, keyOf(holder, given)))
    }
    const said = (...holders: string[]): Promise<void> =>
      told(
        heard,
        holders.map((holder) => `${serials.get(holder)} ${holder} id ${holder}`),
      )
    await add('quiet', { ownerClient: 'quiet' })
    for (const holder of ['a', 'b', 'c', 'd']) await add(holder, { ownerClient: 'loud' })
    await said('a', 'b')
    await add('e', { ownerClient: 'third' })
    await said('a', 'b', 'c')
    await add('far', { origin: 'ori_b', ownerClient: 'loud' })
    await add('farther', { origin: 'ori_b', ownerClient: 'loud' })
    await said('a', 'b', 'c', 'd')
    for (const holder of ['quiet', 'e'])
      assert.equal((await held(pool, keyOf(holder))).serial, serials.get(holder))
  })

  test(`${name}: a client whose sessions are all being opened takes none that others have open`, async () => {
    const { members } = await make()
    const [pool] = members
    const heard = retiredOf(pool)
    await open(pool, keyOf('quiet', { ownerClient: 'quiet' }))
    for (const holder of ['a', 'b'])
      assert.equal((await pool.take(keyOf(holder, { ownerClient: 'loud' }))).kind, 'open')
    assert.equal((await pool.take(keyOf('c', { ownerClient: 'loud' }))).kind, 'failed')
    assert.deepEqual(heard, [])
  })

  test(`${name}: while all that a bound allows are being opened, no other is`, async () => {
    const { members } = await make()
    for (const holder of ['a', 'b', 'c']) assert.equal((await members[0].take(keyOf(holder))).kind, 'open')
    assert.equal((await members[1].take(keyOf('d'))).kind, 'failed')
    assert.equal((await members[1].take(keyOf('d', { origin: 'ori_b' }))).kind, 'open')
  })
}
