import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportInput } from './export-input.ts'

test('an export takes the filters of the list, and nothing else of its address', () => {
  const search = { status: '4xx', from: '-1h', record: 'r1', live: 'true', order: 'oldest' }
  assert.deepEqual(exportInput('records', 'csv', search), {
    of: 'records',
    format: 'csv',
    status: '4xx',
    from: '-1h',
  })
})

test('the filter of audit entries by reason has its name in exports', () => {
  assert.deepEqual(exportInput('audit', 'ndjson', { reason: 'launch', entry: 'a1' }), {
    of: 'audit',
    format: 'ndjson',
    with_reason: 'launch',
  })
})
