import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ExpressionFailure } from '../../base/expression/expression.ts'
import { linkTemplate, type Template } from '../../base/expression/template.ts'
import { valueReader } from './expression.ts'
import { readTemplate } from './template.ts'

const NAMES = ['http', 'call']
const read = valueReader(Object.fromEntries(NAMES.map((name) => [name, 'dyn'])))
const VALUES = {
  http: { request: { body: { count: 3, price: 2.5, name: 'Tea', list: [1, 2, 3], none: null } } },
  call: { status: 200 },
}

function filled(value: unknown): unknown {
  const { template, faults } = readTemplate(value, read)
  assert.deepEqual(faults, [])
  // As a fragment carries it
  return linkTemplate(JSON.parse(JSON.stringify(template)) as Template, NAMES).fill(VALUES)
}
const failure = (value: string): string => {
  try {
    filled(value)
  } catch (error) {
    assert.ok(error instanceof ExpressionFailure)
    return error.message
  }
  assert.fail(`${value} has a value`)
}

test('a text that is one expression keeps the type of its value; text around expressions is text', () => {
  assert.equal(filled('{{ $.call.status }}'), 200)
  assert.deepEqual(filled('{{ $.http.request.body.list }}'), [1, 2, 3])
  assert.equal(filled('{{ $.http.request.body.none }}'), null)
  assert.equal(
    filled('{{ $.http.request.body.name }}: {{ $.call.status }} {{ $.http.request.body.list }}'),
    'Tea: 200 [1,2,3]',
  )
  assert.equal(filled('-{{ $.http.request.body.none }}-'), '--')
  assert.deepEqual(filled({ a: ['{{ call.status }}', 'plain'], b: { c: "{{ $json['call'].status }}" } }), {
    a: [200, 'plain'],
    b: { c: 200 },
  })
  assert.equal(filled('{{ "$.call" + \' $json["x"]\' }}'), '$.call $json["x"]')
})

test('integers and decimals mix, and what comes out is JSON', () => {
  assert.equal(filled('{{ $.http.request.body.count * $.http.request.body.price }}'), 7.5)
  assert.equal(filled('{{ $.http.request.body.count + 1 }}'), 4)
  assert.equal(filled('{{ $.http.request.body.count % 2 }}'), 1)
  assert.equal(filled('{{ 7 / 2 }}'), 3)
  assert.equal(filled('{{ size($.http.request.body.list) }}'), 3)
  assert.deepEqual(filled('{{ [1, 2].map(x, [x * 2]) }}'), [[2], [4]])
  assert.equal(JSON.stringify(filled('{{ [size("ab")] }}')), '[2]')
})

test('an expression without a value says why', () => {
  assert.equal(failure('{{ $.http.request.body.total }}'), 'there is no member total')
  assert.equal(failure('{{ $.http.request.body.list[3] }}'), 'there is no such item')
  assert.equal(failure('{{ $.http.request.body.name ? 1 : 2 }}'), 'a condition is neither true nor false')
  assert.equal(failure('{{ $.http.request.body.name + 1 }}'), '+ takes two numbers, two texts or two lists')
  assert.equal(failure('{{ [9007199254740993][0] }}'), 'an integer is too large for JSON')
  const long = linkTemplate(readTemplate('{{ http }}{{ http }}', read).template, NAMES)
  assert.throws(() => long.fill({ http: 'x'.repeat(600_000) }), /longer than 1 MiB/)
  assert.throws(
    () => linkTemplate(readTemplate('{{ call }}', read).template, NAMES).fill({}),
    /call has no value/,
  )
})

test('any text is a template or has faults, and any template gives a value or says why not', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '{{',
      '}}',
      '$.',
      '$json[',
      "'http'",
      '"call"',
      ']',
      ' + ',
      '.request',
      '(',
      ')',
      '? 1 : 2',
      '{{ call.status }}',
    ),
  )
  let linked = 0
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('')
      const { template, faults } = readTemplate(text, read)
      if (faults.length > 0) return
      linked++
      try {
        linkTemplate(template, NAMES).fill(VALUES)
      } catch (error) {
        assert.ok(error instanceof ExpressionFailure, String(error))
      }
    }),
    { numRuns: process.env['FUZZ_LONG'] === 'true' ? 100_000 : 2000 },
  )
  assert.ok(linked > 100)
})
