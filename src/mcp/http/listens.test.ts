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

test('a twentieth of the streams is checked for their time at once, each within two seconds, and one whose time has passed ends', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const [asked, expired, ended] = [[] as string[], new Set<string>(), [] as string[]]
  const right = {}
  const gateway = {
    ...fakeGateway(),
    holderOf: ({ client }: Caller) => client.id,
    standingOf({ client }: Caller) {
      asked.push(client.id)
      return expired.has(client.id) ? null : [right]
    },
  }
  const streams = createStandingStreams(gateway)
  const ids = Array.from({ length: 50 }, (_, at) => `cli_${at}`)
  for (const id of ids)
    streams.open({ client: { id }, subject: '' } as Caller, { look: () => true, end: () => ended.push(id) })
  asked.length = 0
  t.mock.timers.tick(100)
  assert.deepEqual(asked, ids.slice(0, 3))
  expired.add('cli_1').add('cli_49')
  t.mock.timers.tick(2000)
  assert.deepEqual(ended.sort(), ['cli_1', 'cli_49'])
  asked.length = 0
  t.mock.timers.tick(1900)
  assert.equal(new Set(asked).size, 48)
})
