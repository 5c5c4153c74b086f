import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../../build/document.ts'
import { itemized } from './changes.ts'
import { CHECKED } from './checked-order.ts'
import { addNode, toJson, updateNode } from './definition.ts'

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
