import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseSearch, rank, stringifySearch } from './search.ts'

const text = fc.string({ minLength: 1 })

test('an address that is read is written the same', () => {
  fc.assert(
    fc.property(fc.dictionary(text, fc.oneof(text, fc.array(text, { minLength: 2 }))), (search) => {
      assert.deepEqual({ ...parseSearch(stringifySearch(search)) }, { ...search })
    }),
  )
})

test('members that are not set are not written', () => {
  assert.equal(stringifySearch({ text: undefined, tag: '', order: null }), '')
  assert.equal(stringifySearch({ tag: ['a', 'b'], active: 'true' }), '?tag=a&tag=b&active=true')
})

test('a label that begins with the text comes first, and each word has to fit', () => {
  const options = ['Delete a client', 'Clients', 'List clients'].map((label) => ({ label, hint: '' }))
  assert.deepEqual(
    rank(options, 'client').map(({ label }) => label),
    ['Clients', 'Delete a client', 'List clients'],
  )
  assert.deepEqual(rank(options, 'delete clients'), [])
})
