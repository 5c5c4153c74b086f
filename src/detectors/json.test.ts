import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileAction, type Hits } from './act.ts'
import { compileDetectors } from './compile.ts'
import { actedJson } from './json.ts'

const detectors = compileDetectors([{ detector: 'pii' }, { detector: 'secrets' }])
const act = compileAction({ action: 'mask' })

function masked(value: unknown, names = false): { value: unknown; hits: Hits } {
  const hits: Hits = {}
  return { value: actedJson(value, { detectors, act, names }, hits), hits }
}

test('texts of a value are acted on, at any depth, and nothing else is changed', () => {
  const value = {
    id: 7,
    customer: { mail: 'ada@example.com', tags: ['x', 'pays 4111111111111111'] },
    at: null,
  }
  const before = structuredClone(value)
  assert.deepEqual(masked(value), {
    value: { id: 7, customer: { mail: '********@example.com', tags: ['x', 'pays ********1111'] }, at: null },
    hits: { pii: { email: 1, card: 1 } },
  })
  assert.deepEqual(value, before)
})

test('a value in which nothing is found stays the same object, and so do its parts', () => {
  const value = { a: { b: ['x', 1, true] }, c: 'ada@example.com' }
  const clean = { a: value.a }
  assert.equal(masked(clean).value, clean)
  assert.equal((masked(value).value as typeof value).a, value.a)
})

test('a card that is a number becomes a text', () => {
  assert.deepEqual(masked({ pan: 4111111111111111, total: 41111111 }), {
    value: { pan: '********1111', total: 41111111 },
    hits: { pii: { card: 1 } },
  })
})

test('the name of a member tells what its value is, also for the items of a list', () => {
  assert.deepEqual(masked({ phones: ['612345678'], quantity: '612345678', password: 'hunter2A!' }).value, {
    phones: ['********5678'],
    quantity: '612345678',
    password: '********',
  })
})

test('names of members are acted on if that is asked for, and no member is lost', () => {
  const value = { 'a@example.com': 1, 'b@example.com': 2, c: 3 }
  assert.equal(masked(value).value, value)
  assert.deepEqual(masked(value, true), {
    value: { '********@example.com': 1, '********@example.com 2': 2, c: 3 },
    hits: { pii: { email: 2 } },
  })
})

test('a member named __proto__ stays a member', () => {
  const value: unknown = JSON.parse('{"__proto__": {"mail": "ada@example.com"}}')
  const text = JSON.stringify(masked(value).value)
  assert.equal(text, '{"__proto__":{"mail":"********@example.com"}}')
})

test('a value of too many levels is refused', () => {
  let value: unknown = 'x'
  for (let level = 0; level < 1001; level++) value = [value]
  assert.throws(() => masked(value), /more than 1000 levels/)
})

test('any JSON stays JSON of the same shape', () => {
  const shape = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(shape)
      : value !== null && typeof value === 'object'
        ? Object.entries(value).map(([name, member]) => [name, shape(member)])
        : value === null || typeof value === 'boolean'
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const { value: after } = masked(value)
      assert.deepEqual(shape(JSON.parse(JSON.stringify(after))), shape(JSON.parse(JSON.stringify(value))))
    }),
  )
})
