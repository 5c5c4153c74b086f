import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grantChoices, grantLines } from './grants.ts'

const SCOPE = { resource_types: [], verbs: [], collections: ['orders'], virtual_mcps: [], tags: [] }

test('each grant with a role is a choice with a sentence, and one of single permissions is none', () => {
  assert.deepEqual(
    grantChoices([
      { grant: 'viewer@orders', role: 'viewer', scope: SCOPE },
      { grant: 'permissions', role: null, scope: SCOPE },
    ]),
    [{ grant: 'viewer@orders', sentence: 'You may read everything in the collection orders.' }],
  )
})

test('lines are grants, without spaces around them and without empty lines', () => {
  assert.deepEqual(grantLines(' viewer@orders \n\nmodifier:proxies\n'), ['viewer@orders', 'modifier:proxies'])
})
