import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROLES } from '../../../../src/model/access/access.ts'
import { BUILT_IN_ROLES } from './built-in-roles.ts'

test('the page of roles lists each built-in role', () => {
  assert.deepEqual(
    BUILT_IN_ROLES.map(({ role }) => role),
    [...ROLES],
  )
})
