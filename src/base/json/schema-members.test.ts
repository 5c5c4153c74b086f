import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { fieldErrorsOf } from './fault.ts'
import { membersAt } from './schema-members.ts'

const SCHEMA = z.strictObject({
  limits: z.array(z.strictObject({ max: z.int() })).default([]),
  auth: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('a'), token: z.string() }),
      z.strictObject({ type: z.literal('b'), user: z.string() }),
    ])
    .nullable()
    .optional(),
  by: z
    .record(
      z.string(),
      z.lazy(() => z.strictObject({ inner: z.string() })),
    )
    .optional(),
})

test('members are found through lists, unions, records and what wraps them', () => {
  assert.deepEqual(membersAt(SCHEMA, []), ['limits', 'auth', 'by'])
  assert.deepEqual(membersAt(SCHEMA, ['limits', 3]), ['max'])
  assert.deepEqual([...membersAt(SCHEMA, ['auth'])].sort(), ['token', 'type', 'user'])
  assert.deepEqual(membersAt(SCHEMA, ['by', 'any']), ['inner'])
  assert.deepEqual(membersAt(SCHEMA, ['none', 'x']), [])
  const circle: z.ZodType = z.union([z.lazy(() => circle), z.strictObject({ x: z.string() })])
  assert.deepEqual(membersAt(circle, []), ['x'])
})

test('an unknown member names the known one that is near', () => {
  const wrong = { limits: [{ max: 1, maxx: 2 }], ath: null, other: 1 }
  const { error } = SCHEMA.safeParse(wrong)
  assert.deepEqual(fieldErrorsOf(error!, SCHEMA), [
    { pointer: '/limits/0/maxx', reason: 'unknown member; did you mean max?' },
    { pointer: '/ath', reason: 'unknown member; did you mean auth?' },
    { pointer: '/other', reason: 'unknown member' },
  ])
  assert.equal(fieldErrorsOf(error!)[0]?.reason, 'unknown member')
})
