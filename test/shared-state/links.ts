import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Links } from '../../src/shared-state/ports/memory.ts'

/** Two processes, or two handles of one memory. The clock is moved by hand. */
export interface LinksMade {
  readonly members: readonly [Links<{ readonly secret: string }>, Links<{ readonly secret: string }>]
  move(ms: number): void
}

/** What every implementation of `Links` keeps. @param make keeps 4 links at once, 2 of them for one owner, and refuses more */
export function testLinks(name: string, make: () => LinksMade | Promise<LinksMade>): void {
  test(`${name}: a link is looked at any number of times and taken once`, async () => {
    const { members } = await make()
    const [one, other] = members
    assert.equal(await one.put('a', { secret: 'x' }, 100_000, 'ann'), true)
    assert.deepEqual([await other.look('a'), await one.look('a')], [{ secret: 'x' }, { secret: 'x' }])
    assert.deepEqual(await other.take('a'), { secret: 'x' })
    assert.deepEqual([await one.take('a'), await one.look('a'), await one.take('b')], [null, null, null])
  })

  test(`${name}: of many who take a link at the same time, one gets its value`, async () => {
    const { members } = await make()
    await members[0].put('a', { secret: 'x' }, 100_000, null)
    const taken = await Promise.all(Array.from({ length: 20 }, (_, n) => members[n % 2]!.take('a')))
    assert.equal(taken.filter((value) => value !== null).length, 1)
  })

  test(`${name}: a link ends with its time`, async () => {
    const { members, move } = await make()
    const [links] = members
    await links.put('a', { secret: 'x' }, 100_000, 'ann')
    move(90_000)
    assert.notEqual(await links.look('a'), null)
    move(10_000)
    assert.deepEqual([await links.look('a'), await links.take('a')], [null, null])
  })

  test(`${name}: bounds hold for one owner and for all, and ended links do not count`, async () => {
    const { members, move } = await make()
    const [links] = members
    const put = (key: string, owner: string | null) => links.put(key, { secret: key }, 100_000, owner)
    assert.deepEqual(
      [await put('a', 'ann'), await put('b', 'ann'), await put('c', 'ann')],
      [true, true, false],
    )
    assert.deepEqual([await put('d', 'bob'), await put('e', null), await put('f', null)], [true, true, false])
    assert.equal(await links.look('c'), null)
    await links.take('a')
    assert.deepEqual([await put('c', 'ann'), await put('f', null)], [true, false])
    move(100_000)
    assert.deepEqual(
      [await put('g', 'ann'), await put('h', 'ann'), await put('i', 'ann')],
      [true, true, false],
    )
  })
}
