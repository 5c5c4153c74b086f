import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { fieldErrorsOf } from '../../base/json/fault.ts'
import { withoutPause } from '../../base/threads/time-slices.ts'
import { applyConfig, diffConfig } from '../config/apply.ts'
import { parsePaused } from './parse-input.ts'

const clients = (count: number): unknown[] =>
  Array.from({ length: count }, (_, at) => ({ kind: 'client', slug: `c${at}`, spec: { name: `C ${at}` } }))

/** How often it pauses, and its end. */
function counted(schema: z.ZodObject, input: unknown) {
  const steps = parsePaused(schema, input)
  let pauses = 0
  let step = steps.next()
  for (; step.done !== true; step = steps.next()) pauses++
  return { pauses, result: step.value }
}

test('what a schema accepts is accepted the same, with a pause after each 500 items of a long list', () => {
  for (const [{ input: schema }, input, least] of [
    [applyConfig, { documents: clients(20) }, 0],
    [applyConfig, { documents: clients(20_000), managed_by: 'team' }, 40],
    [diffConfig, { documents: [...clients(900), 'kind: client'], against: clients(1300) }, 5],
    [diffConfig, { documents: clients(501) }, 2],
  ] as const) {
    const { pauses, result } = counted(schema, input)
    assert.ok(pauses >= least, `${pauses}`)
    assert.deepEqual(result.data, schema.parse(input))
  }
})

test('what a schema refuses is refused at the same places', () => {
  const many: readonly unknown[] = clients(2000)
  for (const input of [
    { documents: many.with(700, 5) },
    { documents: many.with(1999, null), take_over: 1 },
    { documents: many, manages: true },
    { documents: many, against: [7] },
    { documents: many, managed_by: '' },
    { documents: 'none' },
    {},
    [],
    null,
  ]) {
    const expected = diffConfig.input.safeParse(input)
    const { error } = withoutPause(parsePaused(diffConfig.input, input))
    assert.deepEqual(fieldErrorsOf(error!), fieldErrorsOf(expected.error!))
  }
})

test('the bounds of a long list count, and of its faults those of the first part that has some are told', () => {
  const schema = z.strictObject({ items: z.array(z.string()).max(1200) })
  const tooLong = withoutPause(parsePaused(schema, { items: Array.from({ length: 1201 }, () => 'a') }))
  assert.deepEqual(fieldErrorsOf(tooLong.error!), [
    { pointer: '/items', reason: 'must have at most 1200 items' },
  ])
  const { pauses, result } = counted(schema, {
    items: Array.from({ length: 1100 }, (_, at) => (at < 600 ? 'a' : at)),
  })
  assert.equal(fieldErrorsOf(result.error!)[0]?.pointer, '/items/600')
  assert.equal(result.error?.issues.length, 400)
  assert.equal(pauses, 3)
})
