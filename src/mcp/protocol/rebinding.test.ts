import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRebindingCheck } from './rebinding.ts'

test('only loopback pages and our own origin may call', () => {
  const check = createRebindingCheck(['https://api.example.com'])
  for (const origin of [
    undefined,
    'https://api.example.com',
    'HTTPS://API.example.com',
    'http://localhost:6274',
    'http://127.0.0.1',
    'https://[::1]:3000',
    'http://tool.localhost:1',
  ])
    assert.equal(check(origin, 'api.example.com'), null, String(origin))
  for (const origin of [
    'null',
    '',
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
  ])
    assert.equal(check(origin, 'api.example.com')?.status, 403, origin)
})

test('a local gateway answers no public name', () => {
  const check = createRebindingCheck(['http://localhost:8080'])
  for (const host of [
    'localhost:8080',
    '127.0.0.1:9',
    '[::1]:8080',
    '192.168.1.5:8080',
    'postern:8080',
    'box.local',
    '',
  ])
    assert.equal(check(undefined, host), null, host)
  for (const host of [
    'evil.example.com',
    'evil.example.com:8080',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
  ])
    assert.equal(check(undefined, host)?.status, 403, host)
  assert.equal(createRebindingCheck(['https://api.example.com'])(undefined, 'other.example.com'), null)
})
