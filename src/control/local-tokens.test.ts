import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startControl } from '../../test/control.ts'
import { createAccessTokens } from '../access/tokens.ts'
import { createClock, createClockCell, moveClock } from '../base/clock.ts'
import { lookupOf } from '../base/crypto/token.ts'
import { createLocalTokens } from './local-socket.ts'

test('commands that follow each other share a local token and its audit entry', async () => {
  const control = await startControl()
  const cell = createClockCell()
  const clock = createClock(cell)
  const tokens = createAccessTokens(control.store, clock)
  const issue = createLocalTokens(tokens, clock)
  const local = { role: 'admin', ttl: '5m', name: 'local command line', method: 'local_token' }
  const entries = async (): Promise<number> =>
    (await control.store.read.auditEntries({ limit: 50, operation: 'access_tokens.create' })).items.length

  const first = await issue(local)
  assert.deepEqual(await issue(local), first)
  assert.equal(await entries(), 1)
  // What a person asks for by `postern token` is their own.
  const asked = { ...local, method: 'access_token' }
  assert.notEqual((await issue(asked)).token, (await issue(asked)).token)
  assert.notEqual((await issue({ ...local, role: 'viewer' })).token, first.token)

  const second = await issue(local)
  moveClock(cell, 151_000)
  const third = await issue(local)
  assert.notEqual(third.token, second.token, 'half of its life must be left')
  await tokens.revoke(lookupOf('at', third.token)!, 'cli')
  const fourth = await issue(local)
  assert.notEqual(fourth.token, third.token, 'a revoked one is not given again')
  assert.equal((await tokens.verify(fourth.token)).authMethod, 'local_token')
  await assert.rejects(issue({ ...local, role: 'god' }), { code: 'input_invalid' })
  await control.close()
})
