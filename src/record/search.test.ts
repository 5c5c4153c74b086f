import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { recordFields } from '../../test/programs/record-fields.ts'
import { RecordFiles } from '../../test/support/record-file.ts'
import { createClock } from '../base/clock.ts'
import { createRequestIds } from '../base/ids.ts'
import { Refusal } from '../base/refusal.ts'
import { CACHES, FAILURE_ORIGINS, OUTCOME_CLASSES, type RequestRecord } from '../model/record.ts'
import type { RecordFields, SurfaceNumber } from './fields.ts'
import { RecordFilter } from './record-selection.ts'
import { getRecord, listRecords } from './search.ts'

const files = new RecordFiles()
after(() => files[Symbol.dispose]())
const readerOf = (records: readonly RecordFields[], blockRows: number) => files.read(records, blockRows)

const clock = createClock()
const START = Date.parse('2026-01-01T00:00:00Z')
const few = (...words: string[]) => fc.constantFrom(...words)
const agent = (tool: string, name: string) => ({
  name,
  version: '1',
  sessionId: `s-${name}`,
  conversationId: `c-${tool}`,
  mcpMethod: 'tools/call',
  tool,
  mcpRequestId: '1',
  reason: '',
})
const members = fc.record({
  timeMs: fc.integer({ min: START, max: START + 50 }),
  surface: fc.constantFrom<SurfaceNumber>(0, 1, 2),
  method: few('GET', 'POST'),
  path: few('/orders', '/orders/7', '/pay'),
  collection: few('', 'col_a', 'col_"b"'),
  proxy: few('', 'prx_a'),
  virtualMcp: few('', 'vmc_a'),
  origin: few('', 'ori_a', 'vmc_a'),
  client: few('', 'cli_a', 'cli_b'),
  profile: few('', 'pro_a'),
  credentialId: few('', 'key_a', 'key_b'),
  status: fc.constantFrom(200, 201, 302, 404, 429, 502),
  code: few('', 'route_not_found'),
  check: few('', 'limits', 'kept answer', 'replay'),
  user: few('', 'usr_a'),
  subject: few('', 'ann', 'cli_a'),
  agentHost: few('', 'desktop'),
  upstreamTarget: few('', 'http://a:1'),
  upstreamStatus: fc.constantFrom(-1, 200, 502),
  retries: fc.constantFrom(-1, 0, 2),
  cache: fc.integer({ min: 0, max: 4 }),
  nearestLimit: few('', 'gold/minute'),
  traceId: few('', '0af7651916cd43dd8448eb211c80319c'),
  count: fc.constantFrom(1, 7),
  ip: few('127.0.0.1', '::1'),
  durationMs: fc.constantFrom(0.5, 20, 300),
  aborted: fc.boolean(),
  guardrailHits: few(
    '',
    JSON.stringify([{ rule: 'gdr_1' }]),
    JSON.stringify([{ rule: 'gdr_2', kind: 'gdr_1' }]),
  ),
  agent: fc.constantFrom(null, agent('execute_call', 'claude'), agent('list_endpoints', 'cursor')),
})
const filters = fc.record(
  {
    client: few('cli_a', 'cli_none'),
    profile: few('pro_a'),
    collection: few('col_a', 'col_"b"'),
    proxy: few('prx_a'),
    collections: fc.subarray(['col_a', 'col_"b"', 'col_none']),
    credential_id: few('key_a'),
    code: few('route_not_found'),
    status: few('200', '4xx', '201,302', '404, 5xx'),
    surface: fc.constantFrom('gateway', 'gateway_mcp', 'virtual_mcp', 'agent'),
    virtual_mcp: few('vmc_a', 'vmc_none'),
    origin: few('ori_a', 'col_a'),
    capability: few('execute_call', 'none'),
    method: few('GET'),
    path: few('/orders', '/pay'),
    mcp_method: few('tools/call', 'tools/list'),
    tool: few('execute_call'),
    agent_name: few('cursor'),
    session_id: few('s-claude'),
    conversation_id: few('c-list_endpoints'),
    ip: few('::1'),
    check: few('limits', 'contract', 'kept answer', 'replay'),
    outcome_class: few(...OUTCOME_CLASSES),
    failure_origin: few(...FAILURE_ORIGINS),
    user: few('usr_a'),
    subject: few('ann', 'cli_a'),
    agent_host: few('desktop'),
    upstream_target: few('http://a:1'),
    guardrail: few('gdr_1', 'gdr_none'),
    min_retries: fc.constantFrom(0, 1),
    cache: few(...CACHES),
    nearest_limit: few('gold/minute'),
    trace_id: few('0af7651916cd43dd8448eb211c80319c'),
    min_duration_ms: fc.constantFrom(20, 301),
    max_duration_ms: fc.constantFrom(0.5, 299),
    path_exact: few('/orders'),
    path_contains: few('ers/', 'pay'),
    route: few('/orders/v1/orders/{id}', '/none'),
    aborted: fc.boolean(),
    text: few('CURSOR', 'route_not', '/PAY', '::1'),
    from: fc.constant(new Date(START + 10).toISOString()),
    to: fc.constant(new Date(START + 40).toISOString()),
  },
  { requiredKeys: [] },
)

/** What the filter means, said again in the plainest way over the answers. */
function fits(record: RequestRecord, filter: Record<string, unknown>): boolean {
  return Object.entries(filter).every(([name, wanted]) => {
    if (name === 'from') return record.time >= String(wanted)
    if (name === 'to') return record.time < String(wanted)
    if (name === 'min_duration_ms') return record.duration_ms >= Number(wanted)
    if (name === 'max_duration_ms') return record.duration_ms <= Number(wanted)
    if (name === 'min_retries') return record.retries !== null && record.retries >= Number(wanted)
    if (name === 'guardrail') return record.guardrail_hits?.some(({ rule }) => rule === wanted) ?? false
    if (name === 'check') return record.check === (wanted === 'replay' ? 'kept answer' : wanted)
    if (name === 'surface' && wanted === 'agent') return record.surface !== 'gateway'
    if (name === 'path_exact') return record.path === wanted
    if (name === 'path_contains') return record.path.includes(String(wanted))
    if (name === 'text') return JSON.stringify(record).toLowerCase().includes(String(wanted).toLowerCase())
    if (name === 'collections') return (wanted as string[]).includes(record.collection ?? '')
    if (name === 'path') return record.path.startsWith(String(wanted))
    if (name === 'status')
      return String(wanted)
        .split(', ')
        .join(',')
        .split(',')
        .some((part) => part === String(record.status) || part === `${String(record.status)[0]}xx`)
    return record[name as keyof RequestRecord] === wanted
  })
}

test('any filter, page by page, gives exactly the records that fit, in either order', async () => {
  const cases = fc.tuple(
    fc.array(members, { maxLength: 60 }),
    fc.integer({ min: 1, max: 20 }),
    filters,
    fc.integer({ min: 1, max: 15 }),
    fc.constantFrom('newest', 'oldest'),
  )
  await fc.assert(
    fc.asyncProperty(cases, async ([list, blockRows, filter, limit, order]) => {
      const records = list.map((some, i) => recordFields({ ...some, id: `r${String(i).padStart(3, '0')}` }))
      const reader = await readerOf(records, blockRows)
      const all = (await listRecords(reader, clock, RecordFilter.parse({ limit: 200 }))).items
      assert.equal(all.length, records.length)
      assert.deepEqual(
        all.map(({ time, id }) => time + id),
        records
          .map(({ timeMs, id }) => new Date(timeMs).toISOString() + id)
          .sort()
          .reverse(),
      )
      const paged: RequestRecord[] = []
      let cursor: string | null = null
      do {
        const page = await listRecords(reader, clock, RecordFilter.parse({ ...filter, order, limit, cursor }))
        assert.ok(page.next_cursor === null || page.items.length === limit, 'only the last page may be short')
        paged.push(...page.items)
        cursor = page.next_cursor
      } while (cursor !== null)
      const fitting = all.filter((record) => fits(record, filter))
      assert.deepEqual(paged, order === 'newest' ? fitting : fitting.reverse())
      await reader.close()
    }),
    { numRuns: 150 },
  )
})

for (const order of ['newest', 'oldest'] as const)
  test(`a list, ${order} first, that runs out of time ends early, and its cursor goes on without a gap or a repetition`, async () => {
    const records = Array.from({ length: 300 }, (_, i) =>
      recordFields({ id: `r${i}`, timeMs: START + (i % 30), status: i % 7 === 0 ? 404 : 200 }),
    )
    const reader = await readerOf(records, 8)
    // Each look at the clock takes a second, so that a question reads two blocks or so.
    let now = 0
    const slow = { now: clock.now, monotonic: () => (now += 1000) }
    const ids: string[] = []
    let cursor: string | null = null
    let pages = 0
    do {
      const page = await listRecords(
        reader,
        slow,
        RecordFilter.parse({ status: '404', order, limit: 100, cursor }),
      )
      ids.push(...page.items.map(({ id }) => id))
      cursor = page.next_cursor
      pages++
      assert.ok(pages < 200, 'it comes to an end')
    } while (cursor !== null)
    assert.ok(pages > 3, `${pages} pages`)
    assert.equal(new Set(ids).size, ids.length)
    assert.equal(ids.length, records.filter(({ status }) => status === 404).length)
    await reader.close()
  })

test('one record is found by its id, ours or a foreign one, and an unknown id by nothing', async () => {
  const ids = createRequestIds(clock)
  const records = Array.from({ length: 50 }, () => recordFields({ id: ids(), timeMs: clock.now() }))
  const reader = await readerOf([...records, recordFields({ id: 'from-a-proxy', timeMs: START })], 7)
  assert.equal((await getRecord(reader, clock, records[20]!.id))?.id, records[20]!.id)
  assert.equal((await getRecord(reader, clock, 'from-a-proxy'))?.id, 'from-a-proxy')
  assert.equal(await getRecord(reader, clock, ids()), undefined)
  assert.equal(await getRecord(reader, clock, 'nobody'), undefined)
  await reader.close()
})

const HIT = { rule: 'gdr_1', detector: 'pii', leg: 'request', action: 'mask', observed: false, count: 2 }

test('a record reads back with every member, and what is missing is null', async () => {
  const full = recordFields({
    agent: { ...agent('execute_call', 'claude'), replayOf: 'req_0', replayedOver: 'cli' },
    user: 'usr_ann',
    subject: 'ann',
    agentHost: 'desktop',
    retries: 1,
    cache: 2,
    nearestLimit: 'gold/minute',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    surface: 1,
    upstreamMs: 1.125,
    guardrailHits: JSON.stringify([HIT]),
  })
  const bare = recordFields({
    id: 'bare',
    timeMs: START,
    route: '',
    collection: '',
    client: '',
    upstreamMs: -1,
    upstreamStatus: -1,
    stoppedAt: 4,
    check: 'route',
    status: 404,
    upstreamTarget: '',
    retries: -1,
    count: 12,
    code: 'route_not_found',
    reason: 'no base path',
    aborted: true,
  })
  const reader = await readerOf([full, bare], 2)
  const [one, two] = (await listRecords(reader, clock, RecordFilter.parse({}))).items
  assert.deepEqual(one, {
    id: 'req_1',
    time: '2027-01-15T08:00:00.000Z',
    environment: null,
    surface: 'gateway_mcp',
    method: 'GET',
    path: '/orders/v1/orders/7',
    route: '/orders/v1/orders/{id}',
    collection: 'col_orders',
    proxy: 'prx_get',
    virtual_mcp: null,
    origin: null,
    client: 'cli_acme',
    profile: 'pro_live',
    credential_id: 'key_1',
    user: 'usr_ann',
    subject: 'ann',
    ip: '127.0.0.1',
    status: 200,
    code: null,
    reason: null,
    contract_code: null,
    contract_pointer: null,
    contract_faults: null,
    stopped_at: null,
    check: null,
    outcome_class: 'success',
    failure_origin: null,
    duration_ms: 1.25,
    gateway_ms: 0.125,
    upstream_ms: 1.125,
    bytes_in: 0,
    bytes_out: 1024,
    upstream_status: 200,
    upstream_target: 'http://127.0.0.1:9000',
    retries: 1,
    cache: 'miss',
    nearest_limit: 'gold/minute',
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    aborted: false,
    agent_name: 'claude',
    agent_version: '1',
    agent_host: 'desktop',
    session_id: 's-claude',
    conversation_id: 'c-execute_call',
    mcp_method: 'tools/call',
    tool: 'execute_call',
    capability: null,
    mcp_request_id: '1',
    tokens_in: null,
    tokens_out: null,
    call_reason: null,
    replay_of: 'req_0',
    replayed_over: 'cli',
    guardrail_hits: [HIT],
    count: 1,
  })
  assert.deepEqual(
    [two?.route, two?.client, two?.upstream_ms, two?.upstream_status, two?.stopped_at, two?.aborted],
    [null, null, null, null, 4, true],
  )
  assert.deepEqual([two?.code, two?.reason], ['route_not_found', 'no base path'])
  assert.deepEqual(
    [two?.check, two?.outcome_class, two?.failure_origin, two?.upstream_target, two?.retries, two?.count],
    ['route', 'gateway_error', 'client', null, null, 12],
  )
  assert.deepEqual([two?.user, two?.subject, two?.agent_host], [null, null, null])
  assert.deepEqual([two?.cache, two?.nearest_limit, two?.trace_id], [null, null, null])
  await reader.close()
})

test('a call at a virtual MCP names virtual MCP, origin and capability, and has an estimate of its tokens', async () => {
  const call = recordFields({
    surface: 2,
    virtualMcp: 'vmc_desk',
    origin: 'ori_sums',
    collection: '',
    proxy: '',
    agent: agent('add', 'claude'),
    argumentBytes: 35,
    bytesOut: 64 + 700,
  })
  const refused = recordFields({
    surface: 2,
    id: 'refused',
    virtualMcp: 'vmc_desk',
    status: 401,
    collection: 'col_orders',
  })
  const reader = await readerOf([call, refused], 2)
  const found = async (filter: object) =>
    (await listRecords(reader, clock, RecordFilter.parse(filter))).items.map(({ id }) => id).sort()
  const [record] = (await listRecords(reader, clock, RecordFilter.parse({ origin: 'ori_sums' }))).items
  const { surface, virtual_mcp, origin, capability, tool, mcp_method, session_id, tokens_in, tokens_out } =
    record!
  assert.deepEqual(
    { surface, virtual_mcp, origin, capability, tool, mcp_method, session_id, tokens_in, tokens_out },
    {
      surface: 'virtual_mcp',
      virtual_mcp: 'vmc_desk',
      origin: 'ori_sums',
      capability: 'add',
      tool: null,
      mcp_method: 'tools/call',
      session_id: 's-claude',
      tokens_in: 10,
      tokens_out: 200,
    },
  )
  assert.deepEqual(await found({ virtual_mcp: 'vmc_desk' }), ['refused', 'req_1'])
  assert.deepEqual(await found({ surface: 'agent', capability: 'add' }), ['req_1'])
  assert.deepEqual(await found({ tool: 'add' }), [])
  assert.deepEqual(await found({ collections: ['col_orders'] }), ['refused'])
  const unread = await getRecord(reader, clock, 'refused')
  assert.deepEqual([unread?.tokens_in, unread?.tokens_out, unread?.capability], [null, null, null])
  await reader.close()
})

test('a check that was renamed is found by both names, and shown by that of today', async () => {
  const reader = await readerOf(
    ['replay', 'kept answer', 'limits'].map((check) => recordFields({ id: check, check })),
    1,
  )
  for (const check of ['replay', 'kept answer']) {
    const { items } = await listRecords(reader, clock, RecordFilter.parse({ check }))
    assert.deepEqual(items.map((record) => [record.id, record.check]).sort(), [
      ['kept answer', 'kept answer'],
      ['replay', 'kept answer'],
    ])
  }
  await reader.close()
})

test('a cursor that no list returned is refused', async () => {
  const reader = await readerOf([recordFields()], 1)
  for (const cursor of ['x', '', 'MTIz', Buffer.from('NaN id').toString('base64url'), 'MSBh=']) {
    await assert.rejects(
      listRecords(reader, clock, RecordFilter.parse({ cursor })),
      (error) => error instanceof Refusal && error.code === 'input_invalid',
      `cursor "${cursor}"`,
    )
  }
  await reader.close()
})
