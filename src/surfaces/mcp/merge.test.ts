import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeSchemas } from './merge.ts'

test('objects are merged part by part, and only what both require is required', () => {
  const create = {
    type: 'object',
    properties: { url: { type: 'string', maxLength: 9 }, wait: { type: 'string', default: '2s' } },
    required: ['url', 'wait'],
  }
  const update = {
    type: 'object',
    properties: { url: { type: 'string' }, more: { type: 'integer' } },
    required: ['url'],
  }
  assert.deepEqual(mergeSchemas(create, update), {
    type: 'object',
    properties: { url: { type: 'string' }, wait: { type: 'string' }, more: { type: 'integer' } },
    required: ['url'],
  })
})

test('alternatives of equal number are merged in pairs, others stand side by side', () => {
  const none = { type: 'null' }
  const a = {
    anyOf: [{ type: 'object', properties: { x: { type: 'string' } }, required: ['x'] }, none],
    description: 'D',
  }
  const b = {
    anyOf: [{ type: 'object', properties: { x: { type: 'string' } } }, none],
    description: 'D',
    default: null,
  }
  assert.deepEqual(mergeSchemas(a, b), {
    description: 'D',
    anyOf: [{ type: 'object', properties: { x: { type: 'string' } } }, none],
  })
  const text = { type: 'string', maxLength: 9 }
  assert.deepEqual(mergeSchemas({ type: 'string' }, { anyOf: [text, none] }), {
    anyOf: [{ type: 'string' }, none],
  })
  const one = { oneOf: [{ const: 'a' }, { const: 'b' }] }
  assert.deepEqual(mergeSchemas(one, { type: 'object' }), {
    anyOf: [{ const: 'a' }, { const: 'b' }, { type: 'object' }],
  })
})

test('lists, enums and scalars keep what they share', () => {
  const list = (items: object) => ({ type: 'array', maxItems: 5, items })
  assert.deepEqual(
    mergeSchemas(list({ type: 'string', minLength: 1 }), list({ type: 'string' })),
    list({ type: 'string' }),
  )
  const merged = mergeSchemas({ type: 'string', enum: ['a', 'b'] }, { type: 'string', enum: ['b', 'c'] })
  assert.deepEqual(merged, { type: 'string', enum: ['a', 'b', 'c'] })
  assert.deepEqual(mergeSchemas({ type: 'string', enum: ['a'] }, { type: 'string' }), { type: 'string' })
})
