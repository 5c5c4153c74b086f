import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createThrottle } from '../../shared-state/memory/throttle.ts'
import { networkOf } from '../../snapshot/find/network.ts'
import { createRequestLimits } from './request-limits.ts'

test('a source registers so many clients in a minute and no more; others, and other paths, go on', async () => {
  let now = 120_000
  const clock = { now: () => now, monotonic: () => now }
  const wait = createRequestLimits(createThrottle(clock), (ip) => ip)
  for (let count = 0; count < 60; count++) assert.equal(await wait('/oauth/register', '192.0.2.1'), 0)
  now += 10_000
  assert.equal(await wait('/oauth/register', '192.0.2.1'), 50)
  assert.equal(await wait('/oauth/register', '192.0.2.2'), 0)
  assert.equal(await wait('/oauth/token', '192.0.2.1'), 0)
  assert.equal(await wait('/oauth/jwks', '192.0.2.1'), 0)
  now += 50_000
  assert.equal(await wait('/oauth/register', '192.0.2.1'), 0)
})

test('questions about tokens are bounded, for a client that registered itself signs each of them', async () => {
  const wait = createRequestLimits(createThrottle({ now: () => 0, monotonic: () => 0 }), (ip) => ip)
  for (const path of ['/oauth/introspect', '/oauth/revoke']) {
    for (let count = 0; count < 600; count++) assert.equal(await wait(path, '192.0.2.1'), 0)
    assert.equal(await wait(path, '192.0.2.1'), 60)
    assert.equal(await wait(path, '192.0.2.2'), 0)
  }
})

test('addresses of one network are one source', async () => {
  const wait = createRequestLimits(createThrottle({ now: () => 0, monotonic: () => 0 }), networkOf)
  for (let count = 0; count < 60; count++)
    assert.equal(await wait('/oauth/register', `2001:db8::${count.toString(16)}`), 0)
  assert.equal(await wait('/oauth/register', '2001:db8::ffff:1'), 60)
  assert.equal(await wait('/oauth/register', '2001:db8:0:1::1'), 0)
})

test('the pages of all sign-ins of a source count together', async () => {
  const wait = createRequestLimits(createThrottle({ now: () => 0, monotonic: () => 0 }), networkOf)
  for (let count = 0; count < 600; count++)
    assert.equal(await wait(`/oauth/interaction/${count}/provider`, '192.0.2.1'), 0)
  assert.equal(await wait('/oauth/interaction/other', '192.0.2.1'), 60)
  assert.equal(await wait('/oauth/interaction/other', '192.0.2.2'), 0)
})
