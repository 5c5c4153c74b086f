import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formsOf } from './tool-form.ts'

test('a schema with alternatives at its root has a form for each, with the members that all share', () => {
  const forms = formsOf({
    type: 'object',
    properties: { limit: { type: 'integer' } },
    required: ['limit'],
    anyOf: [
      { title: 'By number', properties: { number: { type: 'string' } }, required: ['number'] },
      { $ref: '#/definitions/ByName' },
    ],
    definitions: {
      ByName: { properties: { name: { $ref: '#/definitions/Name' } } },
      Name: { type: 'string' },
    },
  })
  assert.deepEqual(
    forms?.map(({ title, fields }) => [
      title,
      fields.map(({ name, kind, required }) => [name, kind, required]),
    ]),
    [
      [
        'By number',
        [
          ['limit', 'number', true],
          ['number', 'text', true],
        ],
      ],
      [
        'Alternative 2',
        [
          ['limit', 'number', true],
          ['name', 'text', false],
        ],
      ],
    ],
  )
})

test('arguments are labelled by their names', () => {
  const [form] = formsOf({ properties: { ticket_id: { type: 'string', description: 'Which' } } })!
  assert.deepEqual(
    form!.fields.map(({ label, description }) => [label, description]),
    [['ticket_id', 'Which']],
  )
})

test('a schema that is too large, too deep or without an end has no form, and never takes the page down', () => {
  let deep: object = { type: 'string' }
  for (let at = 0; at < 10_000; at++) deep = { type: 'object', properties: { a: deep } }
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`p${at}`, { type: 'string' }]))
  const loop = { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }
  const level = (next: string) => ({
    type: 'object',
    properties: Object.fromEntries(
      Array.from({ length: 50 }, (_, at) => [`p${at}`, { $ref: `#/$defs/${next}` }]),
    ),
  })
  const wide = {
    ...level('b'),
    $defs: { b: level('c'), c: level('d'), d: level('e'), e: { type: 'string' } },
  }
  for (const schema of [
    deep,
    wide,
    { properties: many },
    { properties: { x: { $ref: '#/$defs/a' } }, $defs: loop },
    { $ref: '#/$defs/a', $defs: loop },
    { anyOf: Array.from({ length: 500 }, () => ({})) },
  ])
    assert.equal(formsOf(schema as never), null)
})

test('a malformed schema has the form of what can be read', () => {
  for (const schema of [
    { properties: null },
    { properties: { x: true, y: null, z: 3 } },
    { properties: { x: { $ref: 'https://example.com/x' } } },
    { anyOf: ['x', null] },
    { type: 'array' },
  ])
    assert.notEqual(formsOf(schema as never), null, JSON.stringify(schema))
})
