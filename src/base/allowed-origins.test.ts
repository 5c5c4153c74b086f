import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAllowedOrigins } from './allowed-origins.ts'

const OWN = ['https://api.example.com', 'http://127.0.0.1:8081']
const NEVER = [
  'null',
  '',
  '*',
  'https://evil.example',
  'https://api.example.com.evil.example',
  'https://api.example.com:444',
  'http://api.example.com',
  'http://localhost.evil.example',
  'http://127.0.0.1.evil.example',
  'http://evil.example@localhost',
  'http://localhost/evil',
  'file://localhost',
  'http://localhost, http://evil.example',
]

test('without a list pages of our own origins are allowed, and those of the loopback where that is said', () => {
  const open = createAllowedOrigins(OWN, null, true)
  const closed = createAllowedOrigins(OWN, null, false)
  for (const origin of [
    'https://api.example.com',
    'HTTPS://API.example.com',
    'http://localhost:8081',
    'http://[::1]:8081',
  ])
    assert.deepEqual([open(origin), closed(origin)], [true, true], origin)
  for (const origin of [
    'http://localhost:6274',
    'http://127.0.0.1',
    'https://[::1]:3000',
    'http://tool.localhost:1',
  ])
    assert.deepEqual([open(origin), closed(origin)], [true, false], origin)
  for (const origin of NEVER) assert.deepEqual([open(origin), closed(origin)], [false, false], origin)
})

test('a list stands in the place of the loopback, beside our own origins', () => {
  const allows = createAllowedOrigins(OWN, ['https://app.example.com'], true)
  for (const origin of ['https://app.example.com', 'https://api.example.com', 'http://localhost:8081'])
    assert.equal(allows(origin), true, origin)
  for (const origin of [
    'http://localhost:6274',
    'http://app.example.com',
    'https://x.app.example.com',
    ...NEVER,
  ])
    assert.equal(allows(origin), false, origin)
})
