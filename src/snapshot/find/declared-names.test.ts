import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flatNames, namesIn } from './declared-names.ts'

const string = { type: 'string' }

test('names are found through combined schemas, references and shared definitions', () => {
  const schema = {
    allOf: [{ properties: { first: string } }],
    anyOf: [{ $ref: '#/$defs/second' }, { $ref: '#/$defs/shared' }],
    if: { properties: { third: string } },
    dependentSchemas: { first: { properties: { fourth: string } } },
    $defs: { second: { properties: { second: { $ref: '#' } } } },
  }
  const names = namesIn(schema, { shared: { properties: { fifth: string } } })
  for (const name of ['first', 'second', 'third', 'fourth', 'fifth']) {
    assert.equal(names.fault({ [name]: 'x' }), null, name)
    assert.equal(names.fault({ [name.toUpperCase()]: 'x' })?.pointer, `/${name.toUpperCase()}`)
    assert.equal(
      names.fault({ second: { [name.toUpperCase()]: 'x' } })?.pointer,
      `/second/${name.toUpperCase()}`,
    )
  }
  assert.equal(names.fault({ other: { FIRST: 'x' } }), null)
})

test('members of lists and of maps are looked at, and keys of maps are free', () => {
  const entry = { properties: { id: string } }
  const names = namesIn({
    properties: {
      list: { items: entry },
      map: { additionalProperties: entry },
      odd: { patternProperties: { '^x': entry } },
    },
  })
  assert.equal(names.fault({ list: [{ id: 1 }, { Id: 1 }] })?.pointer, '/list/1/Id')
  assert.equal(names.fault({ map: { a: { ID: 1 } } })?.pointer, '/map/a/ID')
  assert.equal(names.fault({ odd: { x1: { ID: 1 } } })?.pointer, '/odd/x1/ID')
  assert.equal(names.fault({ map: { Id: {}, id: {}, ID: {}, __proto__: {} } }), null)
})

test('names that a schema declares in two spellings are both taken', () => {
  const names = namesIn({ properties: { id: string, Id: string } })
  assert.equal(names.fault({ id: 1, Id: 2 }), null)
  assert.notEqual(names.fault({ ID: 1 }), null)
  assert.equal(names.declares('Id'), true)
  assert.equal(names.declares('constructor'), false)
})

test('a schema or arguments made to be slow are refused, and the work is bounded', () => {
  // Each level has more subschemas about one value than are looked at
  const wide = { anyOf: Array.from({ length: 5000 }, (_, at) => ({ properties: { [`p${at}`]: string } })) }
  assert.notEqual(namesIn(wide).fault({ p1: 1 }), null)
  let deep: unknown = {}
  for (let at = 0; at < 200; at++) deep = { child: deep }
  const recursive = { properties: { child: { $ref: '#' } } }
  assert.notEqual(namesIn(recursive).fault(deep), null)
  // The sets of subschemas about one value grow with the path
  const parts = Array.from({ length: 40 }, (_, at) => ({
    properties: { a: { $ref: `#/anyOf/${(at * 7 + 1) % 40}` }, b: { $ref: `#/anyOf/${(at * 3 + 2) % 40}` } },
  }))
  const grown = namesIn({ anyOf: parts })
  let value: unknown = {}
  for (let at = 0; at < 15; at++) value = { a: value, b: value }
  grown.fault(value)
  assert.equal(namesIn({ $ref: '#' }).fault({ a: 1 }), null)
  assert.equal(namesIn({ $ref: '#/$defs/none' }).fault({ a: 1 }), null)
})

test('a value that is no object has no names', () => {
  assert.equal(namesIn(true).fault({ a: 1 }), null)
  assert.equal(namesIn(null).fault([1]), null)
  assert.equal(flatNames(['a']).fault('A'), null)
  assert.notEqual(flatNames(['a']).fault({ A: 1 }), null)
})
