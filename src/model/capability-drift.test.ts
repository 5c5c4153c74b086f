import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Plain } from '../base/plain.ts'
import { approvedOf, type Catalogue, capabilityHash, driftOf, heldBack } from './capability-drift.ts'
import type { CapabilityRules } from './capability-rules.ts'

const NONE: Catalogue = { tools: [], prompts: [], resources: [], resource_templates: [] }
const tool = {
  name: 'search',
  title: 'Search',
  description: 'Finds documents.',
  inputSchema: { type: 'object', properties: { a: { type: 'string' }, b: { type: 'number' } } },
  outputSchema: { type: 'object' },
  annotations: { readOnlyHint: true },
}

test('changing only a description, or any other member that a model reads, changes the hash', () => {
  const hash = capabilityHash('tools', tool)
  for (const change of [
    { description: 'Finds documents. ' },
    { title: 'search' },
    { inputSchema: { type: 'object' } },
    { outputSchema: { type: 'object', properties: {} } },
    { annotations: { readOnlyHint: false } },
    { annotations: {} },
  ])
    assert.notEqual(capabilityHash('tools', { ...tool, ...change }), hash, JSON.stringify(change))
  const { description: _description, ...without } = tool
  assert.notEqual(capabilityHash('tools', without), hash)
  assert.notEqual(
    capabilityHash('prompts', { name: 'a', arguments: [] }),
    capabilityHash('prompts', { name: 'a' }),
  )
})

test('the order of members and what is not approved change nothing', () => {
  const { name, inputSchema, ...rest } = tool
  const turned = {
    ...rest,
    inputSchema: { properties: { b: { type: 'number' }, a: { type: 'string' } }, type: 'object' },
    name,
    _meta: { version: 2 },
    icons: [],
  }
  assert.equal(capabilityHash('tools', turned), capabilityHash('tools', tool))
  assert.notEqual(inputSchema, turned.inputSchema)
})

test('drift names what was added, changed and removed', () => {
  const before: Catalogue = {
    ...NONE,
    tools: [tool, { name: 'gone' }, { name: 'same' }],
    resources: [{ uri: 'file:///a', name: 'a' }],
  }
  const now: Catalogue = {
    ...NONE,
    tools: [
      { name: 'new' },
      { ...tool, description: 'Other.' },
      { name: 'same' },
      { name: 'same', title: 'twice' },
      {},
    ],
    resources: [{ uri: 'file:///a', name: 'b' }],
    prompts: [{ name: 'constructor' }],
  }
  assert.deepEqual(driftOf(approvedOf(before), now), {
    added: [
      { type: 'tools', key: 'new' },
      { type: 'prompts', key: 'constructor' },
    ],
    changed: [
      { type: 'tools', key: 'search' },
      { type: 'resources', key: 'file:///a' },
    ],
    removed: [{ type: 'tools', key: 'gone' }],
  })
  assert.deepEqual(driftOf(approvedOf(now), now), { added: [], changed: [], removed: [] })
})

test('each mode holds back what it says', () => {
  const approved = approvedOf({ ...NONE, tools: [tool] })
  const changed = { ...tool, description: 'Other.' }
  const held = (rules: Partial<CapabilityRules>, item: Plain): string | null =>
    heldBack(
      { pin: 'strict', new_items: 'hide', ...rules },
      approved,
      { type: 'tools', key: String(item['name']) },
      () => capabilityHash('tools', item),
    )
  const fresh = { name: 'valueOf' }
  assert.deepEqual([held({}, tool), held({}, changed), held({}, fresh)], [null, 'changed', 'new'])
  assert.deepEqual([held({ pin: 'warn' }, changed), held({ pin: 'warn' }, fresh)], [null, 'new'])
  assert.deepEqual([held({ pin: 'off' }, changed), held({ pin: 'off' }, fresh)], [null, null])
  assert.equal(held({ new_items: 'show' }, fresh), null)
  // Shown where the type passes whole, and never by an entry that happens to fit
  assert.equal(held({ new_items: 'show', tools: [] }, fresh), 'new')
  assert.equal(held({ new_items: 'show' }, changed), 'changed')
})

test('an item that no store or stack takes is left out', () => {
  const nested = (depth: number): unknown => Array.from({ length: depth }).reduce((inner) => [inner], 0)
  const items = [
    { name: 'x\0' },
    { name: '\ud800' },
    { name: 'x'.repeat(2049) },
    { name: 7 },
    { name: 'deep', inputSchema: nested(100_000) },
    { name: 'flat', inputSchema: nested(150) },
    { name: '__proto__', description: 'a name as any other' },
  ]
  const approved = approvedOf({ ...NONE, tools: items })
  assert.deepEqual(Object.keys(approved.tools), ['flat', '__proto__'])
  const kept = JSON.parse(JSON.stringify(approved)) as typeof approved
  assert.deepEqual(driftOf(kept, { ...NONE, tools: items }), { added: [], changed: [], removed: [] })
})
