import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileDetectors } from './compile.ts'

function find(pattern: string, text: string): [number, number][] {
  return compileDetectors([{ detector: 'regex', patterns: [{ kind: 'own', pattern }] }])
    .find(text)
    .map(({ start, end }) => [start, end])
}

test('all matches of a pattern are found, from left to right and without overlaps', () => {
  assert.deepEqual(find('ORD-[0-9]{4}', 'ORD-1234 ORD-12 xORD-99999'), [
    [0, 8],
    [17, 25],
  ])
  assert.deepEqual(find('\\bab', 'xab ab'), [[4, 6]])
  assert.deepEqual(find('^ab', 'ab ab'), [[0, 2]])
  assert.deepEqual(find('ab$', 'ab ab'), [[3, 5]])
  assert.deepEqual(find('a*', 'baac'), [[1, 3]])
})

test('a pattern reads escapes as they stand, and as what they stand for', () => {
  for (const spelt of [
    '\\u0049NT-1234',
    '\\\\u0049NT-1234',
    '&#73;NT-1234',
    '&#x49;NT%2D1234',
    'I\\x4eT-1234',
  ])
    assert.deepEqual(find('INT-[0-9]{4}', `"${spelt}" INT-99 INT-5678`), [
      [1, 1 + spelt.length],
      [spelt.length + 10, spelt.length + 18],
    ])
  assert.deepEqual(find('u0049', '\\u0049'), [[1, 6]])
  // A match that is there both ways counts once, and other characters than escapes stay
  assert.deepEqual(find('a+', 'aa%61 b'), [
    [0, 2],
    [0, 5],
  ])
  assert.deepEqual(find('INT-1', 'ＩNT-1 I\u00adNT-1'), [])
  assert.equal(find('a', '%61'.repeat(20_000)).length, 4 * 257)
})

test('spans name the detector and the pattern', () => {
  const detectors = compileDetectors([
    {
      detector: 'regex',
      patterns: [
        { kind: 'order', pattern: 'ORD-[0-9]+' },
        { kind: 'digit', pattern: '[0-9]' },
      ],
    },
  ])
  assert.deepEqual(detectors.find('ORD-7'), [
    { start: 0, end: 5, detector: 'regex', kind: 'order', confidence: 1 },
    { start: 4, end: 5, detector: 'regex', kind: 'digit', confidence: 1 },
  ])
})

test('a pattern that could take more than linear time is refused, with its kind', () => {
  for (const pattern of ['(a)\\1', '(?=a)b', '(', 'a{1000}{1000}'])
    assert.throws(() => find(pattern, ''), /the pattern of "own" is not a valid regular expression/)
})

test('matches are those of the platform, for patterns that both read alike', () => {
  const pattern = fc.constantFrom('a+b', '[ab]c?', 'a|bc', 'b.c', '\\ba', 'c$', '^a', 'a{2,3}')
  fc.assert(
    fc.property(
      pattern,
      fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' '), maxLength: 40 }),
      (source, text) => {
        const expected = [...text.matchAll(new RegExp(source, 'gu'))].map(({ index, 0: { length } }) => [
          index,
          index + length,
        ])
        assert.deepEqual(find(source, text), expected)
      },
    ),
  )
})

test('matches beyond the part that one search looks at are found, and anchors hold there', () => {
  const gap = 'x'.repeat(50_000)
  assert.deepEqual(find('ab', `${gap}ab${gap}ab`), [
    [50_000, 50_002],
    [100_002, 100_004],
  ])
  assert.deepEqual(find('x$', gap), [[49_999, 50_000]])
  assert.deepEqual(find('^x', gap), [[0, 1]])
  assert.deepEqual(find('b[x]+c', `${gap}b${'x'.repeat(15_000)}c`), [[50_000, 65_002]])
})

test('of too many matches in one region the rest of the region is one span', () => {
  const spans = find('a', 'a'.repeat(20_000))
  assert.equal(spans.length, 2 * 257)
  assert.deepEqual(spans[256], [256, 16_384])
  assert.deepEqual(spans.at(-1), [16_384 + 256, 20_000])
})
