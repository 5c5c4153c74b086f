import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hashToken, isToken, lookupOf, mintToken } from './token.ts'

test('a minted token has the published form, and its lookup and hash can be found from it', () => {
  const { token, lookup, hash } = mintToken('pk')
  assert.match(token, /^pst_pk_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/)
  assert.equal(isToken('pk', token), true)
  assert.equal(lookupOf('pk', token), lookup)
  assert.equal(hashToken(token), hash)
  assert.ok(!hash.includes(token.slice(20, 40)))
})

test('a token of one kind is none of the other', () => {
  const { token } = mintToken('at')
  assert.equal(isToken('pk', token), false)
  assert.equal(lookupOf('pk', token), null)
})

test('no two tokens are alike', () => {
  const tokens = new Set(Array.from({ length: 1000 }, () => mintToken('pk').token))
  assert.equal(tokens.size, 1000)
})

test('a token with one character changed, added or cut is recognised as broken', () => {
  const { token } = mintToken('pk')
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.constantFrom(...'0Zz_-'), (at, character) => {
      fc.pre(token[at] !== character)
      assert.equal(isToken('pk', token.slice(0, at) + character + token.slice(at + 1)), false)
    }),
  )
  assert.equal(isToken('pk', token.slice(0, -1)), false)
  assert.equal(isToken('pk', `${token}a`), false)
  assert.equal(lookupOf('pk', token.slice(0, -1)), null)
})

test('any text can be asked about', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
      assert.equal(isToken('pk', text), false)
      lookupOf('pk', text)
      lookupOf('pk', `pst_pk_${text}`)
    }),
  )
})
