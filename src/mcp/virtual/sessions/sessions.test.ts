import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Caller } from '../../../gateway/port.ts'
import type { LinkedOrigin } from '../../../snapshot/linked-types/mcp.ts'
import { holderOf } from './sessions.ts'

const originOf = (shares: boolean): LinkedOrigin =>
  // Nothing else of it is read
  ({ fragment: shares ? { shares_sessions: true } : {} }) as LinkedOrigin

const callerOf = (subject: string): Caller =>
  ({ client: { id: 'hst_agent' }, profile: { id: 'hst_agent' }, subject }) as Caller

test('sessions are of one person at an origin with their accounts, also where it shares sessions', () => {
  for (const shares of [true, false]) {
    const of = (subject: string, connection: string): string =>
      holderOf(originOf(shares), callerOf(subject), '', true, connection, {})
    const own = of('usr_ann', 'con_1')
    assert.equal(of('usr_ann', 'con_1'), own)
    assert.notEqual(of('usr_bob', 'con_2'), own)
    // Whatever the connection is called
    assert.notEqual(of('usr_bob', 'con_1'), own)
    // Another account of the same person
    assert.notEqual(of('usr_ann', 'con_3'), own)
  }
})

test('callers of one account for all share sessions where the origin does, until the account changes', () => {
  const of = (subject: string, connection: string): string =>
    holderOf(originOf(true), callerOf(subject), 'session', false, connection, {})
  assert.equal(of('usr_ann', 'con_1'), of('usr_bob', 'con_1'))
  assert.notEqual(of('usr_ann', 'con_2'), of('usr_ann', 'con_1'))
})
