import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { estimateTokens } from './token-estimate.ts'

test('estimates are near published counts of o200k_base', () => {
  for (const [text, tokens, off] of [
    ['', 0, 0],
    ['Hello world', 2, 0],
    ['The quick brown fox jumps over the lazy dog.', 10, 0],
    ['2 + 2 = 4', 7, 0],
    ['antidisestablishmentarianism', 6, 1],
    ['tiktoken is great!', 6, 2],
    ['お誕生日おめでとう', 8, 1],
  ] as const) {
    const estimate = estimateTokens(text)
    assert.ok(Math.abs(estimate - tokens) <= off, `${text}: ${estimate} for ${tokens}`)
  }
})

test('an estimate grows with the text, and never has more tokens than bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const tokens = estimateTokens(text)
      assert.ok(Number.isInteger(tokens) && tokens <= Buffer.byteLength(text))
      assert.equal(tokens > 0, text !== '')
      // Line ends at its edges would join the one between
      const inner = text.trim()
      assert.ok(estimateTokens(`${inner}\n${inner}`) >= 2 * estimateTokens(inner))
    }),
  )
})

test('the estimate of a long text ends, whatever it repeats', () => {
  for (const part of ['a', ' ', '\n', 'é', '{"', '1', 'aB', ' \n', '\u{1f600}', '\ud800'])
    assert.ok(estimateTokens(part.repeat(200_000)) > 0, JSON.stringify(part))
})
