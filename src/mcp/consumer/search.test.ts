import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  CONTRACTS,
  collection,
  ENDPOINTS,
  endpointOf,
  fakeGateway,
} from '../../../test/support/fake-gateway.ts'
import { wordsOf } from '../../base/text/search.ts'
import { estimateTokens } from '../../base/text/token-estimate.ts'
import type { Endpoint } from '../../gateway/port.ts'
import { createSearchIndex, createSearchIndexes } from './catalogue.ts'
import { HIT_TOKENS_MAX, hitOf, listsSearch } from './discover.ts'

const contractOf = ({ proxy }: Endpoint) => CONTRACTS[proxy.id] ?? null
const shop = await createSearchIndex(ENDPOINTS, contractOf)
const found = (query: string, among: string | null = null): string[] =>
  shop.search(query, among).map(({ proxy }) => proxy.slug)

test('the endpoint that says most of what is asked comes first', () => {
  assert.equal(found('cancel an order')[0], 'cancel-order')
  assert.equal(found('create orders')[0], 'create-order')
  assert.equal(found('change the order')[0], 'change-order')
  assert.equal(found('read a file')[0], 'read-file')
  // By an operation id, a parameter, and the beginning of a word
  assert.equal(found('listOrders')[0], 'list-orders')
  assert.deepEqual(found('tenant'), ['list-orders'])
  assert.deepEqual(found('canc'), ['cancel-order'])
  // By another ending
  assert.equal(found('creating orders')[0], 'create-order')
})

test('a name, a path, or a method with its path finds its very endpoint', () => {
  for (const { proxy, path, methods } of ENDPOINTS)
    for (const query of [proxy.name, proxy.slug, `${methods[0]} ${path}`])
      assert.equal(found(query)[0], proxy.slug, query)
})

test('a verb prefers its method, and words that stand nowhere find nothing', () => {
  assert.equal(found('modify /v1/orders/{id}')[0], 'change-order')
  assert.deepEqual(found('quantum chromodynamics'), [])
  assert.deepEqual(found('the of a'), [])
  assert.deepEqual(found(' \n%$'), [])
})

test('one collection alone is searched where one is named', () => {
  assert.deepEqual(found('order file', 'col_files'), ['read-file'])
  assert.deepEqual(found('order file', 'col_none'), [])
})

test('what is counted for the ranking is counted among the endpoints of the list', async () => {
  const some = ENDPOINTS.filter(({ proxy }) => proxy.slug !== 'cancel-order')
  const index = await createSearchIndex(some, contractOf)
  assert.deepEqual(index.search('cancel', null), [])
})

test('an index is made once for a list, also for callers who ask meanwhile', async () => {
  const indexes = createSearchIndexes()
  let read = 0
  const counting = (endpoint: Endpoint) => {
    read++
    return contractOf(endpoint)
  }
  const [one, two] = await Promise.all([indexes(ENDPOINTS, counting), indexes(ENDPOINTS, counting)])
  assert.equal(one, two)
  assert.equal(read, ENDPOINTS.length)
  // More endpoints than are kept: the first list is forgotten, and indexed again
  const many = Array.from({ length: 40_000 }, () => ENDPOINTS[0]!)
  await indexes(many, contractOf)
  assert.notEqual(await indexes(ENDPOINTS, contractOf), one)
})

test('any query and any names give a bounded answer', async () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.constant('orders'))
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ name: text, path: text, tag: text, description: text }), { maxLength: 20 }),
      fc.array(text, { maxLength: 8 }),
      async (given, words) => {
        const of = collection('any', 'Any', '/any')
        const endpoints = given.map(({ name, path, tag }, index) =>
          endpointOf(of, `e${index}`, name, ['GET'], `/${path}`, [tag]),
        )
        const texts = new Map(endpoints.map(({ proxy }, index) => [proxy.id, given[index]!.description]))
        const index = await createSearchIndex(endpoints, ({ proxy }) => ({
          ...CONTRACTS['prx_create-order']!,
          description: texts.get(proxy.id)!,
        }))
        const query = words.join(' ')
        const hits = index.search(query, null)
        assert.deepEqual(hits, index.search(query, null))
        assert.equal(new Set(hits).size, hits.length)
        for (const hit of hits) {
          assert.ok(endpoints.includes(hit))
          const shown = hitOf(hit, texts.get(hit.proxy.id)!)
          assert.ok(estimateTokens(JSON.stringify(shown)) <= HIT_TOKENS_MAX)
        }
        for (const { name } of given)
          if (wordsOf(name).length > 0) assert.ok(index.search(name, null).length > 0, name)
      },
    ),
    { numRuns: 150 },
  )
})

test('a hit has at most 60 tokens, whatever its texts, and keeps what a call needs', () => {
  const of = collection('any', 'Any', '/any')
  const long = 'word and another word '.repeat(40)
  for (const [name, path] of [
    ['Short', '/short'],
    [long, '/short'],
    ['Short', `/${'segment/'.repeat(60)}`],
    [long, `/${'segment/'.repeat(60)}`],
    ['日本語の名前'.repeat(30), '/日本'],
  ] as const) {
    const hit = hitOf(endpointOf(of, 'one', name, ['GET', 'PUT', 'PATCH', 'DELETE'], path), long)
    assert.ok(estimateTokens(JSON.stringify(hit)) <= 60, JSON.stringify(hit))
    assert.equal(hit['endpoint_id'], 'prx_one')
  }
  const [first] = ENDPOINTS
  assert.deepEqual(hitOf(first!, 'Reads.\n\nMore.'), {
    endpoint_id: 'prx_read-file',
    name: 'Read file',
    methods: ['GET'],
    path: '/files/v1/raw/*',
    description: 'Reads.',
  })
})

test('the tool is listed above 30 endpoints, unless the profile says otherwise', () => {
  assert.deepEqual([listsSearch(undefined, 30), listsSearch(undefined, 31)], [false, true])
  assert.deepEqual([listsSearch('on', 0), listsSearch('off', 1000)], [true, false])
  assert.equal(fakeGateway().endpoints({} as never).length < 30, true)
})

test('an index that could not be made is made again', async () => {
  const indexes = createSearchIndexes()
  const broken = () => {
    throw new Error('broken')
  }
  await assert.rejects(indexes(ENDPOINTS, broken), /broken/)
  assert.ok((await indexes(ENDPOINTS, contractOf)).search('orders', null).length > 0)
})
