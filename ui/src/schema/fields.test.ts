import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type JsonObject, rowsOf, schemasOf } from '../../build/document.ts'
import { columnsOf, filtersOf } from './columns.ts'
import { type Field, fieldsOf, inSentence, labelOf, markdownOf, refsOf } from './fields.ts'

const document = JSON.parse(
  readFileSync(new URL('../../../test/golden/openapi.json', import.meta.url), 'utf8'),
) as JsonObject
const schemas = schemasOf(document)

function fieldOf(schema: JsonObject): Field {
  return fieldsOf({ type: 'object', properties: { it: schema } }, {})[0]!
}

test('each operation of the document has a field for each member of its input', () => {
  const rows = Object.values(rowsOf(document))
  assert.ok(rows.length > 200)
  for (const { resource, action } of rows) {
    const { actions, $defs } = schemas[resource]!
    const input = actions[action]!.input
    const names = fieldsOf(input, $defs).map(({ name }) => name)
    assert.deepEqual(names, Object.keys((input['properties'] ?? {}) as JsonObject), `${resource}.${action}`)
  }
})

test('only members without a shape of their own are edited as JSON', () => {
  const asJson = Object.entries(schemas).flatMap(([resource, { actions, $defs }]) =>
    ['create', 'put', 'update'].flatMap((action) =>
      fieldsOf(actions[action]?.input ?? {}, $defs)
        .filter(({ kind }) => kind === 'json')
        .map(({ name }) => `${resource}.${name}`),
    ),
  )
  // JSON Schemas and examples may be any JSON; a status is a number or a range, a workflow a slug or a whole definition
  assert.deepEqual([...new Set(asJson)].sort(), [
    'exports.status',
    'proxies.request_example',
    'proxies.request_schema',
    'proxies.request_schemas',
    'proxies.response_example',
    'proxies.response_schema',
    'proxies.workflow',
  ])
})

test('a member that may be null keeps the field of its other type', () => {
  const schemas: readonly JsonObject[] = [
    { anyOf: [{ type: 'string' }, { type: 'null' }] },
    { type: ['string', 'null'] },
  ]
  for (const schema of schemas) {
    const field = fieldOf(schema)
    assert.deepEqual([field.kind, field.nullable], ['text', true])
  }
})

test('a default is known to the field and is no value', () => {
  const field = fieldOf({ type: 'integer', default: 50, 'x-postern-unit': 'ms' })
  assert.equal(field.default, 50)
  assert.equal(field.kind === 'number' && field.unit, 'ms')
})

test('objects that a constant tells apart are a variant, with the fields of each', () => {
  const field = fieldOf({
    oneOf: [
      { type: 'object', properties: { type: { const: 'none' } } },
      {
        type: 'object',
        properties: { type: { const: 'basic' }, username: { type: 'string' } },
        required: ['username'],
      },
    ],
  })
  assert.equal(field.kind, 'variant')
  assert.deepEqual(
    field.kind === 'variant' &&
      field.variants.map(({ value, fields }) => [value, fields.map(({ name }) => name)]),
    [
      ['none', []],
      ['basic', ['username']],
    ],
  )
})

test('a text or a source of it is a secret', () => {
  const { actions, $defs } = schemas['credentials']!
  const auth = fieldsOf(actions['create']!.input, $defs).find(({ name }) => name === 'auth')!
  assert.equal(auth.kind, 'variant')
  const bearer = auth.kind === 'variant' ? auth.variants.find(({ value }) => value === 'bearer') : undefined
  assert.deepEqual(
    bearer?.fields.map(({ name, kind }) => [name, kind]),
    [['token', 'secret']],
  )
})

test('each list has columns, and filters that are no parameters of paging', () => {
  for (const [resource, one] of Object.entries(schemas)) {
    if (one.actions['list'] === undefined) continue
    assert.ok(columnsOf(one).length > 0, resource)
    const names = filtersOf(one).map(({ name }) => name)
    assert.ok(!names.includes('cursor') && !names.includes('limit') && !names.includes('order'), resource)
  }
})

test('members that name other resources are known by the resource', () => {
  const ref = { type: 'string', 'x-postern-ref': 'policies' }
  const list = { type: 'array', items: { type: 'string', 'x-postern-ref': 'teams' } }
  const fields = fieldsOf(
    { type: 'object', properties: { policy: ref, teams: list, name: { type: 'string' } } },
    {},
  )
  assert.deepEqual(refsOf(fields), { policy: 'policies', teams: 'teams' })
})

test('labels are spelled as the terms are, also within a sentence', () => {
  assert.deepEqual(
    ['request_schema', 'mcp', 'graphql', 'virtual_mcps', 'x'].map((name) => [
      labelOf(name),
      inSentence(labelOf(name)),
    ]),
    [
      ['Request schema', 'request schema'],
      ['MCP', 'MCP'],
      ['GraphQL', 'GraphQL'],
      ['Virtual MCPs', 'virtual MCPs'],
      ['X', 'X'],
    ],
  )
})

test('descriptions of resources are Markdown, in forms and in answers', () => {
  for (const resource of ['collections', 'proxies', 'clients', 'policies', 'virtual_mcps']) {
    const { actions, $defs } = schemas[resource]!
    for (const shape of [actions['create']!.input, actions['get']!.output])
      assert.deepEqual(markdownOf(fieldsOf(shape, $defs)), ['description'], resource)
  }
})
