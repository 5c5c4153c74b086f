import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../../test/support/long.ts'
import { createMeasure, excessOf, type Size } from './check.ts'
import { readDocument, Unreadable } from './document.ts'

function wholeSizeOf(text: string): Size {
  const document = readDocument(text)
  return createMeasure(document)(document.operations[0]!.selections)
}

function sizeOf(text: string): Pick<Size, 'depth' | 'fields' | 'introspects'> {
  const { depth, fields, introspects } = wholeSizeOf(text)
  return { depth, fields, introspects }
}

const KITCHEN = `# every construct
query Q($a: [Int!]! = [1, -2.5e3], $b: In = {x: "a\\"\\u00e9", y: """block \\""" text"""} @d, $c: ID) @live(if: true) {
  alias: field(arg: $a, list: [$b, {k: ENUM}], n: null) @include(if: $c) { a, b ...F @skip(if: false) }
  ... on Type @x { c }
  ... { d }
}
fragment F on Type @y { e { f } }
subscription S { s }
mutation M { m(input: {}) { id } }`

test('every construct of executable documents is read', () => {
  const { operations, fragments } = readDocument(KITCHEN)
  assert.deepEqual(
    operations.map(({ type, name }) => [type, name]),
    [
      ['query', 'Q'],
      ['subscription', 'S'],
      ['mutation', 'M'],
    ],
  )
  assert.deepEqual([...fragments.keys()], ['F'])
  assert.deepEqual(sizeOf(KITCHEN), { depth: 3, fields: 7, introspects: false })
})

test('depth and fields count with fragments in place, and aliases one by one', () => {
  assert.deepEqual(sizeOf('{ a }'), { depth: 1, fields: 1, introspects: false })
  assert.deepEqual(sizeOf('{ x: a y: a z: a { b } }'), { depth: 2, fields: 4, introspects: false })
  assert.deepEqual(sizeOf('{ a { ...F } ...F } fragment F on T { b { c } }'), {
    depth: 3,
    fields: 5,
    introspects: false,
  })
})

test('introspection is found wherever it hides, and the name of a type is none', () => {
  for (const text of [
    '{ __schema { types { name } } }',
    '{ harmless: __type(name: "A") { name } }',
    '{ ... { ...F } } fragment F on Query { __schema { types { name } } }',
  ])
    assert.equal(sizeOf(text).introspects, true, text)
  for (const text of ['{ __typename }', '{ __schema: a }', '{ a(x: "__schema") }', '{ a #__schema\n }'])
    assert.equal(sizeOf(text).introspects, false, text)
})

/** What tools such as GraphiQL send: the whole schema, with nine wrappers of a type. */
const ofType = (levels: number): string =>
  levels === 0 ? 'kind name' : `kind name ofType { ${ofType(levels - 1)} }`
const WHOLE_SCHEMA = `query IntrospectionQuery {
  __schema {
    description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
    types { ...FullType }
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } }
  }
}
fragment FullType on __Type {
  kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) {
    name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason
  }
  inputFields(includeDeprecated: true) { ...InputValue }
  interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue {
  name description type { ...TypeRef } defaultValue isDeprecated deprecationReason
}
fragment TypeRef on __Type { ${ofType(9)} }`

test('the introspection query of tools passes the smallest bounds where introspection is allowed', () => {
  const limits = { max_depth: 1, max_complexity: 1, introspection: true }
  const size = wholeSizeOf(WHOLE_SCHEMA)
  assert.ok(size.depth > 10 && size.fields > 150)
  assert.equal(excessOf(size, limits), null)
  assert.equal(excessOf(wholeSizeOf('{ __typename x: __type(name: "A") { name } }'), limits), null)
  assert.match(
    excessOf(size, { ...limits, introspection: false })?.reason ?? '',
    /asks for the schema, which is not shown/,
  )
})

test('an operation that selects data beside the schema keeps the bounds of the proxy', () => {
  const limits = { max_depth: 3, max_complexity: 50, introspection: true }
  for (const text of [
    '{ order { id } __schema { types { fields { name } } } }',
    '{ ...F order { id } } fragment F on Query { __schema { types { fields { name } } } }',
    '{ order { id { a { b } } } __typename }',
    '{ a { __schema { types { fields { name } } } } }',
  ])
    assert.match(excessOf(wholeSizeOf(text), limits)?.reason ?? '', /deep, and 3 is allowed/, text)
})

test('introspection has bounds of its own: fields in all, and lists of types below each other', () => {
  const limits = { max_depth: 1000, max_complexity: 100_000, introspection: true }
  const many = `{ __schema { types { ${'a: name '.repeat(1000)} } } }`
  assert.match(excessOf(wholeSizeOf(many), limits)?.reason ?? '', /with 1002 fields, and 1000 are allowed/)
  const nested =
    '{ __type(name: "A") { fields { type { fields { type { interfaces { fields { name } } } } } } } }'
  assert.match(
    excessOf(wholeSizeOf(nested), limits)?.reason ?? '',
    /lists of types 4 deep, and 3 are allowed/,
  )
})

test('descriptions of operations, fragments and variables are read, and of the short form are not', () => {
  const text = `"Reads one order" query Q("The id" $id: ID!, """block""" $n: Int) { order { ...F } }
    """Parts""" fragment F on Order { id }`
  assert.deepEqual(sizeOf(text), { depth: 2, fields: 2, introspects: false })
  for (const broken of ['"d" { a }', '"d"', '"d" "e" query { a }', 'query "d" { a }', '{ "d" a }'])
    assert.throws(() => readDocument(broken), Unreadable, broken)
})

test('fragments that multiply are counted at once', () => {
  let text = '{ ...F0 }'
  for (let i = 0; i < 400; i++) text += ` fragment F${i} on T { ...F${i + 1} ...F${i + 1} }`
  text += ' fragment F400 on T { a }'
  assert.equal(sizeOf(text).fields, 1_000_000_000)
})

test('what cannot be read, or not by everybody in the same way, is refused', () => {
  for (const text of [
    '',
    '   # nothing',
    '{',
    '{}',
    '{ a',
    '{ a } }',
    'query { a } { b }',
    'query A { a } query A { b }',
    '{ a(b:) }',
    '{ a() }',
    '{ a(b: $) }',
    '{ a(b: "x) }',
    '{ a(b: """x) }',
    '{ a(b: 01) }',
    '{ a(b: 1x) }',
    '{ a(b: "\\q") }',
    '{ a(b: "\n") }',
    '{ ...A } fragment A on T { ...A }',
    '{ ...A } fragment A on T { ...B } fragment B on T { ...A }',
    '{ ...Missing }',
    'fragment on on T { a }',
    'fragment A on T { a } fragment A on T { b } { c }',
    'type A { b: C }',
    'query ($a: Int = $b) { a }',
    '{ a } \u0000',
    '{ é }',
    `${'{ a '.repeat(300)}${'}'.repeat(300)}`,
    `{ a(b: ${'['.repeat(300)}${']'.repeat(300)}) }`,
    `{ ${'a '.repeat(30_000)} }`,
    `{ ${'#'.repeat(300_000)}\n a }`,
  ])
    assert.throws(() => sizeOf(text), Unreadable, text.slice(0, 60))
})

test('any text is read or refused, never a fault', () => {
  const words = [
    '{',
    '}',
    '(',
    ')',
    '[',
    ']',
    ':',
    '$',
    '!',
    '=',
    '@',
    '...',
    'on',
    'fragment',
    'query',
    'a',
    '1',
    '"',
  ]
  const soup = fc.array(fc.constantFrom(...words, '"""', '"x"', '#', '\n', '-', '.', '\\', 'é'), {
    maxLength: 40,
  })
  const text = fc.oneof(
    soup.map((parts) => parts.join(' ')),
    soup.map((parts) => parts.join('')),
    fc
      .tuple(fc.nat(KITCHEN.length), fc.nat(20), soup)
      .map(([at, drop, parts]) => KITCHEN.slice(0, at) + parts.join(' ') + KITCHEN.slice(at + drop)),
  )
  fc.assert(
    fc.property(text, (document) => {
      try {
        const { depth, fields } = sizeOf(document)
        assert.ok(depth >= 1 && fields >= depth)
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error
      }
    }),
    { numRuns: fuzzCases(5000) },
  )
})

test('white space, commas and comments make no difference', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(' ', '\n', '\t', ',', '\r\n', '#x"{\n', '\uFEFF'), { minLength: 1 }),
      (gaps) => {
        let n = 0
        const gap = (): string => gaps[n++ % gaps.length]!
        const tokens = ['{', 'a', '(', 'b', ':', '1', ')', '{', 'c', '}', '}']
        const text = tokens.map((token) => token + gap()).join('')
        assert.deepEqual(sizeOf(text), { depth: 2, fields: 2, introspects: false })
      },
    ),
  )
})
