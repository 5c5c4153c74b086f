import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSourceMemory, SourceCounts } from './source-counts.ts'

const NOW = 1_800_000_000_000

test('two threads count one source together, and a place that is given back is free again', () => {
  const memory = createSourceMemory()
  const [one, two] = [new SourceCounts(memory, 0), new SourceCounts(memory, 1)]
  const first = one.enter('gateway_pending', '192.0.2.1', 2, NOW)
  assert.ok(first)
  assert.ok(two.enter('gateway_pending', '192.0.2.1', 2, NOW))
  assert.equal(one.enter('gateway_pending', '192.0.2.1', 2, NOW), null)
  assert.equal(two.enter('gateway_pending', '192.0.2.1', 2, NOW), null)
  first()
  assert.ok(two.enter('gateway_pending', '192.0.2.1', 2, NOW))
  assert.equal(one.enter('gateway_pending', '192.0.2.1', 2, NOW), null)
})

test('sources, listeners, connections and pending requests are counted apart; an IPv6 /64 is one source', () => {
  const counts = new SourceCounts(createSourceMemory(), 0)
  assert.ok(counts.enter('gateway_pending', '2001:db8:0:1::1', 1, NOW))
  assert.equal(counts.enter('gateway_pending', '2001:db8:0:1:ffff::2', 1, NOW), null)
  assert.ok(counts.enter('gateway_pending', '2001:db8:0:2::1', 1, NOW))
  assert.ok(counts.enter('gateway_pending', '192.0.2.1', 1, NOW))
  assert.equal(counts.enter('gateway_pending', '::ffff:192.0.2.1', 1, NOW), null)
  assert.ok(counts.enter('control_pending', '192.0.2.1', 1, NOW))
  assert.ok(counts.enter('gateway_connections', '192.0.2.1', 1, NOW))
  assert.ok(counts.enter('control_connections', '192.0.2.1', 1, NOW))
})

test('what a thread held is given back when it has died', () => {
  const memory = createSourceMemory()
  const main = new SourceCounts(memory, 125)
  const dead = new SourceCounts(memory, 0)
  for (let i = 0; i < 5; i++) assert.ok(dead.enter('gateway_connections', '192.0.2.1', 5, NOW))
  const other = new SourceCounts(memory, 1)
  assert.equal(other.enter('gateway_connections', '192.0.2.1', 5, NOW), null)
  main.releaseDead(0)
  for (let i = 0; i < 5; i++) assert.ok(other.enter('gateway_connections', '192.0.2.1', 5, NOW))
})

test('a source that nothing is counted for any more leaves its place to another', () => {
  const counts = new SourceCounts(createSourceMemory(), 0)
  for (let i = 0; i < 20_000; i++) {
    const ip = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
    const leave = counts.enter('control_pending', ip, 1, NOW + i * 10)
    assert.ok(leave)
    assert.equal(counts.enter('control_pending', ip, 1, NOW + i * 10), null, ip)
    leave()
  }
})
