import assert from 'node:assert/strict'
import { test } from 'node:test'
import { begin, change, redo, seal, undo } from './history.ts'

test('each change is one step back and forth', () => {
  const two = change(change(begin('a'), 'b'), 'c')
  assert.equal(undo(two).present, 'b')
  assert.equal(undo(undo(two)).present, 'a')
  assert.equal(undo(undo(undo(two))).present, 'a')
  assert.equal(redo(undo(two)).present, 'c')
  assert.equal(redo(change(undo(two), 'd')).present, 'd')
})

test('letters of one field are one step, until the field is left', () => {
  const typed = change(change(begin('a'), 'ab', 'name'), 'abc', 'name')
  assert.equal(undo(typed).present, 'a')
  const twice = change(seal(typed), 'abcd', 'name')
  assert.equal(undo(twice).present, 'abc')
  assert.equal(undo(change(typed, 'x', 'other')).present, 'abc')
})
