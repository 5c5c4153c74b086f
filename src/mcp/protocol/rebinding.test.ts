import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRebindingCheck } from './rebinding.ts'

test('a page is judged by the rule that is given, and who names none is no page', () => {
  const check = createRebindingCheck(
    ['https://api.example.com'],
    (origin) => origin === 'https://app.example.com',
  )
  assert.equal(check(undefined, 'api.example.com'), null)
  assert.equal(check('https://app.example.com', 'api.example.com'), null)
  assert.equal(check('http://localhost:6274', 'api.example.com')?.status, 403)
})

test('a local gateway answers no public name', () => {
  const check = createRebindingCheck(['http://localhost:8080'], () => true)
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
  assert.equal(
    createRebindingCheck(['https://api.example.com'], () => true)(undefined, 'other.example.com'),
    null,
  )
})
