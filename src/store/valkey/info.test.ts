import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isStill, readInfo } from './info.ts'
import { slotOf } from './servers.ts'

const REDIS = `# Server\r\nredis_version:7.0.15\r\nrun_id:a1\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\nloading:0\r\n# Replication\r\nrole:master\r\nconnected_slaves:2\r\nmaster_replid:b2\r\n# Cluster\r\ncluster_enabled:0\r\n`

test('a server says which product and version it is, and what role it has', () => {
  assert.deepEqual(readInfo(REDIS), {
    product: 'Redis',
    version: '7.0.15',
    role: 'primary',
    replicas: 2,
    isCluster: false,
    isLoading: false,
    policy: 'noeviction',
    era: 'a1/b2',
  })
  const valkey = readInfo(`${REDIS}server_name:valkey\r\nvalkey_version:8.1.0\r\n`)
  assert.deepEqual([valkey.product, valkey.version], ['Valkey', '8.1.0'])
  assert.throws(() => readInfo('+OK'), /does not answer INFO/)
})

test('a server whose role or history of replication is another is no longer the same', () => {
  const info = readInfo(REDIS)
  assert.equal(isStill(info, 'role:master\r\nmaster_replid:b2\r\n'), true)
  assert.equal(isStill(info, 'role:slave\r\nmaster_replid:b2\r\n'), false)
  assert.equal(isStill(info, 'role:master\r\nmaster_replid:c3\r\n'), false)
  assert.equal(isStill(info, 7), false)
})

test('whatever a server answers to INFO is read or refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.anything()), (text) => {
      try {
        readInfo(text)
      } catch (error) {
        assert.match((error as Error).message, /does not answer INFO/)
      }
      isStill(readInfo(REDIS), text)
    }),
  )
})

// Redis cluster specification: its examples, and the test value of its CRC-16
test('the slot of a key is that of its hash tag', () => {
  assert.equal(slotOf('123456789'), 0x31c3 % 16_384)
  assert.equal(slotOf('{user1000}.following'), slotOf('{user1000}.followers'))
  assert.equal(slotOf('foo{bar}{zap}'), slotOf('bar'))
  assert.notEqual(slotOf('foo{}{bar}'), slotOf('bar'))
  assert.equal(slotOf('foo{{bar}}zap'), slotOf('{bar'))
})
