import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryConnections } from '../../test/support/federation.ts'
import { createClock, createClockCell } from '../base/clock.ts'
import type { StoredConnection } from '../store/ports/connections.ts'
import { endStored, switchStored } from './stored-connections.ts'

const clock = createClock(createClockCell())

const CONNECTION: StoredConnection = {
  ...{ user: 'ada', origin: 'notes', id: 'con_1', kind: 'oauth', state: 'connected', active: true },
  ...{ account_label: 'ada@notes', issuer: 'https://as.example', scope: 'tools', sealed: 'sealed' },
  ...{ expires_at: 1, created_at: 1, updated_at: 1 },
}

async function stored(members: Partial<StoredConnection> = {}): Promise<MemoryConnections> {
  const connections = new MemoryConnections()
  await connections.put({ ...CONNECTION, ...members })
  return connections
}

for (const [what, members] of Object.entries({
  'with tokens': {},
  'whose refresh failed': { state: 'refresh_failed', sealed: '' },
  'whose tokens are in memory alone': { sealed: '' },
} satisfies Record<string, Partial<StoredConnection>>))
  test(`an active connection ${what} is removed when it ends`, async () => {
    const connections = await stored(members)
    assert.equal((await endStored(connections, 'ada', 'notes', clock))?.id, 'con_1')
    assert.equal(connections.rows.size, 0)
    assert.equal(await endStored(connections, 'ada', 'notes', clock), undefined)
  })

test('a connection that is switched off stays switched off when it ends, without tokens and under another id', async () => {
  const connections = await stored({ active: false })
  assert.equal((await endStored(connections, 'ada', 'notes', clock))?.sealed, 'sealed')
  const left = (await connections.one('ada', 'notes'))!
  assert.deepEqual([left.active, left.sealed, left.account_label, left.scope], [false, '', '', ''])
  assert.notEqual(left.id, 'con_1')
  assert.equal(await endStored(connections, 'ada', 'notes', clock), undefined)
})

test('a switch gives the connection another id, and the same switch again changes nothing', async () => {
  const connections = await stored()
  const off = (await switchStored(connections, 'ada', 'notes', false, clock))!
  assert.deepEqual([off.before.id, off.after.active, off.after.sealed], ['con_1', false, 'sealed'])
  assert.notEqual(off.after.id, 'con_1')
  const again = (await switchStored(connections, 'ada', 'notes', false, clock))!
  assert.equal(again.before, again.after)
  assert.deepEqual(await connections.one('ada', 'notes'), off.after)
  assert.equal(await switchStored(connections, 'bob', 'notes', true, clock), undefined)
})
