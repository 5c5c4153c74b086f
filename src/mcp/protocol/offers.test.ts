import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../../test/support/any-json.ts'
import { startDoor } from '../../../test/support/mcp-endpoint.ts'
import type { ToolDoor } from './door.ts'

const PROMPT = {
  name: 'greet',
  title: 'Greet',
  description: 'Says hello',
  arguments: [{ name: 'who', description: 'Whom', required: true }],
}
const PLACE = { uri: 'place://1', name: 'one', mimeType: 'text/plain' }
const OFFERS: Pick<ToolDoor<string>, 'prompts' | 'resources' | 'complete'> = {
  prompts: {
    list: () => [PROMPT],
    get: async (caller, name, { who }) => `${name} ${who} for ${caller}`,
  },
  resources: {
    list: async (_caller, cursor) => {
      if (cursor === null) return { resources: [PLACE], nextCursor: 'two' }
      return cursor === 'two' ? { resources: [], nextCursor: null } : null
    },
    templates: () => [
      { uriTemplate: 'place://{id}', name: 'place', title: 'P', description: 'D', mimeType: 'text/plain' },
    ],
    read: async (_caller, uri) => {
      if (uri === 'place://broken') throw new Error('a secret reason')
      return uri === PLACE.uri ? { uri, mimeType: 'text/plain', text: 'here' } : null
    },
  },
  complete: async (_caller, of, argument) => (of === 'greet' && argument === 'who' ? ['ann', 'bob'] : []),
}
const LEGACY = { 'mcp-protocol-version': '2025-11-25' }

test('a door tells the capabilities that it has, and no others', async () => {
  const plain = startDoor()
  const rich = startDoor(OFFERS)
  for (const [door, capabilities] of [
    [plain, { tools: {} }],
    [rich, { tools: {}, prompts: {}, resources: {}, completions: {} }],
  ] as const) {
    assert.deepEqual((await door.modern('server/discover')).json.result!['capabilities'], capabilities)
    assert.deepEqual((await door.initialize('2025-11-25')).json.result!['capabilities'], capabilities)
  }
  for (const method of ['prompts/list', 'resources/read', 'completion/complete']) {
    const answer = await plain.modern(method, { name: 'x', uri: 'x' })
    assert.deepEqual([answer.status, answer.json.error?.code], [404, -32601])
    assert.equal((await plain.send(plain.request(method), LEGACY)).json.error?.code, -32601)
  }
})

test('prompts are listed and given in both eras, with arguments that fit', async () => {
  const { modern, send, request } = startDoor(OFFERS)
  const ask = { name: 'greet', arguments: { who: 'ann' } }
  const messages = [{ role: 'user', content: { type: 'text', text: 'greet ann for me' } }]
  const given = await modern('prompts/get', ask)
  assert.equal(given.json.result!['resultType'], 'complete')
  assert.deepEqual(given.json.result!['messages'], messages)
  assert.deepEqual((await send(request('prompts/get', ask), LEGACY)).json.result, {
    description: 'Says hello',
    messages,
  })
  const listed = (await modern('prompts/list')).json.result!
  assert.deepEqual([listed['prompts'], listed['ttlMs'], listed['cacheScope']], [[PROMPT], 1000, 'private'])
  assert.deepEqual((await send(request('prompts/list'), LEGACY)).json.result, { prompts: [PROMPT] })
  for (const wrong of [
    { name: 'other' },
    { name: 'greet' },
    { name: 'greet', arguments: { who: 7 } },
    { name: 'greet', arguments: { who: 'x'.repeat(1001) } },
    { name: 'greet', arguments: { who: 'x', whom: 'y' } },
    { name: 'greet', arguments: [] },
  ])
    assert.equal((await modern('prompts/get', wrong)).json.error?.code, -32602, JSON.stringify(wrong))
  const claimed = await modern('prompts/get', ask, { 'mcp-name': 'other' })
  assert.deepEqual([claimed.status, claimed.json.error?.code], [400, -32020])
})

test('resources are listed by pages and read in both eras', async () => {
  const { modern, send, request } = startDoor(OFFERS)
  const first = (await modern('resources/list')).json.result!
  assert.deepEqual([first['resources'], first['nextCursor']], [[PLACE], 'two'])
  assert.deepEqual((await send(request('resources/list'), LEGACY)).json.result, {
    resources: [PLACE],
    nextCursor: 'two',
  })
  const last = (await modern('resources/list', { cursor: 'two' })).json.result!
  assert.deepEqual([last['resources'], last['nextCursor'], last['cacheScope']], [[], undefined, 'private'])
  assert.equal((await modern('resources/list', { cursor: 'three' })).json.error?.code, -32602)
  assert.equal((await modern('prompts/list', { cursor: 'two' })).json.error?.code, -32602)
  const templates = (await modern('resources/templates/list')).json.result!['resourceTemplates'] as unknown[]
  assert.equal(templates.length, 1)
  const read = (await modern('resources/read', { uri: PLACE.uri })).json.result!
  assert.deepEqual(read['contents'], [{ uri: PLACE.uri, mimeType: 'text/plain', text: 'here' }])
  assert.equal(read['ttlMs'], 1000)
  const body = request('resources/read', { uri: PLACE.uri })
  assert.deepEqual(Object.keys((await send(body, LEGACY)).json.result!), ['contents'])
})

test('what is not there has the code of its era, and a fault tells nothing', async () => {
  const { modern, send, request, faults } = startDoor(OFFERS)
  const asked = { uri: 'place://2' }
  const absent = await modern('resources/read', asked)
  assert.deepEqual([absent.status, absent.json.error?.code, absent.json.error?.data], [200, -32602, asked])
  assert.equal((await send(request('resources/read', asked), LEGACY)).json.error?.code, -32002)
  const broken = { uri: 'place://broken' }
  for (const { json, text } of [
    await modern('resources/read', broken),
    await send(request('resources/read', broken), LEGACY),
  ]) {
    assert.equal(json.error?.code, -32603)
    assert.doesNotMatch(text, /secret reason/)
  }
  assert.equal(faults.length, 2)
})

test('values complete by how they begin', async () => {
  const { modern } = startDoor(OFFERS)
  const complete = async (ref: unknown, argument: unknown) =>
    (await modern('completion/complete', { ref, argument })).json
  const greet = { type: 'ref/prompt', name: 'greet' }
  const found = await complete(greet, { name: 'who', value: 'a' })
  assert.deepEqual(found.result!['completion'], { values: ['ann'], total: 1, hasMore: false })
  const none = await complete({ type: 'ref/resource', uri: 'place://{id}' }, { name: 'id', value: '' })
  assert.deepEqual(none.result!['completion'], { values: [], total: 0, hasMore: false })
  for (const [ref, argument] of [
    [greet, { name: 'who' }],
    [
      { type: 'ref/tool', name: 'x' },
      { name: 'who', value: '' },
    ],
    [null, { name: 'who', value: '' }],
  ])
    assert.equal((await complete(ref, argument)).error?.code, -32602)
})

test('any parameters are answered, and none is a fault', async () => {
  const { send, faults } = startDoor(OFFERS)
  const method = fc.constantFrom(
    'prompts/get',
    'prompts/list',
    'resources/list',
    'resources/read',
    'completion/complete',
  )
  const params = fc.dictionary(
    fc.constantFrom('name', 'uri', 'cursor', 'arguments', 'ref', 'argument', '__proto__'),
    anyJson(),
  )
  await fc.assert(
    fc.asyncProperty(method, params, async (name, given) => {
      const { status, json } = await send({ jsonrpc: '2.0', id: 1, method: name, params: given }, LEGACY)
      assert.equal(status, 200)
      assert.notEqual(json.result === undefined, json.error === undefined)
    }),
    { numRuns: 300 },
  )
  assert.deepEqual(faults, [])
})
