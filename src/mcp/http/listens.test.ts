import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeGateway } from '../../../test/support/fake-gateway.ts'
import { holderOf } from '../../gateway/exchange.ts'
import type { Caller } from '../../gateway/port.ts'
import { createStandingStreams, type Standing } from './listens.ts'

const EACH_MAX = 100
const standing: Standing = { look: () => true, end() {} }

test('a person who opens as many streams as may be leaves others at the same host theirs; callers of one client share them', () => {
  // Only the ids of hosts are asked for
  const hosts = new Map([['hst_notes', {}]]) as never
  const gateway = { ...fakeGateway(), holderOf: (caller: Caller) => holderOf(caller, { hosts }) }
  const streams = createStandingStreams(gateway)
  const opens = (client: string, subject: string): boolean =>
    streams.open({ client: { id: client }, subject } as Caller, standing) !== null
  for (const client of ['hst_notes', 'cli_acme'])
    for (let count = 0; count < EACH_MAX; count++) assert.ok(opens(client, 'usr_ann'))
  assert.equal(opens('hst_notes', 'usr_ann'), false)
  assert.equal(opens('hst_notes', 'usr_bob'), true)
  assert.equal(opens('cli_acme', 'usr_bob'), false)
})
