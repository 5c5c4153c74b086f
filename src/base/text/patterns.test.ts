import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { linearPattern, toGlob } from './patterns.ts'

test('an expression is found anywhere in the text, as JSON Schema has it', () => {
  assert.equal(linearPattern('b+')!.test('abbc'), true)
  assert.equal(linearPattern('^b+$')!.test('abbc'), false)
  assert.equal(linearPattern('^[a-z]{2}/\\d+$')!.test('ab/12'), true)
  assert.equal(linearPattern('^\\u00e9$')!.test('é'), true)
  assert.equal(linearPattern('^(?<year>\\d{4})-\\p{L}$')!.test('2026-ä'), true)
})

test('what needs backtracking, is broken or too large is not taken', () => {
  for (const source of ['(?=a)b', '(a)\\1', '(', '[z-a]', '(?:(?:a{1000}){1000})', 'a'.repeat(5000)])
    assert.equal(linearPattern(source), null, source.slice(0, 40))
})

test('an expression that would take other engines forever ends', () => {
  assert.equal(linearPattern('^(a+)+$')!.test(`${'a'.repeat(50_000)}b`), false)
})

test('white space, line terminators and classes are those of ECMA-262', () => {
  for (const [source, fits, fails] of [
    ['^\\s$', ['\u00a0', '\ufeff', '\u2003', '\v', ' '], ['a', '\u200b']],
    ['^\\S+$', ['ab', '\u200b'], ['a\u00a0', '\u3000']],
    ['^[^\\s,]+$', ['a.b'], ['a\u00a0b']],
    ['^[\\s\\S]$', ['\n', '\u2028', '😀'], ['']],
    ['^.$', ['a', '😀'], ['\r', '\u2028', '\n']],
    ['^[^]$', ['\n'], ['']],
    ['^[\\w-.]+$', ['a-.'], ['a b']],
    ['^a{,2}$', ['a{,2}'], ['aa']],
    ['^\\p{Letter}+$', ['éЖ'], ['1']],
  ] as const) {
    for (const text of fits) assert.equal(linearPattern(source)!.test(text), true, `${source} ${text}`)
    for (const text of fails) assert.equal(linearPattern(source)!.test(text), false, `${source} ${text}`)
  }
})

test('what other dialects read differently is not taken', () => {
  for (const source of ['\\Aa\\Z', '^[[:alpha:]]+$', '(?i)^a$', '^\\Qa\\E$', '^a++$', '[]'])
    assert.equal(linearPattern(source), null, source)
})

const atom = fc.constantFrom(
  ...[
    'a',
    '\\s',
    '\\S',
    '\\d',
    '\\W',
    '.',
    '[a-c]',
    '[^\\s]',
    '[\\s_-]',
    '\\u00a0',
    '\\.',
    '\\/',
    '[^a]',
    '\\b',
    '😀',
  ],
)
const expression = fc
  .array(fc.tuple(atom, fc.constantFrom('', '?', '*', '+', '{2}', '{0,2}', '+?')), { maxLength: 4 })
  .map((parts) => parts.map(([one, count]) => (one === '\\b' ? one : `${one}${count}`)).join(''))
const patternSource = fc
  .tuple(fc.boolean(), fc.array(expression, { minLength: 1, maxLength: 2 }), fc.boolean())
  .map(([start, choices, end]) => `${start ? '^' : ''}(${choices.join('|')})${end ? '$' : ''}`)
const letters = [...'ac1 _-./', '\u00a0', '\ufeff', '\u2028', '\n', '\r', '\v', '😀', 'é']

test('every expression that is taken says what the engine of JavaScript says', () => {
  fc.assert(
    fc.property(
      patternSource,
      fc.array(fc.constantFrom(...letters), { maxLength: 5 }).map((chars) => chars.join('')),
      (source, text) => {
        const pattern = linearPattern(source)
        assert.ok(pattern !== null, source)
        assert.equal(
          pattern.test(text),
          new RegExp(source, 'u').test(text),
          `${source} ${JSON.stringify(text)}`,
        )
      },
    ),
    { numRuns: 2000 },
  )
})

test('a glob fits what the regular expression of the same meaning fits', () => {
  const text = (units: string): fc.Arbitrary<string> =>
    fc.string({ maxLength: 8, unit: fc.constantFrom(...units) })
  fc.assert(
    fc.property(text('ab.*'), text('ab.\n'), (glob, value) => {
      const source = glob.replaceAll('.', '\\.').replaceAll('*', '[^]*')
      assert.equal(toGlob(glob)(value), new RegExp(`^${source}$`).test(value), `${glob} ${value}`)
    }),
    { numRuns: 2000 },
  )
})
