import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { aboutsOf } from '../../build/document.ts'
import { groupsOf } from './navigation.ts'

const DOCUMENT = new URL('../../../test/golden/openapi.json', import.meta.url)
const RESOURCES = Object.keys(aboutsOf(JSON.parse(readFileSync(DOCUMENT, 'utf8'))))

test('each resource has a place in the side bar, and one without a place of its own is in the group More', () => {
  assert.equal(
    groupsOf(RESOURCES).some(({ label }) => label === 'More'),
    false,
  )
  const more = groupsOf([...RESOURCES, 'review_notes']).at(-1)
  assert.equal(more?.label, 'More')
  assert.deepEqual(
    more.places.map(({ label, to, needs }) => ({ label, to, needs })),
    [{ label: 'Review notes', to: '/review_notes', needs: 'review_notes.list' }],
  )
})
