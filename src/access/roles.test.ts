import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Grant, Permission, Touched } from './principal.ts'
import { ROLES } from './principal.ts'
import { allows, EVERYTHING, isWithin, partsOf, permits } from './roles.ts'

const some = (...texts: string[]) => fc.subarray(texts)
const scope = fc.record({
  types: some('proxies', 'collections', 'audit'),
  collections: some('col_a', 'col_b'),
  tags: some('x', 'y'),
})
const grant: fc.Arbitrary<Grant> = fc.oneof(
  fc.record({ role: fc.constantFrom(...ROLES) }),
  fc.record({ role: fc.constantFrom(...ROLES), scope }),
)
const permission = fc.constantFrom<Permission>(
  'proxies:read',
  'proxies:update',
  'collections:read',
  'audit:read',
  'keys:rotate',
)
const touched: fc.Arbitrary<Touched> = fc.record({
  collection: fc.constantFrom('col_a', 'col_b', 'col_c', null),
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

test('what lies in no collection and has no tags is beyond every scope that names some', () => {
  const within = { types: [], collections: ['col_a'], tags: [] }
  assert.equal(permits({ grants: [{ role: 'admin', scope: within }] }, 'keys:rotate', EVERYTHING), false)
  assert.equal(permits({ grants: [{ role: 'admin' }] }, 'keys:rotate', EVERYTHING), true)
})
