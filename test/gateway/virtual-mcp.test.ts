import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createClock } from '../../src/base/clock.ts'
import type { Exchange } from '../../src/gateway/exchange.ts'
import { FIELD_RULES } from '../../src/gateway/fields.ts'
import { createRunningCalls } from '../../src/mcp/http/running.ts'
import { probeOrigin } from '../../src/mcp/origin/probe.ts'
import { createVirtualDoor } from '../../src/mcp/virtual/door.ts'
import { toOriginAnswer } from '../../src/mcp/virtual/origin-call.ts'
import { OriginSpec } from '../../src/model/origin.ts'
import { VirtualMcpSpec } from '../../src/model/virtual-mcp.ts'
import type { RecordFields } from '../../src/record/fields.ts'
import { estimatedTokens } from '../../src/record/token-estimate.ts'
import { createThreadEvents } from '../../src/shared-state/memory/events.ts'
import { compileCatalogue, compileOrigin, compileVirtualMcp } from '../../src/snapshot/compile/mcp.ts'
import type { Incoming } from '../../src/wire/port.ts'
import { PEERS } from '../support/mcp-clients.ts'
import { type SdkServer, startSdkServer } from '../support/mcp-server.ts'
import { createSessionMemory } from '../support/session-memory.ts'
import { client, profile, token } from './fragments.ts'
import { type Answer, type Served, serve } from './serve.ts'

const NO_NAMES = { tools: [], prompts: [], resources: [], resource_templates: [] }
const acme = token('tok_acme')
const other = token('tok_other')
let served: Served
let sums: SdkServer

before(async () => {
  sums = await startSdkServer()
  let door: ((incoming: Incoming<Exchange>) => void) | null = null
  served = await serve(
    () => [
      client('acme', {
        virtual_mcps: ['vmc_desk', 'vmc_unprobed'],
        profiles: [profile('key', { auth: 'token', tokens: [acme.fragment] })],
      }),
      client('other', { profiles: [profile('other-key', { auth: 'token', tokens: [other.fragment] })] }),
    ],
    {
      reserved(incoming, exchange, gateway) {
        door ??= createVirtualDoor<Exchange>({
          gateway,
          sealKey: new Uint8Array(32).fill(7),
          ...createSessionMemory(),
          running: createRunningCalls(createThreadEvents(() => {})),
          origin: 'http://localhost:8080',
          allowsOrigin: () => false,
          corsLines: () => '',
          version: '0.0.0',
          clock: createClock(),
          requestId: ({ state }) => (state ?? exchange).requestId,
          taken: [...FIELD_RULES.take, ...FIELD_RULES.peek],
          fault: (error) => assert.fail(String(error)),
          isPersonal: gateway.isPersonal,
        })
        door(incoming)
      },
    },
  )
  const origin = { id: 'ori_sums', slug: 'sums', spec: OriginSpec.parse({ name: 'Sums', url: sums.url }) }
  const fragment = compileOrigin(origin, null)
  const { steps, found } = await probeOrigin({
    send: async (request) => toOriginAnswer(await served.gateway.askOrigin(fragment, request)),
    clock: createClock(),
    own: { name: 'postern', version: '0' },
  })
  assert.ok(found !== null, JSON.stringify(steps))
  const spec = VirtualMcpSpec.parse({ name: 'Desk', members: [{ origin: 'ori_sums' }] })
  const unprobed = { id: 'ori_unprobed', slug: 'unprobed', spec: origin.spec }
  served.apply([
    compileOrigin(unprobed, null),
    compileCatalogue(unprobed, found),
    compileVirtualMcp({
      virtualMcp: {
        id: 'vmc_unprobed',
        slug: 'unprobed',
        spec: VirtualMcpSpec.parse({ name: 'Unprobed', members: [{ origin: 'ori_unprobed' }] }),
      },
      origins: new Map([['ori_unprobed', { slug: 'unprobed', catalogue: found.catalogue }]]),
      names: NO_NAMES,
      approved: {},
    }),
    compileOrigin(origin, found),
    compileCatalogue(origin, found),
    compileVirtualMcp({
      virtualMcp: { id: 'vmc_desk', slug: 'desk', spec },
      origins: new Map([['ori_sums', { slug: 'sums', catalogue: found.catalogue }]]),
      names: NO_NAMES,
      approved: {},
    }),
  ])
})
after(async () => {
  await served.close()
  await sums[Symbol.asyncDispose]()
})

for (const [name, connect] of Object.entries(PEERS))
  test(`${name} lists the tools of an origin at its virtual MCP, and calls one`, async () => {
    const url = `http://127.0.0.1:${served.port}/mcp/desk`
    const peer = await connect(url, { authorization: `Bearer ${acme.text}` })
    const tools = await peer.tools()
    assert.deepEqual(
      tools.map((tool) => tool.name),
      ['add'],
    )
    const result = await peer.call('add', { a: 19, b: 23 })
    assert.deepEqual(result.content, [{ type: 'text', text: '42' }])
    await peer.close()
  })

/** Sends one message of 2026-07-28, and gives the records that it has left. */
async function recordsOf(
  slug: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
  bearer = acme.text,
): Promise<{ readonly answer: Answer; readonly left: readonly RecordFields[] }> {
  const before = served.records.length
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'tester', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const name = params['name'] ?? params['uri']
  const answer = await served.ask(`/mcp/${slug}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bearer}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': String(name) }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 7, method, params: { ...params, _meta } }),
  })
  await served.record(before)
  return { answer, left: served.records.slice(before) }
}

/** What a record says of the virtual MCP and what was asked of it. */
const said = ({ surface, virtualMcp, origin, collection, proxy, status, code, agent }: RecordFields) => ({
  surface,
  virtualMcp,
  origin,
  collection,
  proxy,
  status,
  code,
  method: agent?.mcpMethod,
  capability: agent?.tool,
})
const DESK = {
  surface: 2,
  virtualMcp: 'vmc_desk',
  origin: '',
  collection: '',
  proxy: '',
  status: 200,
  code: '',
}

test('a call at a virtual MCP has one record, of virtual MCP, origin, capability, session and sizes', async () => {
  const { answer, left } = await recordsOf('desk', 'tools/call', { name: 'add', arguments: { a: 19, b: 23 } })
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual(left.map(said), [{ ...DESK, origin: 'ori_sums', method: 'tools/call', capability: 'add' }])
  const [record] = left
  assert.equal(record?.argumentBytes, '{"a":19,"b":23}'.length)
  assert.equal(record?.agent?.name, 'tester')
  assert.equal(record?.client, 'cli_acme')
  assert.equal(record?.upstreamStatus, 200)
  const tokens = estimatedTokens(record!)
  assert.equal(tokens?.in, 5)
  assert.ok(tokens.out > 0 && tokens.out < 100, JSON.stringify(tokens))
})

test('messages of one legacy session name it, each of the session alike', async () => {
  const before = served.records.length
  const url = `http://127.0.0.1:${served.port}/mcp/desk`
  const peer = await PEERS['SDK v1']!(url, { authorization: `Bearer ${acme.text}` })
  await peer.tools()
  await peer.call('add', { a: 1, b: 2 })
  await peer.close()
  const left = served.records.slice(before).filter(({ agent }) => agent?.mcpMethod !== '')
  assert.deepEqual(
    left.map(({ agent }) => agent?.mcpMethod),
    ['initialize', 'notifications/initialized', 'tools/list', 'tools/call'],
  )
  assert.deepEqual(
    [...new Set(left.map(({ surface, virtualMcp }) => `${surface} ${virtualMcp}`))],
    ['2 vmc_desk'],
  )
  const sessions = new Set(left.map(({ agent }) => agent?.sessionId))
  assert.equal(sessions.size, 1)
  assert.ok(!sessions.has(''))
})

test('messages that lead to no call are recorded for the virtual MCP, with what they asked for', async () => {
  const listed = await recordsOf('desk', 'tools/list', {})
  assert.deepEqual(listed.left.map(said), [{ ...DESK, method: 'tools/list', capability: '' }])
  const discovered = await recordsOf('desk', 'server/discover', {})
  assert.deepEqual(discovered.left.map(said), [{ ...DESK, method: 'server/discover', capability: '' }])
  const refused = { ...DESK, status: 400, code: 'parameter_invalid' }
  const unknown = await recordsOf('desk', 'tools/call', { name: 'subtract', arguments: {} })
  assert.deepEqual(unknown.left.map(said), [{ ...refused, method: 'tools/call', capability: 'subtract' }])
  const prompt = await recordsOf('desk', 'prompts/get', { name: 'greet' })
  assert.deepEqual(prompt.left.map(said), [{ ...refused, method: 'prompts/get', capability: 'greet' }])
})

test('a call that finds its origin unusable has a record of the refusal that names the origin', async () => {
  const { answer, left } = await recordsOf('unprobed', 'tools/call', {
    name: 'add',
    arguments: { a: 1, b: 1 },
  })
  assert.match(answer.text, /no probe has reached it yet/)
  assert.deepEqual(left.map(said), [
    {
      ...DESK,
      virtualMcp: 'vmc_unprobed',
      origin: 'ori_unprobed',
      status: 503,
      code: 'upstream_unavailable',
      method: 'tools/call',
      capability: 'add',
    },
  ])
  assert.match(left[0]!.reason, /no probe/)
})

test('requests that are refused before a message is read name the virtual MCP at their path, if there is one', async () => {
  const forged = await recordsOf('desk', 'tools/list', {}, `${acme.text}x`)
  assert.equal(forged.answer.status, 401)
  const nothing = { method: undefined, capability: undefined }
  assert.deepEqual(forged.left.map(said), [
    { ...DESK, ...nothing, status: 401, code: forged.answer.json['code'] },
  ])
  const unassigned = await recordsOf('desk', 'tools/list', {}, other.text)
  assert.deepEqual(unassigned.left.map(said), [{ ...DESK, ...nothing, status: 404, code: 'not_found' }])
  const absent = await recordsOf('nowhere', 'tools/list', {})
  assert.deepEqual(absent.left.map(said), [
    { ...DESK, ...nothing, virtualMcp: '', status: 404, code: 'not_found' },
  ])
  for (const { left } of [forged, unassigned, absent]) assert.equal(estimatedTokens(left[0]!), null)
})
