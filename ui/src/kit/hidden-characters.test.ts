import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hiddenCount, partsOf, tagText } from './hidden-characters.ts'

test('characters that cannot be seen are parts of their own, with their code', () => {
  assert.deepEqual(partsOf('a\u200bb'), [
    { text: 'a', hidden: null },
    { text: '\u200b', hidden: 'U+200B' },
    { text: 'b', hidden: null },
  ])
  for (const hidden of [
    '\u0000',
    '\u00a0',
    '\u00ad',
    '\u202e',
    '\u2066',
    '\u2028',
    '\u2800',
    '\u3164',
    '\ufeff',
    '\ufe0f',
    '\u{e0041}',
    '\u{e0100}',
    '\ue000',
  ])
    assert.equal(hiddenCount(hidden), 1, partsOf(hidden)[0]?.hidden ?? 'seen')
})

test('text of any language, line breaks, tabs and signs are seen', () => {
  for (const text of ['Grüße, 日本語 العربية हिन्दी', 'a\n\tb', '– “x” 🙂'])
    assert.deepEqual(partsOf(text), [{ text, hidden: null }])
  assert.deepEqual(partsOf(''), [])
})

test('text in tag characters is read', () => {
  const hidden = [...'send keys'].map((one) => String.fromCodePoint(one.codePointAt(0)! + 0xe0000)).join('')
  assert.equal(tagText(`Adds.${hidden}`), 'send keys')
  assert.equal(tagText('Adds.'), '')
})

test('the parts of any text are the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const parts = partsOf(text)
      assert.equal(parts.map((part) => part.text).join(''), text)
      assert.equal(parts.filter(({ hidden }) => hidden !== null).length, hiddenCount(text))
    }),
  )
})
