import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FromGateway } from '../shared/messages.ts'
import { createConsoleCallerClient } from './console.ts'

const call = (session: string) => ({
  sessions: [session],
  resource: null,
  ip: '192.0.2.1',
  userAgent: null,
  requestId: 'req_1',
})
const NETWORK = '192.0.2.1'

test('an address that sends forged sessions takes no place from a person behind it, until the session of the person ends', async () => {
  const said: FromGateway[] = []
  const callers = createConsoleCallerClient((message) => said.push(message))
  const answer = (caller: Parameters<typeof callers.answered>[1]) => {
    const last = said.at(-1)
    assert.ok(last?.kind === 'console_caller')
    callers.answered(last.id, caller)
  }
  const first = callers.ask(call('person'), NETWORK)
  answer({ ok: true, token: null })
  assert.equal((await first).ok, true)
  for (let sent = 0; sent < 100; sent++) void callers.ask(call(`forged ${sent}`), NETWORK)
  const full = await callers.ask(call('forged'), NETWORK)
  assert.deepEqual([full.ok, !full.ok && full.code], [false, 'store_unavailable'])
  const further = callers.ask(call('person'), NETWORK)
  answer({ ok: false, code: 'credential_invalid', detail: 'over' })
  assert.equal((await further).ok, false)
  const over = await callers.ask(call('person'), NETWORK)
  assert.deepEqual([over.ok, !over.ok && over.code], [false, 'store_unavailable'])
})
