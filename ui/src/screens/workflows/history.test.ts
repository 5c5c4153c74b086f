import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../../build/document.ts'
import { CHECKED } from './checked-order.ts'
import { addNode, toJson, updateNode } from './definition.ts'
import { begin, change, itemized, redo, seal, undo } from './history.ts'

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

test('lists of nodes and edges in a difference are told item by item, and other entries stay', () => {
  const added = addNode(CHECKED, 'log_node', { from: 'call', handle: 'error' })
  const next = toJson(updateNode(added.definition, 'ok', { config: { status: 201 } }))
  const before = toJson(CHECKED)
  const name = { op: 'replace', path: '/name', from: 'Old', value: 'New' } as const
  const entries = itemized([
    name,
    { op: 'replace', path: '/definition/nodes', from: before['nodes'] as Json, value: next['nodes'] as Json },
    { op: 'replace', path: '/definition/edges', from: before['edges'] as Json, value: next['edges'] as Json },
  ])
  assert.deepEqual(entries[0], name)
  assert.deepEqual(
    entries.slice(1).map(({ op, path }) => [op, path]),
    [
      ['add', '/definition/nodes/ok/config/status'],
      ['add', '/definition/nodes/log'],
      ['add', '/definition/edges/call error to log'],
    ],
  )
})

test('a workflow that is set for the first time is told node by node', () => {
  const entries = itemized([{ op: 'add', path: '/definition', value: toJson(CHECKED) }])
  assert.ok(entries.some(({ op, path }) => op === 'add' && path === '/definition/nodes/check'))
})
