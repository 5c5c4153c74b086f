import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FORMS, type Json, written } from '../../../test/support/parameter-forms.ts'
import { parseExact } from '../../base/json/exact.ts'
import { type Form, toPattern } from './parameter-text.ts'
import { buildTarget, type Place, type Told } from './target.ts'

const LIST = ['blue', 'black', 'brown']
const OBJECT = { R: 100, G: 200, B: 150 }

const GROUP = { path: 'path', query: 'query', header: 'headers', cookie: 'cookies' } as const

function toldOf(form: Form | undefined): Told {
  return {
    parameters: () => [],
    formOf: (_place: Place, name: string) => (name === 'color' || name === 'p' ? form : undefined),
    bodyForm: () => ({ type: 'application/json', base64: [] }),
  }
}

/** What a call has of the parameter, on the wire. */
function wire(place: keyof typeof GROUP, name: string, value: unknown, form: Form | undefined): string {
  const isPath = place === 'path'
  const pattern = toPattern(isPath ? `/{${name}}` : '/')
  const params = { [GROUP[place]]: { [name]: value } }
  const built = buildTarget(pattern, new Map(), '', params, toldOf(form), undefined)
  assert.ok(built.ok, JSON.stringify(built))
  const { target, fields } = built.built
  if (isPath) return target.slice(1)
  if (place === 'query') return target.split('?')[1] ?? ''
  return /^[^:]+: (.*)\r\n$/.exec(fields)?.[1] ?? ''
}

/** OpenAPI 3.1.1 section 4.8.12.4, the table of styles: style, explode, then a text, a list and an object. */
const TABLE = [
  ['path', 'matrix', false, ';color=blue', ';color=blue,black,brown', ';color=R,100,G,200,B,150'],
  ['path', 'matrix', true, ';color=blue', ';color=blue;color=black;color=brown', ';R=100;G=200;B=150'],
  ['path', 'label', false, '.blue', '.blue,black,brown', '.R,100,G,200,B,150'],
  ['path', 'label', true, '.blue', '.blue.black.brown', '.R=100.G=200.B=150'],
  ['path', 'simple', false, 'blue', 'blue,black,brown', 'R,100,G,200,B,150'],
  ['path', 'simple', true, 'blue', 'blue,black,brown', 'R=100,G=200,B=150'],
  ['header', 'simple', false, 'blue', 'blue,black,brown', 'R,100,G,200,B,150'],
  ['header', 'simple', true, 'blue', 'blue,black,brown', 'R=100,G=200,B=150'],
  ['query', 'form', false, 'color=blue', 'color=blue,black,brown', 'color=R,100,G,200,B,150'],
  ['query', 'form', true, 'color=blue', 'color=blue&color=black&color=brown', 'R=100&G=200&B=150'],
  ['query', 'spaceDelimited', false, null, 'color=blue%20black%20brown', 'color=R%20100%20G%20200%20B%20150'],
  ['query', 'pipeDelimited', false, null, 'color=blue%7Cblack%7Cbrown', 'color=R%7C100%7CG%7C200%7CB%7C150'],
  ['query', 'deepObject', true, null, null, 'color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150'],
  ['cookie', 'form', false, 'color=blue', 'color=blue,black,brown', 'color=R,100,G,200,B,150'],
] as const

test('for each style and explode the wire is what the table of OpenAPI says', () => {
  for (const [place, style, explode, text, list, object] of TABLE)
    for (const [value, expected] of [
      ['blue', text],
      [LIST, list],
      [OBJECT, object],
    ] as const)
      if (expected !== null)
        assert.equal(
          wire(place, 'color', value, { style, explode }),
          expected,
          `${place} ${style} ${explode}`,
        )
})

test('any scalar, list and object is written as the table of OpenAPI says, in each place, style and explode', () => {
  const scalar = fc.oneof(fc.stringMatching(/^[a-zA-Z0-9 &=;%|_é-]{1,6}$/), fc.integer(), fc.boolean())
  const name = fc.stringMatching(/^[a-z]{1,4}$/)
  const value: fc.Arbitrary<Json> = fc.oneof(
    scalar,
    fc.array(scalar, { minLength: 1, maxLength: 3 }),
    fc.dictionary(name, scalar, { minKeys: 1, maxKeys: 3 }),
  )
  fc.assert(
    fc.property(fc.constantFrom(...FORMS), value, (form, one) => {
      const text = written(form, one)
      const isAscii = !/é/.test(JSON.stringify(one))
      const isOctets = !/[ ;%]/.test(JSON.stringify(one))
      if (text === null || ((form.in === 'header' || form.in === 'cookie') && !(isAscii && isOctets))) return
      // Delimiters stand encoded in a query, which a URL needs
      const expected =
        form.in === 'query' && form.style === 'pipeDelimited' ? text.replaceAll('|', '%7C') : text
      const encoded =
        form.style === 'deepObject' ? expected.replace(/\[/g, '%5B').replace(/\]/g, '%5D') : expected
      assert.equal(wire(form.in, 'p', one, form), encoded)
    }),
  )
})

test('without a style, the defaults of OpenAPI hold: form with explode in a query, simple elsewhere', () => {
  assert.equal(wire('query', 'p', LIST, {}), 'p=blue&p=black&p=brown')
  assert.equal(wire('query', 'p', OBJECT, {}), 'R=100&G=200&B=150')
  assert.equal(wire('path', 'p', LIST, {}), 'blue,black,brown')
  assert.equal(wire('header', 'p', OBJECT, {}), 'R,100,G,200,B,150')
  assert.equal(wire('cookie', 'p', LIST, {}), 'p=blue; p=black; p=brown')
})

test('objects of a query parameter that nobody declared stand in brackets', () => {
  assert.equal(
    wire('query', 'filter', { state: 'open', ids: [1, 2] }, undefined),
    'filter%5Bstate%5D=open&filter%5Bids%5D=1&filter%5Bids%5D=2',
  )
})

test('a parameter with content is JSON, whether the caller gives the value or its text', () => {
  const form = { content_type: 'application/json' }
  for (const value of [{ a: [1] }, '{"a":[1]}']) {
    assert.equal(wire('query', 'p', value, form), 'p=%7B%22a%22%3A%5B1%5D%7D')
    assert.equal(wire('header', 'p', value, form), '{"a":[1]}')
    assert.equal(wire('path', 'p', value, form), '%7B%22a%22%3A%5B1%5D%7D')
    assert.equal(wire('cookie', 'p', value, form), 'p={%22a%22:[1]}')
  }
})

test('nested values, for which OpenAPI defines nothing, are JSON, and brackets in style deepObject', () => {
  assert.equal(wire('query', 'p', [{ a: 1 }], {}), 'p=%7B%22a%22%3A1%7D')
  const deep = { style: 'deepObject', explode: true }
  assert.equal(
    wire('query', 'p', { a: { b: [1, 2], c: null } }, deep),
    'p%5Ba%5D%5Bb%5D%5B%5D=1&p%5Ba%5D%5Bb%5D%5B%5D=2',
  )
  assert.equal(wire('query', 'p', ['x', 'y'], deep), 'p%5B%5D=x&p%5B%5D=y')
})

test('a list in a path keeps inside its segment, and the prefix of style matrix that the pattern has stands once', () => {
  const told = toldOf({ style: 'matrix', explode: true })
  const built = buildTarget(toPattern('/a;p={p}/b'), new Map(), '', { path: { p: [3, 4] } }, told, undefined)
  assert.ok(built.ok)
  assert.equal(built.built.target, '/a;p=3;p=4/b')
  for (const value of [['a/b'], { x: '..\\' }, [], ''])
    assert.equal(
      buildTarget(toPattern('/{p}'), new Map(), '', { path: { p: value } }, toldOf({}), undefined).ok,
      false,
    )
})

test('text with half of a surrogate pair is refused in each place where it would be encoded', () => {
  for (const group of ['path', 'query', 'cookies'])
    for (const value of ['\ud800', ['\ud800'], { a: '\ud800' }]) {
      const pattern = toPattern(group === 'path' ? '/{p}' : '/')
      const built = buildTarget(pattern, new Map(), '', { [group]: { p: value } }, toldOf({}), undefined)
      assert.ok(!built.ok)
      assert.equal(built.errors[0]!.pointer, `/params/${group}/p`)
    }
})

test('numbers of a call keep their digits in path, query, header, cookie and body', () => {
  const numbers = { p: 0, q: [0], h: 0, c: 0, body: { deep: [0], n: 0 } }
  const text = JSON.stringify(numbers)
    .replaceAll(/:0/g, ':12345678901234567890')
    .replaceAll('[0]', '[1.0,1e400]')
  const { p, q, h, c, body } = parseExact(text) as typeof numbers
  const params = { path: { p }, query: { q }, headers: { h }, cookies: { c }, body }
  const built = buildTarget(toPattern('/{p}'), new Map(), '', params, toldOf({}), undefined)
  assert.ok(built.ok)
  assert.equal(built.built.target, '/12345678901234567890?q=1.0&q=1e400')
  assert.equal(built.built.fields, 'h: 12345678901234567890\r\ncookie: c=12345678901234567890\r\n')
  assert.equal(Buffer.from(built.built.body!).toString(), '{"deep":[1.0,1e400],"n":12345678901234567890}')
})
