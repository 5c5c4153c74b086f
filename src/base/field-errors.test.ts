import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { fieldErrorsOf } from './field-errors.ts'

test('a value that is not among those there are is told with all of them', () => {
  const schema = z.strictObject({ kind: z.enum(['rate', 'quota']), type: z.literal('token') })
  assert.deepEqual(fieldErrorsOf(schema.safeParse({ kind: 'rte', type: 'jwt' }).error!), [
    { pointer: '/kind', reason: 'must be one of rate, quota' },
    { pointer: '/type', reason: 'must be token' },
  ])
  const own = z.enum(['native', 'node'], '`native` or `node`')
  assert.equal(fieldErrorsOf(own.safeParse('x').error!)[0]!.reason, '`native` or `node`')
})
