import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ListPromptsResultSchema,
  ListResourcesResultSchema,
  ListResourceTemplatesResultSchema,
  ListToolsResultSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import fc from 'fast-check'
import type { Plain } from '../../base/json/storable.ts'
import { CAPABILITY_TYPES, type CapabilityType, KEY_OF } from './capability.ts'
import { findingOf, findingsOf, fitItem } from './listed-item.ts'

const OBJECT = { type: 'object' }
const tool = (members: Plain = {}): Plain => ({ name: 'a', inputSchema: OBJECT, ...members })
const fitted = (item: Plain, type: CapabilityType = 'tools') => fitItem(type, item)

/** What an official client of earlier revisions does with a list; throws where it rejects the list. */
function takeList(type: CapabilityType, items: readonly Plain[]): void {
  switch (type) {
    case 'tools': {
      const { tools } = ListToolsResultSchema.parse({ tools: items })
      const validator = new AjvJsonSchemaValidator()
      for (const { outputSchema } of tools)
        if (outputSchema !== undefined) validator.getValidator(outputSchema)
      return
    }
    case 'prompts':
      ListPromptsResultSchema.parse({ prompts: items })
      return
    case 'resources':
      ListResourcesResultSchema.parse({ resources: items })
      return
    case 'resource_templates':
      ListResourceTemplatesResultSchema.parse({ resourceTemplates: items })
  }
}

test('an item that fits is passed as the same object in both eras', () => {
  const item = tool({
    title: 'A',
    description: 'Does a.',
    inputSchema: { ...OBJECT, properties: { n: { type: 'number', default: null } }, required: ['n'] },
    outputSchema: { ...OBJECT, properties: { list: { items: { $ref: '#/$defs/one' } } }, $defs: { one: {} } },
    annotations: { readOnlyHint: true },
    execution: { taskSupport: 'optional' },
    icons: [{ src: 'data:,', sizes: ['any'] }],
    _meta: { any: null },
    later: null,
  })
  const { modern, legacy } = fitted(item)
  assert.equal(modern.item, item)
  assert.equal(legacy.item, item)
  assert.equal(findingOf({ modern, legacy }), null)
})

test('null in the place of an optional member is left out', () => {
  const nulls = ['title', 'description', 'outputSchema', 'annotations', '_meta', 'icons', 'execution']
  const item = tool(Object.fromEntries(nulls.map((name) => [name, null])))
  const schema = { type: 'object', properties: null, required: null }
  const { modern } = fitted({ ...item, inputSchema: schema, annotations: { readOnlyHint: null } })
  assert.deepEqual(modern.item, { ...tool(), annotations: {} })
  assert.match(modern.repairs.join(), /null at \/title is left out/)
})

test('type: object is added to schemas without a type, and to schemas that name it among others', () => {
  for (const inputSchema of [{}, { type: null }, { type: ['object', 'null'] }, null, undefined, true])
    assert.deepEqual(fitted(tool({ inputSchema })).modern.item?.['inputSchema'], OBJECT)
  const { modern, legacy } = fitted(tool({ outputSchema: { anyOf: [OBJECT] } }))
  assert.deepEqual(modern.item?.['outputSchema'], { anyOf: [OBJECT] })
  assert.deepEqual(legacy.item?.['outputSchema'], { anyOf: [OBJECT], type: 'object' })
})

test('an output schema of another type is for clients since 2026-07-28 alone', () => {
  const item = tool({ outputSchema: { type: 'array' } })
  const { modern, legacy } = fitted(item)
  assert.equal(modern.item, item)
  assert.equal(legacy.item, null)
  assert.match(findingOf({ modern, legacy })!, /^left out for clients of revisions before 2026-07-28: it has/)
})

test('an output schema that no client can compile is left out, and the tool stays', () => {
  const broken = [
    { $ref: '#/$defs/none' },
    { $ref: 'https://example.com/schema.json' },
    { $ref: '#nowhere' },
    { properties: { a: { pattern: '(' } } },
    { properties: { a: { type: 'text' } } },
    { properties: { a: { nullable: true } } },
    { properties: { a: { items: null } } },
    { patternProperties: { '[': { type: 'string' } } },
    { properties: { a: { enum: [] } } },
  ]
  for (const members of broken) {
    const outputSchema = { ...OBJECT, ...members }
    assert.throws(() => takeList('tools', [tool({ outputSchema })]), JSON.stringify(members))
    const { modern } = fitted(tool({ outputSchema }))
    assert.deepEqual(modern.item, tool(), JSON.stringify(members))
    assert.match(modern.repairs.join(), /clients cannot compile it/)
  }
})

test('what cannot be repaired is left out, with the place', () => {
  const items: readonly (readonly [CapabilityType, Plain, RegExp])[] = [
    ['tools', tool({ description: 5 }), /no text at \/description/],
    ['tools', tool({ inputSchema: { type: 'string' } }), /another type than object at \/inputSchema/],
    ['tools', tool({ inputSchema: { ...OBJECT, required: 'a' } }), /no list at \/inputSchema\/required/],
    ['tools', tool({ annotations: { readOnlyHint: 'true' } }), /no boolean at \/annotations\/readOnlyHint/],
    ['tools', tool({ _meta: [] }), /no object at \/_meta/],
    ['prompts', { name: 'a', arguments: [{}] }, /no text at \/arguments\/0\/name/],
    ['resources', { uri: 'a:b', name: 'a', size: '5' }, /no number at \/size/],
  ]
  for (const [type, item, fault] of items) {
    const { modern, legacy } = fitted(item, type)
    assert.equal(modern.item, null)
    assert.match(findingOf({ modern, legacy })!, fault)
  }
})

test('a resource without a name is known by its title or URI, and hints that do not fit are left out', () => {
  const { modern } = fitted(
    { uri: 'a:b', name: null, icons: [{}, { src: 'data:,', theme: 'blue' }], annotations: { priority: 5 } },
    'resources',
  )
  assert.deepEqual(modern.item, { uri: 'a:b', name: 'a:b', icons: [{ src: 'data:,' }], annotations: {} })
  assert.equal(fitted({ uriTemplate: 'a:{b}', title: 'B' }, 'resource_templates').modern.item?.['name'], 'B')
})

test('items with the same finding are told of together', () => {
  const items = ['a', 'b', 'c', 'd', 'e'].map((name) => tool({ name, title: null }))
  assert.deepEqual(findingsOf('tools', [...items, tool({ name: 'f' })]), [
    'tools "a", "b", "c" and 2 more are repaired: null at /title is left out',
  ])
  assert.equal(findingsOf('tools', [{ name: { toString: 1, valueOf: 1 } }]).length, 1)
})

const value = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    1.5,
    Number.POSITIVE_INFINITY,
    'text',
    '2026-01-01T00:00:00Z',
    [],
    {},
  ),
  fc.constantFrom<unknown>(['text'], [null], [1], ['user'], { type: 'object' }, { type: 'array' }, [
    { src: 'a:' },
  ]),
)
/** What stands in `$id`: names that clients take, and those that some of them cannot read or resolve. */
const TAKEN = [
  ...[
    'a',
    '',
    '/a/b',
    '#a',
    'a#b',
    'mailto:a',
    'https://example.com/a.json',
    'http://127.0.0.1:8080/a?b=1#c',
  ],
  ...['urn:a:b', 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'tag:example.com,2026', 'file:///a', 'a/b'],
]
const REFUSED = [
  ...[
    '2026-01-01T00:00:00Z',
    '1:2',
    '+:a',
    ':a',
    ':',
    '%',
    '%zz',
    'a%41',
    'http://%zz/',
    'http://h/%zz',
    '.',
  ],
  ...[
    '//[/a',
    'http://a b/c',
    'http://[/x',
    'https://a.b:99999/x',
    'https://a.b:c/x',
    'urn:',
    'urn:a',
    'é',
    '{',
  ],
  ...['http://é/', '\\', 'a b', '<', 'a/b:c', '\u0000', '\n', '../../a', 'http://u:p@h/'],
]
const IDS = [...TAKEN, ...REFUSED]
const part: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    value,
    fc.dictionary(
      fc.constantFrom(
        'type',
        'properties',
        'required',
        'items',
        'anyOf',
        '$ref',
        '$defs',
        'pattern',
        'enum',
        'nullable',
        'minimum',
        'maxLength',
        'not',
        'additionalProperties',
        'patternProperties',
        'dependencies',
        '$id',
        '$anchor',
        'id',
        'format',
        'uniqueItems',
        'const',
        'if',
        'then',
        '$schema',
        'dependentRequired',
        'prefixItems',
        'contains',
        'multipleOf',
      ),
      fc.oneof(
        tie('schema'),
        fc.constantFrom<unknown>(
          'object',
          '#',
          '#/$defs/a',
          '#/properties/a',
          '#a',
          '^a+$',
          '(',
          'string',
          ['object', 'null'],
          ...IDS,
        ),
        fc.dictionary(fc.constantFrom('a', 'b', '['), tie('schema'), { maxKeys: 2 }),
        fc.array(tie('schema'), { maxLength: 2 }),
      ),
      { maxKeys: 4 },
    ),
  ),
})).schema
const MEMBERS = [
  'name',
  'title',
  'description',
  'inputSchema',
  'outputSchema',
  'annotations',
  'execution',
  'icons',
  '_meta',
  'uri',
  'uriTemplate',
  'mimeType',
  'size',
  'arguments',
]
const annotations = fc.dictionary(
  fc.constantFrom('title', 'readOnlyHint', 'audience', 'priority', 'lastModified'),
  value,
  { maxKeys: 2 },
)
const item = fc.dictionary(fc.constantFrom(...MEMBERS), fc.oneof(value, part, annotations), { maxKeys: 5 })

test('official clients take each item that is listed, whatever an origin has written', () => {
  fc.assert(
    fc.property(fc.constantFrom(...CAPABILITY_TYPES), item, part, (type, members, outputSchema) => {
      const whole = { [KEY_OF[type]]: 'a', ...(type === 'tools' && { outputSchema }), ...members }
      const { legacy } = fitItem(type, whole)
      // As it is sent
      if (legacy.item !== null) takeList(type, [JSON.parse(JSON.stringify(legacy.item)) as Plain])
    }),
    { numRuns: 3000 },
  )
})

test('a schema with a name that a client cannot read or resolve is left out, and others are passed', () => {
  const shapes = (id: string): readonly Plain[] => [
    { ...OBJECT, $id: id },
    { ...OBJECT, $id: id, properties: { a: { $ref: '#' } } },
    { ...OBJECT, properties: { a: { $id: id, type: 'string' } } },
    {
      ...OBJECT,
      properties: { a: { properties: { b: { $id: id, type: 'string' } } }, c: { $ref: '#/properties/a' } },
    },
  ]
  for (const id of IDS)
    for (const outputSchema of shapes(id)) {
      const { item } = fitted(tool({ outputSchema })).legacy
      assert.equal(Object.hasOwn(item!, 'outputSchema'), TAKEN.includes(id), JSON.stringify(outputSchema))
      takeList('tools', [item!])
    }
})
