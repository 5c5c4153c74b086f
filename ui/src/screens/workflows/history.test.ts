import assert from 'node:assert/strict'
import { test } from 'node:test'
import { differencesOf } from '../../../../src/operations/engine/diff.ts'
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

test('nodes that the server names by their place are told by id', () => {
  const added = addNode(CHECKED, 'log_node', { from: 'call', handle: 'error' })
  const next = updateNode(added.definition, 'ok', { config: { status: 201 } })
  const after = { ...next, nodes: next.nodes.filter(({ id }) => id !== 'bad') }
  const diff = differencesOf({ definition: toJson(CHECKED) }, { definition: toJson(after) })
  // Otherwise this tests nothing
  assert.ok(diff.some(({ path }) => /^\/definition\/nodes\/\d+$/.test(path)))
  const entries = itemized(diff)
  assert.deepEqual(
    entries.map(({ op, path, item }) => [op, path, item]),
    [
      ['remove', '/definition/nodes/bad', undefined],
      ['add', '/definition/nodes/log', undefined],
      ['add', '/definition/nodes/ok/config/status', undefined],
      ['add', '/definition/edges/call error to log', undefined],
    ],
  )
  assert.ok(!JSON.stringify(entries).includes('"id"'))
})

test('a difference within a list of a node keeps the name of the item', () => {
  const entry = {
    op: 'replace',
    path: '/definition/nodes/3/config/cases/0/label',
    from: 'a',
    value: 'b',
  } as const
  assert.deepEqual(itemized([{ ...entry, item: 'choose first' }]), [
    { ...entry, path: '/definition/nodes/choose/config/cases/0/label', item: 'first' },
  ])
})

test('a workflow that is set for the first time is told node by node', () => {
  const entries = itemized([{ op: 'add', path: '/definition', value: toJson(CHECKED) }])
  assert.ok(entries.some(({ op, path }) => op === 'add' && path === '/definition/nodes/check'))
})
