import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cascadeWords } from './cascade.ts'

test('publishing a collection offers its draft proxies by their number', () => {
  assert.equal(cascadeWords(true, 4, false), 'Also publish its 4 draft proxies')
  assert.equal(cascadeWords(true, 1, false), 'Also publish its draft proxy')
  assert.equal(cascadeWords(true, 0, false), 'It has no draft proxies')
  assert.equal(cascadeWords(true, null, false), 'Also publish its draft proxies')
  assert.equal(cascadeWords(false, 200, true), 'Also unpublish its more than 200 published proxies')
})
