import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { fieldErrorsOf } from './fault.ts'

test('a value that is not among those there are is told with all of them', () => {
  const schema = z.strictObject({ kind: z.enum(['rate', 'quota']), type: z.literal('token') })
  assert.deepEqual(fieldErrorsOf(schema.safeParse({ kind: 'rte', type: 'jwt' }).error!), [
    { pointer: '/kind', reason: 'must be one of rate, quota' },
    { pointer: '/type', reason: 'must be token' },
  ])
  const own = z.enum(['native', 'node'], '`native` or `node`')
  assert.equal(fieldErrorsOf(own.safeParse('x').error!)[0]!.reason, '`native` or `node`')
})

test('a value of another type, length or size is told what it must be', () => {
  const schema = z.strictObject({
    name: z.string().max(3),
    text: z.string().min(1),
    limit: z.int().max(200),
    share: z.number().gt(0),
    tags: z.array(z.string()).max(1),
    active: z.boolean(),
    count: z.int(),
    labels: z.record(z.string(), z.string()),
    missing: z.string(),
    own: z.string().max(1, 'a single letter'),
  })
  const value = {
    name: 'long',
    text: '',
    limit: 500,
    share: 0,
    tags: ['a', 'b'],
    active: 'yes',
    count: 1.5,
    labels: 'none',
    own: 'ab',
  }
  const reasons = fieldErrorsOf(schema.safeParse(value).error!).map(
    ({ pointer, reason }) => `${pointer} ${reason}`,
  )
  assert.deepEqual(reasons, [
    '/name must have at most 3 characters',
    '/text must have at least 1 character',
    '/limit must be at most 200',
    '/share must be more than 0',
    '/tags must have at most 1 item',
    '/active must be true or false',
    '/count must be an integer',
    '/labels must be an object',
    '/missing required',
    '/own a single letter',
  ])
})

test('of very many faults the first hundred are named', () => {
  const strict = z.strictObject({ a: z.array(z.string()).optional() })
  const unknown = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`m${at}`, 1]))
  assert.equal(fieldErrorsOf(strict.safeParse(unknown).error!).length, 100)
  const errors = fieldErrorsOf(strict.safeParse({ a: Array.from({ length: 5000 }, () => 1) }).error!)
  assert.equal(errors.length, 100)
  assert.equal(errors.at(-1)?.pointer, '/a/99')
})
