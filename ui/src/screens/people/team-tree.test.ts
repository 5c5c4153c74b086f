import assert from 'node:assert/strict'
import { test } from 'node:test'
import { treeOf } from './team-tree.ts'

test('teams stand below their parents, and those with an unknown parent at the top', () => {
  const tree = treeOf([
    { slug: 'core', name: 'Core', parent: 'top' },
    { slug: 'top', name: 'Top', parent: null },
    { slug: 'lost', name: 'Lost', parent: 'elsewhere' },
  ])
  assert.deepEqual(tree, [
    { slug: 'top', name: 'Top', below: [{ slug: 'core', name: 'Core', below: [] }] },
    { slug: 'lost', name: 'Lost', below: [] },
  ])
})
