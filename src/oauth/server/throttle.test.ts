import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createThrottle } from './throttle.ts'

test('a source registers so many clients in a minute and no more; others, and other paths, go on', () => {
  let now = 120_000
  const wait = createThrottle({ now: () => now, monotonic: () => now })
  for (let count = 0; count < 60; count++) assert.equal(wait('/oauth/register', '192.0.2.1'), 0)
  now += 10_000
  assert.equal(wait('/oauth/register', '192.0.2.1'), 50)
  assert.equal(wait('/oauth/register', '192.0.2.2'), 0)
  assert.equal(wait('/oauth/token', '192.0.2.1'), 0)
  assert.equal(wait('/oauth/jwks', '192.0.2.1'), 0)
  now += 50_000
  assert.equal(wait('/oauth/register', '192.0.2.1'), 0)
})
