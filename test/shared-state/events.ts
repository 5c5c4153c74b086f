import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event, Events } from '../../src/shared-state/ports/events.ts'
import { eventually } from '../support/eventually.ts'

/** What every implementation of `Events` keeps. @param make the events of that many processes, or threads */
export function testEvents(
  name: string,
  make: (count: number) => readonly Events[] | Promise<readonly Events[]>,
): void {
  const ended = (text: string): Event => ({ topic: 'session_ended', text })

  test(`${name}: an event reaches the subscribers of its topic everywhere but at its publisher, in order`, async () => {
    const members = await make(3)
    const heard: string[][] = members.map(() => [])
    for (const [index, member] of members.entries()) {
      member.subscribe('session_ended', (text) => heard[index]!.push(text))
      member.subscribe('call_cancelled', (text) => heard[index]!.push(`call ${text}`))
    }
    for (const text of ['a', 'b', 'c']) members[0]!.publish(ended(text))
    members[0]!.publish({ topic: 'call_cancelled', text: 'd' })
    await eventually(
      () => heard[1]!.length === 4 && heard[2]!.length === 4,
      () => JSON.stringify(heard),
    )
    assert.deepEqual(heard, [[], ['a', 'b', 'c', 'call d'], ['a', 'b', 'c', 'call d']])
    members[2]!.publish(ended('e'))
    await eventually(
      () => heard[0]!.length === 1 && heard[1]!.length === 5,
      () => JSON.stringify(heard),
    )
    assert.deepEqual([heard[0], heard[1]!.at(-1), heard[2]!.length], [['e'], 'e', 4])
  })

  test(`${name}: each subscription is called until it is ended`, async () => {
    const members = await make(2)
    const heard: string[] = []
    const first = members[1]!.subscribe('session_ended', (text) => heard.push(`first ${text}`))
    members[1]!.subscribe('session_ended', (text) => heard.push(`second ${text}`))
    members[0]!.publish(ended('a'))
    await eventually(
      () => heard.length === 2,
      () => heard.join(),
    )
    first()
    members[0]!.publish(ended('b'))
    await eventually(
      () => heard.length >= 3,
      () => heard.join(),
    )
    assert.deepEqual(heard, ['first a', 'second a', 'second b'])
  })
}
