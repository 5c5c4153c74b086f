import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { OriginSpec } from '../../src/model/mcp/origin.ts'
import type { RecordFields } from '../../src/record/fields.ts'
import { estimatedTokens } from '../../src/record/search.ts'
import { compileOrigin } from '../../src/snapshot/compile/mcp.ts'
import { startVirtualMcp, type VirtualMcp } from '../mcp/virtual-mcp.ts'
import { eventually } from '../support/eventually.ts'
import { PEERS } from '../support/mcp-clients.ts'
import { type SdkServer, startSdkServer } from '../support/mcp-server.ts'
import type { Answer } from './serve.ts'

let desk: VirtualMcp
let sums: SdkServer

before(async () => {
  sums = await startSdkServer()
  desk = await startVirtualMcp({ sums: sums.url })
})
after(async () => {
  await desk[Symbol.asyncDispose]()
  await sums[Symbol.asyncDispose]()
})

/** Sends one message of 2026-07-28, and gives the records that it has left. */
async function recordsOf(
  slug: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
  caller: { readonly authorization: string } = desk.headers,
): Promise<{ readonly answer: Answer; readonly left: readonly RecordFields[] }> {
  const { served } = desk
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
      ...caller,
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
  const { served } = desk
  const before = served.records.length
  const peer = await PEERS['SDK v1']!(desk.url, desk.headers)
  await peer.tools()
  await peer.call('add', { a: 1, b: 2 })
  await peer.close()
  const isMessage = ({ agent }: (typeof served.records)[number]): boolean => agent?.mcpMethod !== ''
  // The stream of the session and its end have a record each, the former when its client has left
  await eventually(
    () => served.records.slice(before).filter((record) => !isMessage(record)).length === 2,
    () => 'records of the stream and of the end of the session',
  )
  // What waits for notifications has no latency, and a call has one, whatever its answer is framed as
  assert.deepEqual(
    served.records
      .slice(before)
      .map(({ method, isStream }) => `${method} ${isStream}`)
      .toSorted(),
    ['DELETE false', 'GET true', ...Array.from({ length: 4 }, () => 'POST false')],
  )
  const left = served.records.slice(before).filter(isMessage)
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

test('requests that are refused before a message is read name the virtual MCP at their path, if there is one', async () => {
  const forged = await recordsOf(
    'desk',
    'tools/list',
    {},
    {
      authorization: `${desk.headers.authorization}x`,
    },
  )
  assert.equal(forged.answer.status, 401)
  const nothing = { method: undefined, capability: undefined }
  assert.deepEqual(forged.left.map(said), [
    { ...DESK, ...nothing, status: 401, code: forged.answer.json['code'] },
  ])
  const unassigned = await recordsOf('desk', 'tools/list', {}, desk.strangerHeaders)
  assert.deepEqual(unassigned.left.map(said), [{ ...DESK, ...nothing, status: 404, code: 'not_found' }])
  const absent = await recordsOf('nowhere', 'tools/list', {})
  assert.deepEqual(absent.left.map(said), [
    { ...DESK, ...nothing, virtualMcp: '', status: 404, code: 'not_found' },
  ])
  for (const { left } of [forged, unassigned, absent]) assert.equal(estimatedTokens(left[0]!), null)
})

test('a call that finds its origin unusable has a record of the refusal that names the origin', async () => {
  const spec = OriginSpec.parse({ name: 'Sums', url: sums.url })
  desk.served.apply([compileOrigin({ id: 'ori_sums', slug: 'sums', spec }, null)])
  const { answer, left } = await recordsOf('desk', 'tools/call', {
    name: 'add',
    arguments: { a: 1, b: 1 },
  })
  assert.match(answer.text, /no probe has reached it yet/)
  assert.deepEqual(left.map(said), [
    {
      ...DESK,
      origin: 'ori_sums',
      status: 503,
      code: 'upstream_unavailable',
      method: 'tools/call',
      capability: 'add',
    },
  ])
  assert.match(left[0]!.reason, /no probe/)
})
