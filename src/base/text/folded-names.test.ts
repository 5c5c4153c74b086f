import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FoldedNames, foldName, shownName } from './folded-names.ts'

test('spellings that differ in case, compatibility forms, invisible characters or after NUL fold to one form', () => {
  for (const spelling of [
    'Name',
    'NAME',
    'name\0',
    'name\0hidden',
    'na\u200bme',
    'na\u00adme',
    '\uff4e\uff41\uff4d\uff45',
  ])
    assert.equal(foldName(spelling), 'name', spelling)
  assert.equal(foldName('argument\u017f'), 'arguments')
  assert.equal(foldName('\u212aey'), 'key')
  assert.equal(foldName('Stra\u00dfe'), foldName('STRASSE'))
  assert.equal(foldName('STRA\u1e9eE'), foldName('STRASSE'))
})

test('each character of Unicode folds as its upper and its lower case do', () => {
  const changes = /[\p{Changes_When_Casemapped}\p{Changes_When_NFKC_Casefolded}]/u
  let count = 0
  for (let code = 1; code <= 0x10ffff; code++) {
    const char = String.fromCodePoint(code)
    if (!changes.test(char)) continue
    count++
    const folded = foldName(char)
    for (const like of [folded, char.toUpperCase(), char.toLowerCase()])
      if (foldName(like) !== folded) assert.fail(`U+${code.toString(16)}`)
  }
  assert.ok(count > 10_000)
})

test('a declared name is never another spelling, even where two declared names fold alike', () => {
  const names = new FoldedNames(['name', 'Name', 'uri'])
  assert.equal(names.declaredFor('name'), null)
  assert.equal(names.declaredFor('Name'), null)
  assert.notEqual(names.declaredFor('NAME'), null)
  assert.equal(names.declaredFor('other'), null)
  assert.deepEqual(names.misspelt({ uri: 1, other: 2, URI: 3 }), { given: 'URI', declared: 'uri' })
  assert.equal(names.misspelt({ uri: 1, other: 2, constructor: 3 }), null)
})

test('folding is stable, and ignores case', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (name) => {
      assert.equal(foldName(foldName(name)), foldName(name))
      assert.equal(foldName(name.toUpperCase()), foldName(name))
    }),
  )
})

test('a name is shown in visible ASCII and cut', () => {
  assert.equal(shownName('argument\u017f\0'), '"argument\\u017f\\u0000"')
  assert.ok(shownName('x'.repeat(10_000)).length < 100)
})
