import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SharedLru } from './lru.ts'

test('a holder has as much as remains free, and its own oldest entry gives way', () => {
  const forgotten: string[] = []
  const lru = new SharedLru<number>(12, (key) => forgotten.push(key))
  assert.equal(lru.set('b', 'b1', 1, 2), true)
  for (let at = 1; at <= 5; at++) assert.equal(lru.set('a', `a${at}`, at, 1), true)
  assert.deepEqual(forgotten, [])
  assert.equal(lru.get('a1'), 1)
  assert.equal(lru.set('a', 'a6', 6, 1), true)
  assert.deepEqual(forgotten, ['a2'])
  assert.equal(lru.get('b1'), 1)
  assert.equal(lru.set('a', 'a7', 7, 3), true)
  assert.deepEqual(forgotten, ['a2', 'a3', 'a4', 'a5'])
  assert.equal(lru.set('c', 'c1', 1, 2), true)
})

test('what is larger than a holder could have is refused, and leaves all as it was', () => {
  const lru = new SharedLru<number>(10)
  assert.equal(lru.set('a', 'a1', 1, 5), true)
  assert.equal(lru.set('a', 'a1', 2, 6), false)
  assert.equal(lru.get('a1'), 1)
  assert.equal(lru.set('b', 'b1', 1, 3), false)
  assert.equal(lru.set('b', 'b1', 1, 2), true)
})

test('what is replaced or deleted is free again', () => {
  const lru = new SharedLru<number>(10)
  for (let at = 0; at < 100; at++) assert.equal(lru.set('a', 'a1', at, 5), true)
  lru.delete('a1')
  lru.delete('a1')
  assert.equal(lru.get('a1'), undefined)
  assert.equal(lru.set('b', 'b1', 1, 5), true)
})
