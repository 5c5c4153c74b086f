import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CAPABILITY_TYPES } from '../../model/mcp/capability.ts'
import type { Catalogue } from '../../model/mcp/capability-drift.ts'
import { CapabilitySubset } from '../../model/mcp/capability-policy.ts'
import { selectionOf } from '../compile/capability-rules.ts'
import { linkCapabilities } from './capabilities.ts'
import { type Caller, type Capabilities, UNKNOWN } from './capability-caller.ts'
import { selectedOf } from './capability-selection.ts'

const CATALOGUE: Catalogue = {
  tools: ['whoami', 'orders_get', 'orders_list', 'pay'].map((name) => ({
    name,
    title: name === 'pay' ? 'Money' : 'Reading',
    inputSchema: { type: 'object' },
    ...(name === 'pay' ? {} : { annotations: { readOnlyHint: true } }),
  })),
  prompts: [{ name: 'greet' }, { name: 'part' }],
  resources: [
    { uri: 'file:///a/open', name: 'open' },
    { uri: 'file:///a/secret', name: 'secret' },
  ],
  resource_templates: [{ uriTemplate: 'file:///a/{+path}', name: 'files' }],
}

const KEYS = { tools: 'name', prompts: 'name', resources: 'uri', resource_templates: 'uriTemplate' } as const

function linked(): Capabilities {
  const names = Object.fromEntries(
    CAPABILITY_TYPES.map((type) => [
      type,
      CATALOGUE[type].map((item) => {
        const name = String(item[KEYS[type]])
        return { member: 'm', key: name, name }
      }),
    ]),
  ) as unknown as Parameters<typeof linkCapabilities>[1]
  const rules = { pin: 'off', new_items: 'show' } as const
  return linkCapabilities([{ id: 'm', prefix: 'm', rules, catalogue: CATALOGUE, approved: null }], names)
}

const caller: Caller = {
  client: { id: 'hst_a', slug: 'a' },
  profile: { id: 'bnd_a', slug: 'a' },
  user: null,
  claims: {},
}
const left = (subset: object): Capabilities =>
  selectedOf(linked(), selectionOf(CapabilitySubset.parse(subset)))
const namesIn = (all: Capabilities, type: keyof Catalogue = 'tools'): string[] =>
  all.visible(caller, type).items.map(({ name }) => name)

test('lists have the selected items, and calls of the others are answered like unknown names', () => {
  const some = left({ tools: ['whoami', 'orders_*'], prompts: [] })
  assert.deepEqual(namesIn(some), ['whoami', 'orders_get', 'orders_list'])
  assert.deepEqual(namesIn(some, 'prompts'), [])
  assert.equal(namesIn(some, 'resources').length, 2)
  assert.doesNotMatch(some.visible(caller, 'tools').json, /pay/)
  assert.equal(some.call(caller, 'tools', 'orders_get', {}).kind, 'admitted')
  for (const name of ['pay', 'missing', 'ORDERS_GET', 'whoami2'])
    assert.equal(some.call(caller, 'tools', name, {}), UNKNOWN, name)
  assert.equal(some.call(caller, 'prompts', 'greet', {}), UNKNOWN)
  assert.equal(some.find(caller, 'tools', 'pay'), null)
  assert.equal(some.explain(caller, 'tools', 'pay').shown, false)
  assert.equal(some.visible(caller, 'tools'), some.visible(caller, 'tools'))
})

test('items are selected by hints and titles as by a capability policy', () => {
  assert.deepEqual(namesIn(left({ tools: [{ annotation: 'readOnlyHint', is: false }] })), ['pay'])
  assert.deepEqual(namesIn(left({ tools: [{ glob: 'Mon*', on: 'title' }] })), ['pay'])
  assert.deepEqual(namesIn(left({ tools: [{ exact: 'orders_*' }] })), [])
})

test('a resource that is left out cannot be read through a template that is left', () => {
  const some = left({ resources: ['file:///a/open'] })
  assert.equal(some.read(caller, 'file:///a/open').kind, 'admitted')
  assert.equal(some.read(caller, 'file:///a/other').kind, 'admitted')
  for (const uri of [
    'file:///a/secret',
    'file:///a/b/../secret',
    'file:///a/./secret',
    'file:///a/%73ecret',
    'file:///a/b%2f..%2fsecret',
  ])
    assert.equal(some.read(caller, uri), UNKNOWN, uri)
  const none = left({ resource_templates: [] })
  assert.equal(none.read(caller, 'file:///a/secret').kind, 'admitted')
  assert.equal(none.read(caller, 'file:///a/other'), UNKNOWN)
})

test('with resources restricted, a URI that nothing lists is unknown', () => {
  assert.equal(linked().read(caller, 'other://x').kind, 'admitted')
  assert.equal(left({ tools: [] }).read(caller, 'other://x').kind, 'admitted')
  assert.equal(left({ resources: ['file:///a/open'] }).read(caller, 'other://x'), UNKNOWN)
  assert.equal(left({ resource_templates: [] }).read(caller, 'other://x'), UNKNOWN)
})

test('for any subset, a tool can be called exactly if it is listed', () => {
  const names = CATALOGUE.tools.map(({ name }) => String(name))
  const text = fc.oneof(
    fc.constantFrom(...names, '*', 'orders_*', '*a*', 'w*i', '**'),
    fc.string({ minLength: 1, maxLength: 12 }),
  )
  fc.assert(
    fc.property(fc.array(text, { maxLength: 6 }), (tools) => {
      const some = left({ tools })
      const listed = new Set(namesIn(some))
      for (const name of names)
        assert.equal(some.call(caller, 'tools', name, {}) !== UNKNOWN, listed.has(name), name)
    }),
  )
})

test('what a type does not have is refused', () => {
  for (const subset of [
    { prompts: [{ annotation: 'readOnlyHint', is: true }] },
    { tools: [{ glob: '*', on: 'uri' }] },
    { tools: [''] },
    { others: [] },
  ])
    assert.equal(CapabilitySubset.safeParse(subset).success, false, JSON.stringify(subset))
})
