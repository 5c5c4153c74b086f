import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Once } from '../../src/shared-state/ports/memory.ts'

/** Two processes, or threads, with one memory. The clock is moved by hand. */
export interface OnceMade {
  readonly members: readonly [Once, Once]
  now(): number
  move(ms: number): void
}

/** What every implementation of `Once` keeps. @param make a memory without keys */
export function testOnce(name: string, make: () => OnceMade | Promise<OnceMade>): void {
  test(`${name}: a key is claimed once by all processes, and again after its time`, async () => {
    const { members, now, move } = await make()
    const [one, other] = members
    const until = now() + 1000
    assert.equal(await one.claim('a', until, now()), 'first')
    assert.equal(await other.claim('a', until, now()), 'again')
    assert.equal(await one.claim('a', until, now()), 'again')
    assert.equal(await other.claim('b', until, now()), 'first')
    move(999)
    assert.equal(await other.claim('a', now() + 5000, now()), 'again')
    move(1)
    assert.equal(await other.claim('a', now() + 5000, now()), 'first')
    assert.equal(await one.claim('a', now() + 5000, now()), 'again')
  })

  test(`${name}: of many claims at the same time, one is the first`, async () => {
    const { members, now } = await make()
    const claims = await Promise.all(
      Array.from({ length: 40 }, (_, n) => members[n % 2]!.claim('a', now() + 1000, now())),
    )
    assert.equal(claims.filter((claimed) => claimed === 'first').length, 1)
  })

  test(`${name}: keys of any text are told apart`, async () => {
    const { members, now } = await make()
    const keys = ['', ' ', 'a', 'a\n', 'A', 'ä', '{a}', 'a'.repeat(10_000), `${'a'.repeat(10_000)}b`]
    for (const key of keys) assert.equal(await members[0].claim(key, now() + 1000, now()), 'first', key)
    for (const key of keys) assert.equal(await members[1].claim(key, now() + 1000, now()), 'again', key)
  })
}
