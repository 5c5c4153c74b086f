import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelOfDrift } from './capability.ts'

test('drift of instructions and of metadata has a label as that of capabilities has', () => {
  assert.deepEqual((['tools', 'resource_templates', 'instructions', 'metadata'] as const).map(labelOfDrift), [
    'Tools',
    'Resource templates',
    'Instructions',
    'Metadata',
  ])
})
