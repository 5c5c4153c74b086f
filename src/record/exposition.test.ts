import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordFields } from '../../test/programs/record-fields.ts'
import { parseExposition } from '../../test/support/exposition-parser.ts'
import { PROBLEMS } from '../base/refusal.ts'
import { CHECK_NAMES } from '../gateway/check-names.ts'
import { type ExpositionFormat, toExposition } from './exposition.ts'
import {
  COLLECTIONS_MAX,
  createCountMemory,
  MODELS_MAX,
  OTHERS,
  RequestCounts,
  readCounts,
  VIRTUAL_MCPS_MAX,
} from './request-counts.ts'

const SLOTS = 3
const FIGURES = {
  version: '1.2.3',
  startedAt: 1_800_000_000,
  cpuSeconds: 1.5,
  residentBytes: 100_000_000,
  ready: true,
  threads: 2,
  workers: 2,
  stalled: 1,
  nodes: { counted: 2, silent: 1 },
  isValkeyUp: false,
  originsDown: 2,
  replaced: { died: 3, hung: 0 },
  recordsDropped: 0,
  stores: {
    configuration: { isAvailable: true, fault: null },
    records: { isAvailable: false, fault: 'disk_full' },
  },
}
const collection = (number: number) => ({ id: `col_${number}`, fragment: { slug: `c-${number}` } })

function page(memory: SharedArrayBuffer, format: ExpositionFormat = 'prometheus') {
  const text = toExposition(readCounts(memory, SLOTS, CHECK_NAMES), FIGURES, format)
  return parseExposition(text, format)
}

function sumOf(families: ReturnType<typeof page>, name: string, labels: Record<string, string>): number {
  const found = families
    .flatMap(({ series }) => series)
    .filter((one) => one.name === name)
    .filter((one) => Object.entries(labels).every(([label, value]) => one.labels[label] === value))
  return found.reduce((sum, { value }) => sum + value, 0)
}

test('what several threads count is summed up, in both formats', () => {
  const memory = createCountMemory(SLOTS)
  const threads = [0, 1].map((slot) => new RequestCounts(memory, slot, CHECK_NAMES))
  for (const thread of threads) {
    thread.add(recordFields({ durationMs: 3, upstreamMs: 2 }), collection(1))
    thread.add(
      recordFields({ status: 429, code: 'rate_limit_exceeded', check: 'limits', upstreamMs: -1 }),
      collection(1),
    )
    thread.add(recordFields({ status: 404, code: 'route_not_found', check: 'route', upstreamMs: -1 }), null)
    thread.add(recordFields({ surface: 1, status: 0, upstreamMs: -1 }), collection(2))
  }
  for (const format of ['prometheus', 'openmetrics'] as const) {
    const families = page(memory, format)
    const at = (name: string, labels: Record<string, string>) => sumOf(families, name, labels)
    assert.equal(at('postern_requests_total', { collection: 'c-1', surface: 'gateway', class: '2xx' }), 2)
    assert.equal(at('postern_requests_total', { collection: '', class: '4xx' }), 2)
    assert.equal(at('postern_requests_total', { surface: 'gateway_mcp', class: 'none' }), 2)
    assert.equal(at('postern_refusals_total', { check: 'limits', code: 'rate_limit_exceeded' }), 2)
    assert.equal(at('postern_upstream_duration_seconds_count', { collection: 'c-1' }), 2)
    assert.equal(at('postern_upstream_duration_seconds_bucket', { collection: 'c-1', le: '0.001' }), 0)
    assert.equal(at('postern_upstream_duration_seconds_bucket', { collection: 'c-1', le: '0.0025' }), 2)
    assert.equal(at('postern_gateway_duration_seconds_count', { collection: 'c-1' }), 4)
    assert.equal(at('postern_gateway_duration_seconds_count', { collection: 'c-2' }), 0)
    assert.deepEqual(
      [
        at('postern_store_available', { store: 'configuration' }),
        at('postern_store_available', { store: 'records' }),
        at('postern_store_fault', { store: 'configuration' }),
        at('postern_store_fault', { store: 'records', fault: 'disk_full' }),
      ],
      [1, 0, 0, 1],
    )
  }
})

test('messages at virtual MCPs are counted by virtual MCP and class, and once among all requests', () => {
  const memory = createCountMemory(SLOTS)
  const threads = [0, 1].map((slot) => new RequestCounts(memory, slot, CHECK_NAMES))
  for (const thread of threads) {
    thread.add(recordFields({ surface: 2 }), null, collection(1))
    thread.add(recordFields({ surface: 2, status: 502 }), null, collection(2))
    // At a slug that no virtual MCP has
    thread.add(recordFields({ surface: 2, status: 404 }), null)
    thread.add(recordFields(), collection(1))
  }
  const families = page(memory)
  const at = (name: string, labels: Record<string, string>) => sumOf(families, name, labels)
  assert.deepEqual(
    [
      at('postern_virtual_mcp_requests_total', { virtual_mcp: 'c-1', class: '2xx' }),
      at('postern_virtual_mcp_requests_total', { virtual_mcp: 'c-2', class: '5xx' }),
      at('postern_virtual_mcp_requests_total', {}),
    ],
    [2, 2, 4],
  )
  assert.deepEqual(
    [
      at('postern_requests_total', { surface: 'virtual_mcp', collection: '' }),
      at('postern_requests_total', { surface: 'virtual_mcp', class: '4xx' }),
      at('postern_requests_total', { surface: 'gateway', collection: 'c-1' }),
      at('postern_requests_total', {}),
    ],
    [6, 2, 2, 8],
  )
})

test('tokens are counted by model and kind, and models beyond the bound together', () => {
  const memory = createCountMemory(SLOTS)
  const threads = [0, 1].map((slot) => new RequestCounts(memory, slot, CHECK_NAMES))
  for (const thread of threads) {
    thread.addTokens('small', 3, 2)
    // They differ beyond what is kept of a name
    for (const end of ['a', 'b']) thread.addTokens(`${'m'.repeat(64)}${end}`, 1, 0)
    for (let number = 0; number < MODELS_MAX; number++) thread.addTokens(`model-${number}`, 1, 1)
  }
  const families = page(memory)
  const at = (labels: Record<string, string>) => sumOf(families, 'postern_llm_tokens_total', labels)
  assert.deepEqual(
    [at({ model: 'small', kind: 'prompt' }), at({ model: 'small', kind: 'completion' })],
    [6, 4],
  )
  assert.equal(at({ model: 'm'.repeat(64), kind: 'prompt' }), 4)
  assert.equal(at({ model: OTHERS, kind: 'prompt' }), 4)
  assert.equal(at({}), 10 + 4 + 2 * 2 * MODELS_MAX)
})

test('however many collections, checks and codes there are, the page stays below 5,000 series', () => {
  const memory = createCountMemory(SLOTS)
  const counts = new RequestCounts(memory, 0, CHECK_NAMES)
  const statuses = [0, 100, 200, 300, 400, 500]
  for (let number = 0; number < 500; number++)
    for (const status of statuses)
      for (const surface of [0, 1, 2] as const)
        counts.add(
          recordFields({ status, surface, upstreamMs: 1 }),
          surface === 2 ? null : collection(number),
          surface === 2 ? collection(number) : null,
        )
  for (const check of CHECK_NAMES)
    for (const code of Object.keys(PROBLEMS)) counts.add(recordFields({ check, code }), null)
  const families = page(memory)
  const series = families.reduce((sum, family) => sum + family.series.length, 0)
  assert.ok(series < 5000, `${series} series`)
  const requests = families.find(({ name }) => name === 'postern_requests_total')!.series
  assert.equal(new Set(requests.map(({ labels }) => labels['collection'])).size, COLLECTIONS_MAX + 2)
  assert.equal(
    sumOf(families, 'postern_requests_total', { collection: OTHERS }),
    (500 - COLLECTIONS_MAX) * statuses.length * 2,
  )
  const ofVirtualMcps = families.find(({ name }) => name === 'postern_virtual_mcp_requests_total')!.series
  assert.equal(new Set(ofVirtualMcps.map(({ labels }) => labels['virtual_mcp'])).size, VIRTUAL_MCPS_MAX + 1)
  assert.equal(
    sumOf(families, 'postern_virtual_mcp_requests_total', { virtual_mcp: OTHERS }),
    (500 - VIRTUAL_MCPS_MAX) * statuses.length,
  )
  assert.equal(
    requests.reduce((sum, { value }) => sum + value, 0),
    500 * statuses.length * 3 + CHECK_NAMES.length * Object.keys(PROBLEMS).length,
  )
})

test('no series falls when collections are renamed, deleted and named like deleted ones', () => {
  const memory = createCountMemory(SLOTS)
  const threads = [0, 1].map((slot) => new RequestCounts(memory, slot, CHECK_NAMES))
  const named = (id: number, slug: string) => ({ id: `col_${id}`, fragment: { slug } })
  const highest = new Map<string, number>()
  // The second is renamed to the slug of the first, which is gone; then to a new one, and back to its own
  for (const [id, slug] of [
    [1, 'orders'],
    [1, 'orders'],
    [2, 'shop'],
    [2, 'orders'],
    [2, 'sales'],
    [2, 'shop'],
    [3, 'sales'],
  ] as const) {
    for (const thread of threads) thread.add(recordFields(), named(id, slug))
    const series = page(memory).flatMap((family) => (family.type === 'gauge' ? [] : family.series))
    const now = new Map(series.map((one) => [JSON.stringify([one.name, one.labels]), one.value]))
    for (const [key, before] of highest) assert.ok(now.get(key)! >= before, key)
    for (const [key, value] of now) highest.set(key, value)
  }
  const count = (slug: string) => sumOf(page(memory), 'postern_requests_total', { collection: slug })
  assert.deepEqual(['orders', 'shop', 'sales'].map(count), [6, 4, 4])
})
