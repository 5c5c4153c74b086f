import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GROUPINGS, questionOf, rowsOf } from './rows.ts'

const coverage = {
  ...{ from: '', to: '', truncated: false, complete_from: '', from_rollups: false, records_read: 1 },
  sampled: false as const,
}
const counts = { requests: 5, errors: 1, error_rate: 0.2, client_errors: 1, server_errors: 0, aborted: 0 }
const duration_ms = { p50: 3, p95: 9, p99: 12 }
const grouping = (by: string) => GROUPINGS.find((one) => one.by === by)!

test('each grouping asks the operation that gathers by it, and the order is sent where it is known', () => {
  assert.deepEqual(questionOf(grouping('client'), { from: '-1h' }, 'error_rate'), {
    operation: 'metrics.top',
    input: { from: '-1h', by: 'client', limit: 25, order: 'error_rate' },
  })
  assert.equal(questionOf(grouping('endpoint'), {}, 'error_rate').operation, 'metrics.error_endpoints')
  assert.equal(questionOf(grouping('endpoint'), {}, undefined).operation, 'metrics.top_endpoints')
  assert.deepEqual(questionOf(grouping('status'), { from: '-1h' }, 'error_rate'), {
    operation: 'metrics.status_codes',
    input: { from: '-1h' },
  })
})

test('a row has the filter that records and metrics narrow to it by', () => {
  const top = (by: 'client' | 'agent', id: string, slug: string | null) =>
    rowsOf(by, { ...coverage, by, entries: 1, items: [{ id, slug, ...counts, duration_ms }] })[0]
  assert.deepEqual(top('client', 'cli_1', 'acme')?.filter, { client: 'acme' })
  assert.deepEqual(top('client', 'cli_1', null)?.filter, { client: 'cli_1' })
  assert.deepEqual(top('agent', 'claude-ai', null)?.filter, { agent_name: 'claude-ai' })
  const status = (code: number) =>
    rowsOf('status', { ...coverage, items: [{ status: code, requests: 5, share: 1 }] })[0]
  assert.deepEqual(status(404)?.filter, { status: '404' })
  assert.equal(status(0)?.name, 'no answer')
})
