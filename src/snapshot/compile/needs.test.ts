import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policy } from '../../../test/gateway/fragments.ts'
import { FORM, type PolicyFragment } from '../fragments.ts'
import { COMPILE } from './kinds.ts'
import { type Need, withNeeds } from './sources.ts'

test('a fragment needs the newest form of the restrictions that it carries, and none without', () => {
  const rules: Need<PolicyFragment>[] = [
    { form: 2, when: ({ x_ratelimit }) => x_ratelimit === true },
    { form: 3, when: ({ active }) => !active },
  ]
  const needs = (given: Partial<PolicyFragment>) =>
    withNeeds({ ...policy('gold', []), ...given }, rules).needs
  assert.deepEqual(
    [
      needs({}),
      needs({ x_ratelimit: true }),
      needs({ active: false }),
      needs({ x_ratelimit: true, active: false }),
    ],
    [undefined, 2, 3, 3],
  )
  const plain = policy('gold', [])
  assert.equal(withNeeds(plain, rules), plain)
  assert.equal(withNeeds(plain), plain)
})

test('this version links every form that it compiles', () => {
  for (const [kind, row] of Object.entries(COMPILE)) {
    const rules: readonly { readonly form: number }[] = row.needs ?? []
    for (const { form } of rules) assert.ok(form > 1 && form <= FORM, kind)
  }
})
