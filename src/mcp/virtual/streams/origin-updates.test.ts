import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Caller } from '../../../gateway/port.ts'
import type { Member } from '../../../snapshot/find/virtual-mcps.ts'
import { createOriginUpdates, type OriginUpdatesTools } from './origin-updates.ts'

const callerOf = (client: string): Caller => ({ client: { id: client } }) as unknown as Caller

test('one client watches half of the 500 resources of an origin, and another client watches its own', () => {
  const updates = createOriginUpdates({
    gateway: { holderOf: ({ client }: Caller) => client.id },
    sharedWatch: { want() {}, onUpdated() {} },
    isPersonal: () => false,
  } as unknown as OriginUpdatesTools)
  const verdict = { capabilities: JSON.stringify({ resources: { subscribe: true } }) }
  const member = { origin: { id: 'ori_1', fragment: { verdict } }, route: {} } as unknown as Member
  const watch = (client: string, uri: string): (() => void) | null =>
    updates.watch(member, callerOf(client), uri, () => {})
  const greedy = Array.from({ length: 600 }, (_, at) => watch('greedy', `test://${at}`))
  const stops = greedy.filter((stop) => stop !== null)
  assert.equal(stops.length, 250)
  assert.notEqual(watch('acme', 'test://0'), null)
  assert.notEqual(watch('acme', 'test://acme'), null)
  for (const stop of stops) stop()
  assert.notEqual(watch('greedy', 'test://300'), null)
})
