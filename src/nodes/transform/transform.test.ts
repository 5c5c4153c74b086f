import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { executed } from '../../../test/support/executed.ts'
import type { Plain } from '../../base/json/storable.ts'
import { NodeFailure } from '../run.ts'
import { transformNode } from './definition.ts'
import { readCsv, readForm, readXml, transformRun, writeCsv, writeForm, writeXml } from './run.ts'

const COMMA = { header: true, separator: ',' }
const LONG = process.env['FUZZ_LONG'] === 'true'

/** The value of a node that has these settings. */
function transformed(config: Plain, value: unknown): unknown {
  return executed(transformRun, config, { value }).outputs['value']
}

function failureOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    assert.ok(error instanceof NodeFailure, String(error))
    return error.message
  }
  assert.fail('it has a value')
}

test('members are renamed and picked in an object and in each object of a list', () => {
  const names = { a: 'b', __proto__: 'x' }
  assert.deepEqual(transformed({ op: 'rename', names }, { a: 1, c: 2 }), { b: 1, c: 2 })
  assert.deepEqual(transformed({ op: 'rename', names }, [{ a: 1 }, {}]), [{ b: 1 }, {}])
  assert.deepEqual(transformed({ op: 'pick', names: ['a', 'toString'] }, { a: 1, b: 2 }), { a: 1 })
  assert.throws(() => transformed({ op: 'pick', names: [] }, 'text'), NodeFailure)
})

test('map makes a value of each item, up to 1,000', () => {
  const config = { op: 'map', item: { id: '{{ item.n * 2 }}', text: 'n{{ item.n }}' } }
  assert.deepEqual(transformed(config, [{ n: 1 }, { n: 2 }]), [
    { id: 2, text: 'n1' },
    { id: 4, text: 'n2' },
  ])
  assert.throws(
    () =>
      transformed(
        config,
        Array.from({ length: 1001 }, () => ({ n: 1 })),
      ),
    /1000 items/,
  )
  const { error } = transformNode.config.safeParse({ op: 'map', item: { a: ['{{ other.x }}'] } })
  assert.match(error!.issues[0]!.message, /^\/a\/0 Unknown variable: other/)
})

test('formats are converted into each other', () => {
  const orders = [
    { id: '1', name: 'Tea, green' },
    { id: '2', name: 'say "hi"' },
  ]
  const csv = 'id,name\r\n1,"Tea, green"\r\n2,"say ""hi"""\r\n'
  const convert = (from: string, to: string, value: unknown) =>
    transformed({ op: 'convert', from, to }, value)
  assert.equal(convert('json', 'csv', orders), csv)
  assert.deepEqual(convert('csv', 'json', csv), orders)
  assert.deepEqual(convert('json', 'json', '{"a":1}'), { a: 1 })
  const lists = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  assert.equal(JSON.stringify(convert('json', 'json', lists(100))), lists(100))
  for (const levels of [101, 50_000])
    assert.match(
      failureOf(() => convert('json', 'json', lists(levels))),
      /more than 100 levels/,
    )
  assert.equal(
    convert('json', 'xml', {
      order: { '@id': 7, line: [{ sku: 'a<b' }, { sku: null }], '#text': 'x' },
    }),
    '<?xml version="1.0" encoding="UTF-8"?>\n<order id="7">x<line><sku>a&lt;b</sku></line><line><sku></sku></line></order>',
  )
  assert.deepEqual(
    convert(
      'xml',
      'json',
      '<o xmlns:x="u" id="7"><!-- c --><x:l>&lt;&#65;<![CDATA[&]]></x:l><x:l/><m> s </m></o>',
    ),
    { o: { '@xmlns:x': 'u', '@id': '7', 'x:l': ['<A&', ''], m: ' s ' } },
  )
  assert.equal(convert('json', 'form', { a: 'x y', b: [1, 2], c: null }), 'a=x+y&b=1&b=2')
  assert.deepEqual(convert('form', 'json', 'a=x+y&b=1&b=2&b=3'), { a: 'x y', b: ['1', '2', '3'] })
  assert.equal(convert('form', 'xml', 'a=1'), '<?xml version="1.0" encoding="UTF-8"?>\n<a>1</a>')
})

test('a document type is refused: no entity is expanded and nothing is fetched', () => {
  const laughs = Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`).join(
    '',
  )
  for (const text of [
    '<!DOCTYPE a><a/>',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>',
    '<?xml version="1.0"?><!-- --><!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]><a/>',
    `<!DOCTYPE a [<!ENTITY l0 "ha">${laughs}]><a>&l9;</a>`,
  ])
    assert.equal(
      failureOf(() => readXml(text)),
      'a document type (DOCTYPE) is not allowed',
      text,
    )
  assert.match(
    failureOf(() => readXml('<a>&secret;</a>')),
    /^value is no XML: line 1, column \d+$/,
  )
})

test('what is no XML fails with its place and no text of it, within bounds', () => {
  for (const text of [
    '',
    'x',
    '<a>',
    '<a></b>',
    '<a b=1/>',
    '<a b="1" b="2"/>',
    '<a>\u0001</a>',
    '<a/><b/>',
    '<a>&',
    '<!--',
  ])
    assert.match(
      failureOf(() => readXml(text)),
      /^value is no XML: line \d+, column \d+$/,
      text,
    )
  assert.match(
    failureOf(() => readXml('<a>'.repeat(101) + '</a>'.repeat(101))),
    /100 levels/,
  )
  assert.match(
    failureOf(() => readXml('<a>'.repeat(9000) + '</a>'.repeat(9000))),
    /100 levels/,
  )
  assert.match(
    failureOf(() => readXml(`<a>${'<b/>'.repeat(20_000)}</a>`)),
    /20000 parts/,
  )
  // The library alone takes minutes for it
  assert.deepEqual(readXml(`<a>${'\r'.repeat(1_000_000)}b</a>`), { a: `${'\n'.repeat(1_000_000)}b` })
})

test('what has no XML fails', () => {
  const deep: unknown = Array.from({ length: 120 }).reduce((inner) => ({ a: inner }), 'x')
  for (const value of [
    'x',
    [],
    {},
    { a: 1, b: 2 },
    { a: [1] },
    { 'a b': 1 },
    { a: { '@x y': 1 } },
    { a: { '@x': {} } },
    { a: '\u0000' },
    { a: '\ud800' },
    { a: [[1]] },
    { r: { a: [[1]] } },
    { '<a': 1 },
    deep,
  ])
    assert.ok(failureOf(() => writeXml(value)) !== '')
})

const NAME = fc.constantFrom('a', 'b', 'x:c', '_d', 'Ä', 'e-1.2')
const TEXT = fc.string({
  unit: fc.constantFrom('a', ' ', '<', '&', '"', "'", '\n', '\r', '\t', 'é', '🐈', ']]>'),
  maxLength: 6,
})
/** Values that the mapping gives: elements without members are text, and lists have two items or more. */
const { element } = fc.letrec<{ element: unknown }>((tie) => ({
  element: fc.oneof(
    { maxDepth: 3 },
    TEXT,
    fc
      .tuple(
        fc.dictionary(
          NAME.map((name) => `@${name}`),
          TEXT,
          { maxKeys: 2 },
        ),
        fc.dictionary(
          NAME,
          fc.oneof(tie('element'), fc.array(tie('element'), { minLength: 2, maxLength: 3 })),
          { maxKeys: 3 },
        ),
        TEXT.map((text) => text.trim()),
      )
      .map(([attributes, children, text]) => {
        if (Object.keys(attributes).length + Object.keys(children).length === 0) return text
        return { ...attributes, ...children, ...(text === '' ? {} : { '#text': text }) }
      }),
  ),
}))

test('values that were XML come back from XML as they were', () => {
  fc.assert(
    fc.property(NAME, element, (name, value) => {
      // Without prototypes that dictionaries of the generator may have
      const given = JSON.parse(JSON.stringify({ [name]: value })) as unknown
      assert.deepEqual(readXml(writeXml(given)), given)
    }),
    { numRuns: LONG ? 50_000 : 1000 },
  )
})

test('rows that were CSV come back from CSV as they were', () => {
  const field = fc.string({
    unit: fc.constantFrom('a', ' ', ',', ';', '"', '\n', '\r', 'é', '\ufeff'),
    maxLength: 5,
  })
  const lists = fc
    .integer({ min: 1, max: 4 })
    .chain((columns) =>
      fc.array(fc.array(field, { minLength: columns, maxLength: columns }), { maxLength: 5 }),
    )
  fc.assert(
    fc.property(lists, fc.constantFrom(',', ';', '\t', '|'), (rows, separator) => {
      const form = { header: false, separator }
      assert.deepEqual(readCsv(writeCsv(rows, form), form), rows)
    }),
    { numRuns: LONG ? 50_000 : 2000 },
  )
  assert.deepEqual(readCsv('\ufeffa,b\n1,\n', COMMA), [{ a: '1', b: '' }])
  assert.deepEqual(readCsv('a,b\r\n1,2', COMMA), [{ a: '1', b: '2' }])
  for (const [text, reason] of [
    ['a,b\n1', /row 1 has 1 fields/],
    ['a,a\n', /same name/],
    ['a\n"x', /not closed/],
    ['a\n"x"y', /closing quote/],
    ['a\nx"y', /quote within/],
  ] as const)
    assert.match(
      failureOf(() => readCsv(text, COMMA)),
      reason,
      text,
    )
})

test('any text has a value in a format or fails as a node does', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc
      .array(
        fc.constantFrom(
          '<a>',
          '</a>',
          '<',
          '>',
          '&',
          'amp;',
          '#x41;',
          '"',
          "'",
          '=',
          ' b="1"',
          '<![CDATA[',
          ']]>',
          '<!--',
          '-->',
          '<?',
          '?>',
          '<?xml version="1.0"?>',
          ',',
          '\n',
          '\r\n',
          'x',
          '%',
          '+',
          '/>',
          '\u0000',
          '🐈',
          '__proto__',
        ),
        { maxLength: 14 },
      )
      .map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(text, (given) => {
      for (const read of [readXml, readForm, (one: string) => readCsv(one, COMMA)])
        try {
          const value = read(given)
          if (read === readForm) writeForm(value)
        } catch (error) {
          assert.ok(error instanceof NodeFailure, `${JSON.stringify(given)}: ${String(error)}`)
        }
    }),
    { numRuns: LONG ? 200_000 : 5000 },
  )
  assert.equal(({} as { b?: unknown }).b, undefined)
})
