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

/** Parameters of the path, and bodies with one of some names. */
const ofFile = (kinds: readonly string[] | null, body: string): Contract => ({
  ...contract({ type: 'object', required: [body] }),
  parameters:
    kinds === null
      ? []
      : [{ name: 'ext', in: 'path', required: true, type: 'string', description: '', enum: [...kinds] }],
  response_schema: { type: 'object', required: [body] },
})

const contracts = (whole: object): ContractsFragment => ({
  kind: 'contracts',
  id: 'col_orders',
  schemas: 'schemas:sha256-1',
  json: JSON.stringify({
    prx_whole: contract(whole as Contract['request_schema']),
    prx_part: contract({ type: 'object', properties: { size: { $ref: '#/$defs/Size' } } }),
    prx_noted: contract({ enum: [] }),
    prx_file: ofFile(null, 'file'),
    prx_kind: ofFile(['png', 'gif'], 'kind'),
    prx_exact: ofFile(null, 'exact'),
    'prx_noted-kind': ofFile(['png'], 'kind'),
    'prx_noted-file': ofFile(null, 'file'),
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
        proxy('file', '/files/{name}', held('enforce')),
        proxy('kind', '/files/{name}.{ext}', held('enforce')),
        proxy('exact', '/files/{name}.json', held('enforce')),
        proxy('noted-kind', '/noted/{name}.{ext}', held('report')),
        proxy('noted-file', '/noted/{name}', held('report')),
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
      assert.match(detail, /^The contract of the endpoint cannot be used.*Operators find .*the process log/)
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

test('a path that two patterns take is judged by the contract of either', async () => {
  const headers = { 'x-client-id': 'acme', 'x-profile-id': 'open', 'content-type': 'application/json' }
  const put = async (path: string, member: string) => {
    const index = served.records.length
    const answer = await served.ask(`/orders${path}`, { method: 'POST', headers, body: `{"${member}":1}` })
    const { reason } = await served.record(index)
    const [error] = (answer.json['errors'] ?? []) as readonly { pointer: string }[]
    return answer.status === 200 ? [200, reason] : [answer.json['code'], error?.pointer]
  }
  assert.deepEqual(await put('/files/a.png', 'kind'), [200, ''])
  assert.deepEqual(await put('/files/a.b.png', 'kind'), [200, ''])
  // `a.tar` may be a name, of which the other operation takes the body
  assert.deepEqual(await put('/files/a.tar', 'file'), [200, ''])
  assert.deepEqual(await put('/files/a.png', 'file'), [200, ''])
  // What neither takes is told by the contract that was matched
  assert.deepEqual(await put('/files/a.tar', 'kind'), ['parameter_invalid', '/path/ext'])
  assert.deepEqual(await put('/files/a.png', 'other'), ['body_invalid', '/kind'])
  // Without a dot, or with the text of a pattern, a path says which one is meant
  assert.deepEqual(await put('/files/a', 'kind'), ['body_invalid', '/file'])
  assert.deepEqual(await put('/files/a.json', 'exact'), [200, ''])
  assert.deepEqual(await put('/files/a.json', 'file'), ['body_invalid', '/exact'])
  assert.deepEqual(await put('/noted/a.tar', 'file'), [200, ''])
  assert.match(String((await put('/noted/a.tar', 'kind'))[1]), /ext/)
})
