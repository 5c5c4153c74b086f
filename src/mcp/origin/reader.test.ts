import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OriginReader } from './reader.ts'

test('an answer that comes in single bytes is kept in few blocks', () => {
  const text = JSON.stringify({ jsonrpc: '2.0', id: '1', result: { text: 'x'.repeat(200_000) } })
  const bytes = Buffer.from(text)
  let [takes, kept] = [0, 0]
  const budget = {
    take(more: number) {
      takes++
      kept += more
      return true
    },
    give(less: number) {
      kept -= less
    },
  }
  const reader = new OriginReader('1', false, { bytesMax: bytes.length, budget }, () => assert.fail())
  reader.head(200, 'application/json')
  for (let at = 0; at < bytes.length; at++) assert.equal(reader.piece(bytes, at, at + 1), true)
  assert.ok(takes < 100, String(takes))
  assert.ok(kept >= bytes.length && kept <= 2 * bytes.length, String(kept))
  const reply = reader.end()
  assert.equal(reply.kind, 'result')
  assert.equal(reader.responseBytes, bytes.length)
  const strict = new OriginReader('1', false, { bytesMax: 10, budget }, () => assert.fail())
  strict.head(200, 'application/json')
  assert.equal(strict.piece(bytes, 0, 11), false)
  assert.deepEqual(strict.end(), { kind: 'none', status: 200, reason: 'the answer is too long' })
})
