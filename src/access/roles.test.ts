import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ROLES } from '../model/access/access.ts'
import type { Grant, Permission, Touched } from './principal.ts'
import { allows, intersect, isWithin, missingOf, partsOf, permits, UNPLACED } from './roles.ts'

const some = (...texts: string[]) => fc.subarray(texts)
const scope = fc.record({
  types: some('proxies', 'collections', 'audit'),
  verbs: some('read', 'update'),
  collections: some('col_a', 'col_b', 'vmc_a'),
  tags: some('x', 'y'),
})
const role: fc.Arbitrary<Grant['role']> = fc.oneof(
  fc.constantFrom(...ROLES),
  some('proxies:read', 'proxies:update', 'audit:read').map((permissions) => ({
    permissions: new Set(permissions),
  })),
)
const grant: fc.Arbitrary<Grant> = fc.oneof(fc.record({ role }), fc.record({ role, scope }))
const permission = fc.constantFrom<Permission>(
  'proxies:read',
  'proxies:update',
  'collections:read',
  'virtual_mcps:read',
  'audit:read',
  'keys:rotate',
)
const touched: fc.Arbitrary<Touched> = fc.record({
  collection: fc.constantFrom('col_a', 'col_b', 'col_c', 'vmc_a', 'vmc_b', null),
  tags: some('x', 'y', 'z'),
})

test('what may be done to one thing and the parts in which it may be done agree', () => {
  fc.assert(
    fc.property(fc.array(grant, { maxLength: 4 }), permission, touched, (grants, wanted, thing) => {
      const parts = partsOf({ grants }, wanted)
      assert.equal(
        permits({ grants }, wanted, thing),
        parts === null || parts.some((part) => isWithin(part, thing)),
      )
      // Nobody may do to one thing what they may do to nothing, and a scope adds nothing to its role
      if (permits({ grants }, wanted, thing)) assert.ok(permits({ grants }, wanted))
      if (permits({ grants }, wanted)) assert.ok(grants.some(({ role }) => allows(role, wanted)))
    }),
    { numRuns: 3000 },
  )
})

test('who lacks nothing of a grant may do all that it allows, to anything', () => {
  fc.assert(
    fc.property(
      fc.array(grant, { maxLength: 3 }),
      grant,
      permission,
      touched,
      (grants, given, wanted, thing) => {
        const missing = missingOf({ grants }, given)
        if (missing === null && permits({ grants: [given] }, wanted, thing))
          assert.ok(permits({ grants }, wanted, thing))
        if (missing !== null) assert.ok(permits({ grants: [given] }, missing))
      },
    ),
    { numRuns: 5000 },
  )
})

test('a grant is lacked where it reaches further than any single grant of the giver', () => {
  const of = (collections: string[], tags: string[] = []) => ({ types: [], verbs: [], collections, tags })
  const giver = { grants: [{ role: 'admin', scope: of(['col_a', 'col_b']) } as const] }
  assert.equal(missingOf(giver, { role: 'viewer', scope: of(['col_a']) }), null)
  assert.equal(missingOf(giver, { role: 'viewer', scope: of(['col_a'], ['x']) }), null)
  assert.equal(missingOf(giver, { role: 'viewer', scope: of(['col_c']) }), 'collections:read')
  assert.equal(missingOf(giver, { role: 'viewer', scope: of([]) }), 'collections:read')
  assert.equal(missingOf(giver, { role: 'viewer' }), 'collections:read')
  assert.equal(missingOf({ grants: [{ role: 'modifier' }] }, { role: 'admin' }), 'roles:read')
})

test('what lies in no collection and has no tags is beyond every scope that names some', () => {
  const within = { types: [], verbs: [], collections: ['col_a'], tags: [] }
  assert.equal(permits({ grants: [{ role: 'admin', scope: within }] }, 'keys:rotate', UNPLACED), false)
  assert.equal(permits({ grants: [{ role: 'admin' }] }, 'keys:rotate', UNPLACED), true)
})

test('what two lists of grants have in common allows nothing that one of them does not', () => {
  const grants = fc.array(grant, { maxLength: 3 })
  fc.assert(
    fc.property(grants, grants, permission, touched, (held, ceiling, wanted, thing) => {
      const both = intersect(held, ceiling)
      if (permits({ grants: both }, wanted, thing))
        for (const one of [held, ceiling]) assert.ok(permits({ grants: one }, wanted, thing))
      for (const one of both) assert.equal(missingOf({ grants: held }, one), null)
      // By tags it may be less, see there
      const isTagged = [...held, ...ceiling].some(({ scope }) => scope !== undefined && scope.tags.length > 0)
      if (
        !isTagged &&
        permits({ grants: held }, wanted, thing) &&
        permits({ grants: ceiling }, wanted, thing)
      )
        assert.ok(permits({ grants: both }, wanted, thing))
    }),
    { numRuns: 5000 },
  )
  assert.deepEqual(intersect([{ role: 'modifier' }], [{ role: 'admin' }]), [{ role: 'modifier' }])
  assert.deepEqual(intersect([{ role: 'admin' }], []), [])
})
