import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { foldedOf } from './folded.ts'

const folded = (text: string): string | null => foldedOf(text)?.text ?? null

test('a text reads as what its characters and escapes stand for, up to three times over', () => {
  for (const [text, as] of [
    ['４１１１－５', '4111-5'],
    ['٤١ ४१ 𝟜𝟙 𝟺𝟷', '41 41 41 41'],
    ['4\u200b1\u00ad1\ufeff1', '4111'],
    ['4\u00a01\u30001', '4 1 1'],
    ['\\u0034\\\\u0031 \\x31', '41 1'],
    ['%34%2531%252531', '411'],
    ['%EF%BC%94 %25C3%25A9', '4 é'],
    ['&#52;&#x31;&amp;#49;&amp;amp;#49;', '4111'],
    ['\\u0025\\u0033\\u0034', '4'],
    ['&#37;34', '4'],
  ] as const)
    assert.equal(folded(text), as, text)
})

test('a text of which nothing stands for another character is read as it is', () => {
  for (const text of ['', 'a b', 'Grüße, 忽略 🏴', '100 % of 5', 'C:\\users\\x', 'a&b&c', 'a%zz', '%C3 %E2'])
    assert.equal(folded(text), null, text)
})

test('each place of a folded text leads to what it stands for, and back', () => {
  const text = 'a４\u200b\u200b5\\u0036é%2537 𝟜z'
  const view = foldedOf(text)!
  assert.equal(view.text, 'a456é7 4z')
  const parts = [...view.text].map((_, at) => text.slice(view.startOf(at), view.endOf(at + 1)))
  assert.deepEqual(parts, ['a', '４', '5', '\\u0036', 'é', '%2537', ' ', '𝟜', 'z'])
  for (let at = 0; at < view.text.length; at++) assert.equal(view.placeOf(view.startOf(at)), at)
})

test('places of any folded text are within the text, in order, and none is lost', () => {
  const part = fc.oneof(
    fc.constantFrom(
      '４',
      '\u200b',
      '%34',
      '%25',
      '%EF%BC%94',
      '\\u0034',
      '\\',
      'u00',
      '&#52;',
      '&amp;',
      '𝟜',
      '&#x1f600;',
    ),
    fc.string({ unit: 'binary', maxLength: 5 }),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
      const text = parts.join('')
      const view = foldedOf(text)
      if (view === null) return
      let last = 0
      for (let at = 0; at < view.text.length; at++) {
        const [start, end] = [view.startOf(at), view.endOf(at + 1)]
        // Both halves of a pair stand for the same escape
        assert.ok(start >= last && start < end && end <= text.length, `${JSON.stringify(text)} at ${at}`)
        last = start
      }
      for (let place = 0; place < text.length; place++) {
        const at = view.placeOf(place)
        assert.ok(
          at <= view.text.length && (at === view.text.length || view.startOf(at) >= place || at === 0),
        )
      }
    }),
    { numRuns: 500 },
  )
})
