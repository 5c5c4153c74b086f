import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sampleRecords, type Traffic } from './records.ts'

const TRAFFIC: Traffic = {
  proxies: ['GET', 'POST'].map((method) => ({
    id: `prx_${method}`,
    collection: 'col_1',
    method,
    route: '/orders/v1/{id}',
    target: 'http://127.0.0.1:9',
  })),
  callers: [false, true].map((isAgent) => ({
    client: `cli_${isAgent}`,
    profile: `pro_${isAgent}`,
    isAgent,
    limit: 'gold/minute',
  })),
  virtualMcps: [{ id: 'vmc_1', slug: 'support', origin: 'ori_1' }],
  guardrails: [{ rule: 'grd_1', detector: 'pii', leg: 'response', action: 'mask' }],
}

/** What the records of two weeks say, apart from when. */
const said = (now: number): object[] =>
  [...sampleRecords(TRAFFIC, 500, now)].map(({ id: _, timeMs: __, agent, ...rest }) => ({
    ...rest,
    agent: agent && { ...agent, sessionId: '' },
  }))

test('what sample records say is the same at every time of the day', () => {
  const noon = Date.UTC(2026, 10, 27, 12)
  const records = said(noon)
  assert.ok(records.some((one) => 'guardrailHits' in one && one.guardrailHits !== ''))
  for (const hours of [1, 7, 13.5, 40]) assert.deepEqual(said(noon + hours * 3_600_000), records)
})
