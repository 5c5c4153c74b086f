import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '../base/refusal.ts'
import { parseTokenRequest } from './local-socket.ts'

test('a lifetime that is no duration or too long is refused by its name', () => {
  for (const ttl of ['soon', '', '0s', '1.5h', '25h', 7])
    assert.throws(
      () => parseTokenRequest({ role: 'viewer', ttl }),
      (error) => error instanceof Refusal && error.code === 'input_invalid' && /\/ttl/.test(error.message),
      String(ttl),
    )
  assert.equal(parseTokenRequest({ role: 'viewer', ttl: '24h' }).ttlMs, 86_400_000)
})
