import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Contract, ContractsFragment } from '../../src/snapshot/fragments.ts'
import { client, collection, proxy, upstream } from './fragments.ts'
import { type Served, serve } from './serve.ts'

const contract = (request_schema: Contract['request_schema']): Contract => ({
  description: '',
  operation_id: null,
  parameters: [],
  request_types: [],
  request_required: true,
  request_schema,
  response_schema: null,
})

const contracts = (whole: object): ContractsFragment => ({
  kind: 'contracts',
  id: 'col_orders',
  schemas: 'schemas:sha256-1',
  json: JSON.stringify({
    prx_whole: contract(whole as Contract['request_schema']),
    prx_part: contract({ type: 'object', properties: { size: { $ref: '#/$defs/Size' } } }),
    prx_noted: contract({ enum: [] }),
  }),
})

const held = (mode: 'enforce' | 'report') => ({
  methods: ['POST'] as const,
  contract: { mode, strict_query: false },
})

let served: Served
before(async () => {
  served = await serve((port) => [
    collection('orders', {
      upstream: upstream(port),
      proxies: [
        proxy('whole', '/whole', held('enforce')),
        proxy('part', '/part', held('enforce')),
        proxy('noted', '/noted', held('report')),
      ],
    }),
    contracts({ enum: [] }),
    { kind: 'schemas', id: 'sha256-1', json: JSON.stringify({ Size: { minimum: 'low' } }) },
    client('acme'),
  ])
})
after(() => served.close())

async function post(path: string) {
  const headers = { 'x-client-id': 'acme', 'x-profile-id': 'open', 'content-type': 'application/json' }
  const index = served.records.length
  const answer = await served.ask(`/orders${path}`, { method: 'POST', headers, body: '{"size":1}' })
  const { reason, stoppedAt } = await served.record(index)
  return {
    status: answer.status,
    code: answer.json['code'],
    detail: String(answer.json['detail']),
    reason,
    stoppedAt,
  }
}

test('a contract that cannot be used, or leads to a schema that cannot, stops calls and says whom it concerns', async () => {
  for (const path of ['/whole', '/part'])
    for (let i = 0; i < 2; i++) {
      const { status, code, detail, reason, stoppedAt } = await post(path)
      assert.deepEqual([status, code, stoppedAt], [500, 'route_unavailable', 14], path)
      assert.match(detail, /^The contract of the endpoint cannot be used.*Operators see .*the log/)
      assert.match(
        reason,
        path === '/whole' ? /enum must have non-empty array/ : /the shared schema "Size" cannot be used/,
      )
      assert.ok(!detail.includes('enum'), 'why is not for callers')
    }
  const noted = await post('/noted')
  assert.deepEqual([noted.status, noted.reason.startsWith('contract: ')], [200, true])
  const told = served.faults.map((fault) => fault.split(':', 2).join(':'))
  assert.deepEqual(
    told.toSorted(),
    ['noted', 'part', 'whole'].map((slug) => `proxy orders:${slug} has a contract that cannot be used`),
    'each once',
  )
})

test('a contract that is mended lets calls through again', async () => {
  served.apply([contracts({ type: 'object' })])
  assert.equal((await post('/whole')).status, 200)
})
