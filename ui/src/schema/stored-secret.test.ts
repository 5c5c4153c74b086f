import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writableMembers } from './value.ts'

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
