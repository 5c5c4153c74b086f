import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BackoffKey, Throttle } from '../../src/shared-state/ports/memory.ts'

/** A throttle whose clock is moved by hand; it begins at the start of a window of a minute. */
export interface ThrottleMade {
  readonly throttle: Throttle
  move(ms: number): void
}

const NAME = { kind: 'sign_in_name', isClearedBySuccess: true } as const
const SOURCE = { kind: 'sign_in_source', isClearedBySuccess: false } as const

const nameKey = (key: string): BackoffKey => ({
  ...NAME,
  key,
  backoff: { free: 2, waitMsMax: 4000, forgottenMs: 60_000 },
})
const sourceKey = (key: string): BackoffKey => ({
  ...SOURCE,
  key,
  backoff: { free: 4, waitMsMax: 8000, forgottenMs: 60_000 },
})

/** What every implementation of `Throttle` keeps. @param make a throttle without attempts */
export function testThrottle(name: string, make: () => ThrottleMade | Promise<ThrottleMade>): void {
  const waitsOf = async (throttle: Throttle, ...keys: BackoffKey[]): Promise<readonly number[] | null> => {
    const attempted = await throttle.attempt(keys)
    return attempted.admitted ? null : attempted.waitsMs.map((ms) => Math.max(0, Math.ceil(ms)))
  }
  const succeed = async (throttle: Throttle, ...keys: BackoffKey[]): Promise<void> => {
    const attempted = await throttle.attempt(keys)
    assert.ok(attempted.admitted)
    attempted.attempt.succeeded()
  }

  test(`${name}: a window admits so many attempts of a key, and the next window as many`, async () => {
    const { throttle, move } = await make()
    const key = { kind: 'oauth_request', key: 'a' } as const
    const window = { max: 3, windowMs: 60_000 }
    for (let i = 0; i < 3; i++) assert.equal(await throttle.count(key, window), 0)
    move(10_000)
    const waitMs = await throttle.count(key, window)
    assert.ok(waitMs > 49_000 && waitMs <= 50_000, `${waitMs} ms`)
    assert.equal(await throttle.count({ ...key, key: 'b' }, window), 0)
    move(waitMs)
    for (let i = 0; i < 3; i++) assert.equal(await throttle.count(key, window), 0)
    assert.ok((await throttle.count(key, window)) > 0)
  })

  test(`${name}: failures make the next attempt wait twice as long each time, up to the longest wait`, async () => {
    const { throttle, move } = await make()
    for (let i = 0; i < 2; i++) assert.equal(await waitsOf(throttle, nameKey('a')), null)
    for (const seconds of [1, 2, 4, 4]) {
      const [wait = 0] = (await waitsOf(throttle, nameKey('a'))) ?? []
      assert.ok(wait > seconds * 1000 - 500 && wait <= seconds * 1000, `${wait} ms of ${seconds} s`)
      assert.equal(await waitsOf(throttle, nameKey('b'), nameKey(`other ${seconds}`)), null)
      move(wait)
      assert.equal(await waitsOf(throttle, nameKey('a')), null)
      await succeed(throttle, nameKey('b'))
    }
    move(60_000)
    for (let i = 0; i < 2; i++) assert.equal(await waitsOf(throttle, nameKey('a')), null)
  })

  test(`${name}: while one key must wait, nothing is counted under the others`, async () => {
    const { throttle } = await make()
    for (let i = 0; i < 2; i++) await throttle.attempt([nameKey('a')])
    for (let i = 0; i < 10; i++) {
      const waits = await waitsOf(throttle, nameKey('a'), sourceKey('s'))
      assert.deepEqual([waits?.length, waits?.[1]], [2, 0])
    }
    for (let i = 0; i < 4; i++) assert.equal(await waitsOf(throttle, sourceKey('s')), null)
    assert.notEqual(await waitsOf(throttle, sourceKey('s')), null)
  })

  test(`${name}: a success clears one key and takes back this attempt under another; a withdrawal takes it back`, async () => {
    const { throttle } = await make()
    await throttle.attempt([nameKey('a'), sourceKey('s')])
    await succeed(throttle, nameKey('a'), sourceKey('s'))
    for (let i = 0; i < 2; i++) assert.equal(await waitsOf(throttle, nameKey('a')), null)
    for (let i = 0; i < 20; i++) {
      const attempted = await throttle.attempt([sourceKey('s')])
      assert.ok(attempted.admitted)
      attempted.attempt.withdraw()
    }
    for (let i = 0; i < 3; i++) assert.equal(await waitsOf(throttle, sourceKey('s')), null)
    assert.notEqual(await waitsOf(throttle, sourceKey('s')), null)
  })

  test(`${name}: keys of one kind are told apart from those of another`, async () => {
    const { throttle } = await make()
    for (let i = 0; i < 2; i++) await throttle.attempt([nameKey('a')])
    assert.equal(await waitsOf(throttle, sourceKey('a')), null)
    assert.equal(await throttle.count({ kind: 'sign_in_name', key: 'a' }, { max: 1, windowMs: 60_000 }), 0)
  })
}
