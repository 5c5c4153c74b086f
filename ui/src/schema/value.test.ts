import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mergePatch } from '../../../src/operations/engine/write-resource.ts'
import type { JsonObject } from '../../build/document.ts'
import {
  addressOf,
  at,
  changesOf,
  counted,
  entriesOf,
  isEqual,
  momentOf,
  pointerOf,
  pointerOfHash,
  pointersAround,
  readingOf,
  timeOf,
  withAt,
  writableMembers,
} from './value.ts'

const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })) as fc.Arbitrary<JsonObject>

test('what PATCH takes gives the edited resource, unless a member was removed', () => {
  fc.assert(
    fc.property(json, json, (loaded, edited) => {
      const { patch, removes } = changesOf(loaded, edited)
      if (removes) return
      assert.ok(isEqual(mergePatch(loaded, patch) as JsonObject, edited))
    }),
  )
})

test('a resource that nobody edited has no changes', () => {
  fc.assert(
    fc.property(json, (loaded) => {
      assert.deepEqual(changesOf(loaded, structuredClone(loaded)), { patch: {}, removes: false })
      assert.deepEqual(entriesOf(loaded, structuredClone(loaded)), [])
    }),
  )
})

test('a value that was set at a path is found there, and nothing else changes', () => {
  const before = { a: { list: [1, 2, 3] }, b: null }
  const after = withAt(before, ['a', 'list', 1], 'x')
  assert.deepEqual(after, { a: { list: [1, 'x', 3] }, b: null })
  assert.equal(at(after, ['a', 'list', 1]), 'x')
  assert.deepEqual(withAt(after, ['a', 'list', 0], undefined), { a: { list: ['x', 3] }, b: null })
  assert.deepEqual(before, { a: { list: [1, 2, 3] }, b: null })
})

test('absent, null, an empty text and an empty list are four values', () => {
  const values: readonly JsonObject[] = [{}, { it: null }, { it: '' }, { it: [] }]
  for (const one of values) for (const other of values) assert.equal(isEqual(one, other), one === other)
})

test('a pointer escapes what RFC 6901 reserves', () => {
  assert.equal(pointerOf(['a/b', 'm~n', 0]), '/a~1b/m~0n/0')
})

const updated_at = '2026-01-01T00:00:00.000Z'

test('of stored secrets nothing is written, and of others their source', () => {
  const secrets = {
    kept: { set: true, source: 'value', last4: 'abcd', updated_at },
    env: { set: true, source: 'env', reference: 'SECRET_ORDERS', updated_at },
    file: { set: false, source: 'file', reference: 'orders.txt', updated_at },
    vault: { set: true, source: 'vault', reference: 'secret/data/orders#token', updated_at },
  }
  assert.deepEqual(
    writableMembers({ name: 'Orders', auth: { type: 'bearer', ...secrets }, headers: [secrets] }),
    {
      name: 'Orders',
      auth: {
        type: 'bearer',
        env: { env: 'SECRET_ORDERS' },
        file: { file: 'orders.txt' },
        vault: { vault: { path: 'secret/data/orders', field: 'token' } },
      },
      headers: [
        {
          env: { env: 'SECRET_ORDERS' },
          file: { file: 'orders.txt' },
          vault: { vault: { path: 'secret/data/orders', field: 'token' } },
        },
      ],
    },
  )
})

test('everything else is written as it was read', () => {
  const value = {
    name: 'Orders',
    limits: [{ max: 1, set: true }],
    cache: null,
    tags: [],
    set: { source: 'x' },
  }
  assert.deepEqual(writableMembers(value), value)
})

test('a fragment is a pointer if it starts with a slash', () => {
  assert.equal(pointerOfHash('#/ip_allowlist'), '/ip_allowlist')
  assert.equal(pointerOfHash('#%2Fupstream%2Ftls'), '/upstream/tls')
  for (const hash of ['', '#', '#top', '#%']) assert.equal(pointerOfHash(hash), null)
})

test('the values around a pointer are tried from the nearest on', () => {
  assert.deepEqual(pointersAround('/upstream/tls/ca'), ['/upstream/tls/ca', '/upstream/tls', '/upstream'])
})

test('durations, sizes and fractions are read as people say them', () => {
  assert.equal(readingOf('duration', '5m'), '5 minutes')
  assert.equal(readingOf('duration', '1h'), '1 hour')
  assert.equal(readingOf('bytes', 10_485_760), '10 MiB')
  assert.equal(readingOf('bytes', 1536), '1.5 KiB')
  assert.equal(readingOf('fraction', 0.8), '80 %')
})

test('a time is edited in UTC to the second, and a text that is none is left to the server', () => {
  assert.equal(momentOf('2026-12-01T11:00:30+01:00'), '2026-12-01T10:00:30')
  assert.equal(momentOf(''), '')
  assert.equal(momentOf('soon'), null)
  assert.equal(timeOf('2026-12-01T10:00:30'), '2026-12-01T10:00:30Z')
  assert.equal(timeOf('2026-12-01T10:00'), '2026-12-01T10:00:00Z')
  assert.equal(timeOf(''), '')
})

test('what is no value of its unit has no reading', () => {
  assert.equal(readingOf('duration', 'soon'), null)
  assert.equal(readingOf('bytes', 12), null)
  assert.equal(readingOf('bytes', 'many'), null)
  assert.equal(readingOf(null, '5m'), null)
})

test('a resource is named by its slug, and where that is unique only below a parent, by both', () => {
  assert.equal(addressOf('policies', { id: 'pol_1', slug: 'gold', client: 'acme' }), 'gold')
  assert.equal(addressOf('proxies', { id: 'prx_1', slug: 'get', collection: 'orders' }), 'orders:get')
  assert.equal(addressOf('profiles', { id: 'pro_1', slug: 'live', client: 'acme' }), 'acme:live')
  assert.equal(addressOf('records', { id: 'req_1', collection: 'orders' }), 'req_1')
})

test('a count has the singular for one alone', () => {
  assert.equal(counted(0, 'request'), '0 requests')
  assert.equal(counted(1, 'request'), '1 request')
  assert.equal(counted(1204, 'entry', 'entries'), '1,204 entries')
})
