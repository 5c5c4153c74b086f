import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Plain } from '../../base/json/storable.ts'
import { withoutPause } from '../../base/threads/time-slices.ts'
import type { CapabilityRules } from './capability.ts'
import {
  type Approved,
  approvalOf,
  approvedOf,
  baseHashOf,
  type Catalogue,
  capabilityHash,
  type Drift,
  deliveredInstructions,
  deliveredItem,
  driftPaused,
  heldBack,
  type Listed,
} from './capability-drift.ts'

const NONE: Catalogue = { tools: [], prompts: [], resources: [], resource_templates: [] }
const listed = (catalogue: Catalogue, instructions = ''): Listed => ({ catalogue, instructions })
const driftOf = (approved: Approved, now: Listed): Drift => withoutPause(driftPaused(approved, now))
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

test('the order of members changes nothing, and metadata changes the approval but not the hash of the base', () => {
  const { name, inputSchema, ...rest } = tool
  const turned = {
    ...rest,
    inputSchema: { properties: { b: { type: 'number' }, a: { type: 'string' } }, type: 'object' },
    name,
    _meta: { version: 2 },
    icons: [],
  }
  assert.equal(capabilityHash('tools', turned), capabilityHash('tools', tool))
  assert.notEqual(approvalOf('tools', turned), approvalOf('tools', tool))
  assert.equal(
    approvalOf('tools', { ...turned, name }),
    approvalOf('tools', { ...tool, icons: [], _meta: { version: 2 } }),
  )
  assert.equal(baseHashOf(approvalOf('tools', turned)), capabilityHash('tools', tool))
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
  assert.deepEqual(driftOf(approvedOf(before, ''), listed(now)), {
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
  assert.deepEqual(driftOf(approvedOf(now, ''), listed(now)), { added: [], changed: [], removed: [] })
})

test('each mode holds back what it says', () => {
  const approved = approvedOf({ ...NONE, tools: [tool] })
  const changed = { ...tool, description: 'Other.' }
  const held = (rules: Partial<CapabilityRules>, item: Plain): string | null =>
    heldBack(
      { pin: 'strict', new_items: 'hide', ...rules },
      approved,
      { type: 'tools', key: String(item['name']) },
      () => approvalOf('tools', item),
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
  const approved = approvedOf({ ...NONE, tools: items }, '')
  assert.deepEqual(Object.keys(approved.tools), ['flat', '__proto__'])
  const kept = JSON.parse(JSON.stringify(approved)) as typeof approved
  assert.deepEqual(driftOf(kept, listed({ ...NONE, tools: items })), { added: [], changed: [], removed: [] })
})

/** As a version that hashed no metadata has stored it. */
function earlier({ tools, prompts, resources, resource_templates }: Approved): Approved {
  const bases = (hashes: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(hashes).map(([key, hash]) => [key, baseHashOf(hash)]))
  return {
    tools: bases(tools),
    prompts: bases(prompts),
    resources: bases(resources),
    resource_templates: bases(resource_templates),
  }
}

test('every member that is not in the base is metadata: a change of it is drift, in each type', () => {
  const items: Catalogue = {
    tools: [{ ...tool, _meta: { ui: { resourceUri: 'ui://a' } } }],
    prompts: [{ name: 'a', icons: [{ src: 'https://a.example/a.png' }] }],
    resources: [{ uri: 'file:///a', name: 'a', size: 1 }],
    resource_templates: [{ uriTemplate: 'file:///{a}', name: 'a', later: true }],
  }
  const changed: Catalogue = {
    tools: [{ ...tool, _meta: { ui: { resourceUri: 'ui://b' } } }],
    prompts: [{ name: 'a' }],
    resources: [{ uri: 'file:///a', name: 'a', size: 2 }],
    resource_templates: [{ uriTemplate: 'file:///{a}', name: 'a', later: true, execution: {} }],
  }
  const drift = driftOf(approvedOf(items, 'Be brief.'), listed(changed, 'Be long.'))
  assert.deepEqual(
    drift.changed.map(({ type }) => type),
    ['tools', 'prompts', 'resources', 'resource_templates', 'instructions'],
  )
  assert.deepEqual([drift.added, drift.removed], [[], []])
})

test('an approval of an earlier version holds for the base, and covers no metadata and no instructions', () => {
  const item = { ...tool, icons: [], __proto: 1 }
  const now = listed({ ...NONE, tools: [item, { name: 'plain' }] }, 'Be brief.')
  const approved = earlier(approvedOf(now.catalogue))
  assert.deepEqual(driftOf(approved, now), {
    added: [{ type: 'metadata', key: 'metadata' }],
    changed: [],
    removed: [],
  })
  const strict: CapabilityRules = { pin: 'strict', new_items: 'hide' }
  const key = { type: 'tools', key: 'search' } as const
  assert.equal(
    heldBack(strict, approved, key, () => approvalOf('tools', item)),
    null,
  )
  assert.deepEqual(deliveredItem(strict, approved, key, item), tool)
  assert.equal(deliveredInstructions(strict, approved, 'Be brief.'), '')
  for (const pin of ['warn', 'off'] as const) {
    assert.equal(deliveredItem({ ...strict, pin }, approved, key, item), item)
    assert.equal(deliveredInstructions({ ...strict, pin }, approved, 'Be brief.'), 'Be brief.')
  }
  const whole = approvedOf(now.catalogue, 'Be brief.')
  assert.equal(deliveredItem(strict, whole, key, item), item)
  assert.equal(deliveredInstructions(strict, whole, 'Be brief.'), 'Be brief.')
  assert.equal(deliveredInstructions(strict, whole, 'Be long.'), '')
})

test('the comparison of a long catalogue pauses at each item', () => {
  const tools = Array.from({ length: 2000 }, (_, at) => ({ ...tool, name: `tool${at}` }))
  const work = driftPaused(approvedOf(NONE, ''), listed({ ...NONE, tools }))
  let pauses = 0
  let step = work.next()
  for (; step.done !== true; step = work.next()) pauses++
  assert.equal(pauses, 2000)
  assert.equal(step.value.added.length, 2000)
})
