import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '../base/refusal.ts'
import { readGrant, writeGrant } from './grant-text.ts'

test('a grant is a role, and after it the types, collections, virtual MCPs and tags that it is narrowed to', () => {
  const none = { types: [], verbs: [], collections: [], virtualMcps: [], tags: [] }
  assert.deepEqual(readGrant('viewer', '/g'), { ...none, role: 'viewer' })
  assert.deepEqual(readGrant('modifier:proxies', '/g'), { ...none, role: 'modifier', types: ['proxies'] })
  assert.deepEqual(readGrant('modifier:proxies,collections@payments', '/g'), {
    role: 'modifier',
    verbs: [],
    types: ['proxies', 'collections'],
    collections: ['payments'],
    virtualMcps: [],
    tags: [],
  })
  assert.deepEqual(readGrant('publisher:proxies', '/g'), { ...none, role: 'publisher', types: ['proxies'] })
  assert.deepEqual(readGrant('viewer@tag:partner,orders,tag:eu', '/g'), {
    role: 'viewer',
    verbs: [],
    types: [],
    collections: ['orders'],
    virtualMcps: [],
    tags: ['partner', 'eu'],
  })
  assert.deepEqual(readGrant('modifier@mcp:desk,orders,mcp:shop', '/g'), {
    ...none,
    role: 'modifier',
    collections: ['orders'],
    virtualMcps: ['desk', 'shop'],
  })
})

const WRONG: Readonly<Record<string, RegExp>> = {
  '': /role must be one of viewer/,
  Owner: /role must be one of viewer, modifier, auditor, admin, or the slug/,
  rol_1: /or the slug of a custom role/,
  'viewer:': /types: collections, proxies/,
  'viewer:proxy': /types: collections, proxies/,
  'viewer:keys': /types: /,
  'viewer@': /collections, mcp: and a virtual MCP, or tag:/,
  'viewer@a,': /collections, mcp: and a virtual MCP, or tag:/,
  'viewer@mcp:': /after mcp:/,
  'viewer@tag:': /after tag:/,
  'viewer@tag:Big': /after tag:/,
  'viewer@a@b': /form is role:types@collections/,
  'viewer:proxies:clients': /form is/,
}
for (const [text, reason] of Object.entries(WRONG))
  test(`"${text}" is no grant, and the refusal says why`, () => {
    assert.throws(
      () => readGrant(text, '/grants/3'),
      (error: unknown) =>
        error instanceof Refusal &&
        error.code === 'input_invalid' &&
        reason.test(error.message) &&
        error.facts.errors?.[0]?.pointer === '/grants/3',
    )
  })

test('no text is read as more than it says', () => {
  const piece = fc.constantFrom(
    'viewer',
    'admin',
    'proxies',
    'orders',
    'tag:',
    'mcp:',
    'x',
    ':',
    '@',
    ',',
    ' ',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((all) => all.join('')),
      ),
      (text) => {
        let read: ReturnType<typeof readGrant>
        try {
          read = readGrant(text, '')
        } catch (error) {
          assert.ok(error instanceof Refusal)
          return
        }
        const { role, types, collections, virtualMcps, tags } = read
        assert.ok(text.startsWith(role))
        // Whatever stands behind the role narrows
        if (text !== role) assert.ok(types.length + collections.length + virtualMcps.length + tags.length > 0)
      },
    ),
    { numRuns: 2000 },
  )
})

test('a scope is written as it is read, with virtual MCPs behind mcp:', () => {
  const scope = { types: ['proxies'], verbs: [], collections: ['col_1', 'vmc_1'], tags: ['eu'] }
  const slugs = new Map([
    ['col_1', 'orders'],
    ['vmc_1', 'desk'],
  ])
  assert.equal(writeGrant('viewer', scope, slugs), 'viewer:proxies@orders,mcp:desk,tag:eu')
})
