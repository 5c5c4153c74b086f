import assert from 'node:assert/strict'
import { test } from 'node:test'
import { webhookSecretFault } from '../model/sink.ts'
import { retryAfterOf, webhookSignature } from './webhook.ts'

test('a signature is that of the example in the specification of Standard Webhooks', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
  assert.equal(
    webhookSignature(secret, id, 1_614_265_330, '{"test": 2432232314}'),
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  )
  assert.equal(webhookSecretFault(secret), null)
  for (const text of [
    'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'whsec_',
    'whsec_c2hvcnQ=',
    `whsec_${'A'.repeat(200)}`,
    'whsec_%%%',
  ])
    assert.match(webhookSecretFault(text)!, /must be whsec_/)
})

test('Retry-After is read as seconds or a time, within an hour, and anything else counts as none', () => {
  const clock = { now: () => Date.parse('2026-11-28T10:00:00Z') }
  const read = (value: string | undefined) => retryAfterOf(value, clock)
  assert.equal(read('0'), 0)
  assert.equal(read('120'), 120_000)
  assert.equal(read('Sat, 28 Nov 2026 10:05:00 GMT'), 300_000)
  assert.equal(read('Sat, 28 Nov 2026 09:00:00 GMT'), 0)
  assert.equal(read('999999999'), 3_600_000)
  for (const odd of [undefined, '', '-1', '1e9999', 'soon', 'NaN', '9'.repeat(400)])
    assert.equal(read(odd), null, String(odd))
})
