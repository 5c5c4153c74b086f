import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BEYOND_BINDING } from '../../gateway/request-headers.ts'
import type { RecordFields, RecordQueue } from '../../record/fields.ts'
import type { FromGateway, RefusedCallers } from '../shared/messages.ts'
import { gatherRefusedCallers } from './refused-callers.ts'

function start() {
  const added: RecordFields[] = []
  const said: FromGateway[] = []
  const plain: RecordQueue = { add: (fields) => void added.push(fields), dropped: 0, flush() {} }
  const { queue, tell } = gatherRefusedCallers(plain, (message) => said.push(message))
  const add = (fields: Partial<RecordFields>): void =>
    // The members that are read
    queue.add({
      ...{
        surface: 2,
        code: 'credential_invalid',
        reason: 'unknown',
        ip: '203.0.113.7',
        virtualMcp: 'vmc_1',
      },
      ...{ subject: '', client: '', profile: '', credentialId: '', agent: null },
      ...fields,
    } as RecordFields)
  const told = (): readonly RefusedCallers[] => {
    tell()
    return said.flatMap((message) => (message.kind === 'refused_callers' ? message.refused : []))
  }
  return { add, told, added, said }
}

test('equal refusals are one with their number, and every record is written as before', () => {
  const { add, told, added, said } = start()
  for (let n = 0; n < 5; n++) add({})
  add({ ip: '203.0.113.8' })
  assert.deepEqual(
    told().map(({ ip, count, actor }) => [ip, count, actor]),
    [
      ['203.0.113.7', 5, null],
      ['203.0.113.8', 1, null],
    ],
  )
  assert.equal(said.length, 1)
  assert.equal(added.length, 6)
})

test('a flood from many addresses is told of in a bounded number of kinds, and none of it is lost', () => {
  const { add, told } = start()
  for (let n = 0; n < 5000; n++) add({ ip: `2001:db8::${n.toString(16)}` })
  const all = told()
  assert.ok(all.length <= 257, `${all.length} kinds`)
  assert.equal(
    all.reduce((sum, { count }) => sum + count, 0),
    5000,
  )
})

test('a caller that has proved itself is named, and one that has not never is', () => {
  const { add, told } = start()
  add({ code: 'parameter_invalid', reason: BEYOND_BINDING, credentialId: 'tok_1', client: 'hst_1' })
  add({
    code: 'parameter_invalid',
    reason: BEYOND_BINDING,
    credentialId: 'tok_1',
    client: 'hst_1',
    subject: 'usr_1',
  })
  add({ client: 'hst_1', subject: 'usr_1' })
  assert.deepEqual(
    told().map(({ actor }) => actor),
    ['hst_1', 'usr_1', null],
  )
})

test('what concerns no caller is left out: other surfaces, success, missing credentials, tokens to be refreshed', () => {
  const { add, told } = start()
  add({ surface: 0 })
  add({ code: '' })
  add({ code: 'credentials_missing', reason: '' })
  add({ code: 'credential_expired', reason: 'expired' })
  add({ code: 'rate_limit_exceeded', reason: '' })
  assert.deepEqual(told(), [])
})
