import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CallToolResultSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { eventually } from '../support/eventually.ts'
import { type Fixture, startFixture } from './fixture/fixture.ts'
import { type LegacyOrigin, startLegacyOrigin } from './legacy.ts'
import { type Message, type RawClient, rawClient } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const TASKS = 'io.modelcontextprotocol/tasks'
const ABLE = { elicitation: {}, extensions: { [TASKS]: {} } }
const UNKNOWN = { code: -32602, message: 'Unknown task', data: { pointer: '/params/taskId' } }

type Members = Readonly<Record<string, unknown>>

let fixture: Fixture
let legacy: LegacyOrigin
/** Two gateways over the same origins, as two threads are. */
let desk: VirtualMcp
let other: VirtualMcp

before(async () => {
  fixture = await startFixture({ eras: 'modern' })
  legacy = await startLegacyOrigin()
  const origins = { demo: fixture.url, old: legacy.url }
  desk = await startVirtualMcp(origins)
  other = await startVirtualMcp(origins)
})
after(async () => {
  await desk[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
  await fixture[Symbol.asyncDispose]()
  await legacy[Symbol.asyncDispose]()
})

async function said(client: RawClient, method: string, params: Members): Promise<Message> {
  const { messages } = await client.ask(method, params)
  return messages.at(-1) ?? {}
}

async function result(client: RawClient, method: string, params: Members): Promise<Members> {
  const message = await said(client, method, params)
  assert.ok(message.result !== undefined, JSON.stringify(message))
  return message.result
}

/** Asks until the task has a status among those. */
async function until(client: RawClient, taskId: unknown, statuses: readonly string[]): Promise<Members> {
  let task: Members = {}
  await eventually(
    async () => {
      task = await result(client, 'tasks/get', { taskId })
      return statuses.includes(String(task['status']))
    },
    () => JSON.stringify(task),
  )
  return task
}

async function sdkV1(url: string, headers: Record<string, string>): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { capabilities: { elicitation: { form: {} } } })
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    asked.push(params)
    return { action: 'accept', content: { colour: 'green', confirm: true } }
  })
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  await client.connect(transport as Parameters<typeof client.connect>[0])
  return client
}
/** What clients of SDK v1 were asked. */
const asked: Members[] = []

const words = ({ content }: Members): unknown => (content as { text?: string }[] | undefined)?.[0]?.text

describe('a client of 2026-07-28 that declares tasks, at an origin that has the extension', () => {
  test('gets a task under an id of its own, its questions, and its result, from any gateway', async () => {
    const client = await rawClient(desk, 'modern', ABLE)
    const created = await result(client, 'tools/call', {
      name: 'confirm_delete',
      arguments: { filename: 'a.txt' },
    })
    assert.equal(created['resultType'], 'task')
    const { taskId } = created
    const elsewhere = await rawClient(other, 'modern', ABLE)
    const waiting = await until(elsewhere, taskId, ['input_required'])
    assert.equal(waiting['taskId'], taskId)
    assert.deepEqual(Object.keys(waiting['inputRequests'] as object), ['confirm'])
    const inputResponses = { confirm: { action: 'accept', content: { confirm: true } } }
    const acknowledged = await result(client, 'tasks/update', { taskId, inputResponses })
    assert.deepEqual(acknowledged, { resultType: 'complete' })
    const ended = await until(elsewhere, taskId, ['completed'])
    assert.match(String(words(ended['result'] as Members)), /^Deleted a\.txt/)
    const sent = fixture.requests.filter(({ rpcMethod }) => rpcMethod === 'tasks/get')
    assert.ok(sent.length > 0)
    for (const { headers, body } of sent) {
      const { params } = JSON.parse(body) as { params: Members }
      assert.equal(headers['mcp-name'], params['taskId'])
      assert.notEqual(params['taskId'], taskId)
    }
  })

  test('cancels it', async () => {
    const client = await rawClient(desk, 'modern', ABLE)
    const { taskId } = await result(client, 'tools/call', {
      name: 'slow_compute',
      arguments: { seconds: 60 },
    })
    assert.deepEqual(await result(client, 'tasks/cancel', { taskId }), { resultType: 'complete' })
    await until(client, taskId, ['cancelled'])
    assert.deepEqual(await result(client, 'tasks/cancel', { taskId }), { resultType: 'complete' })
  })

  test('is not asked for what it does not offer', async () => {
    const client = await rawClient(desk, 'modern', { extensions: { [TASKS]: {} } })
    const { taskId } = await result(client, 'tools/call', {
      name: 'confirm_delete',
      arguments: { filename: 'b.txt' },
    })
    const full = await rawClient(desk, 'modern', ABLE)
    await until(full, taskId, ['input_required'])
    const { error } = await said(client, 'tasks/get', { taskId })
    assert.match(error!.message, /asks the client for elicitation, which the client does not offer/)
  })
})

describe('an id of a task', () => {
  async function begun(): Promise<unknown> {
    const client = await rawClient(desk, 'modern', ABLE)
    const name = 'slow_compute'
    return (await result(client, 'tools/call', { name, arguments: { seconds: 60 } }))['taskId']
  }

  test('is unknown for another principal, broken, and of the origin itself', async () => {
    const id = String(await begun())
    const bodies = fixture.requests.map(({ body }) => body)
    await result(await rawClient(desk, 'modern', ABLE), 'tasks/get', { taskId: id })
    const last = fixture.requests.slice(bodies.length).find(({ rpcMethod }) => rpcMethod === 'tasks/get')
    const own = (JSON.parse(last!.body) as { params: Members }).params['taskId']
    const client = await rawClient(desk, 'modern', ABLE)
    const changed = `${id.slice(0, 40)}${id[40] === 'A' ? 'B' : 'A'}${id.slice(41)}`
    const ids = [own, changed, id.slice(1), '', 'A'.repeat(4000)]
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel'])
      for (const taskId of ids) {
        const { error } = await said(client, method, { taskId, inputResponses: {} })
        assert.deepEqual(error, UNKNOWN, `${method} ${taskId}`)
      }
    const stranger = await rawClient({ ...desk, headers: desk.otherHeaders }, 'modern', ABLE)
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      const { error } = await said(stranger, method, { taskId: id, inputResponses: {} })
      assert.deepEqual(error, UNKNOWN, method)
    }
    assert.equal((await result(client, 'tasks/get', { taskId: id }))['status'], 'working')
  })

  test('is unknown once its tool is hidden', async () => {
    await using own = await startVirtualMcp({ demo: fixture.url })
    const client = await rawClient(own, 'modern', ABLE)
    const name = 'slow_compute'
    const { taskId } = await result(client, 'tools/call', { name, arguments: { seconds: 60 } })
    own.publish({ members: [{ origin: 'ori_demo', capability_policy: { tools: ['greet'] } }] })
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel'])
      assert.deepEqual((await said(client, method, { taskId, inputResponses: {} })).error, UNKNOWN)
    own.publish({})
    assert.equal((await result(client, 'tasks/get', { taskId }))['status'], 'working')
  })
})

describe('a client of 2026-07-28 at a tool of 2025-11-25 that is called as a task alone', () => {
  test('gets a task of the extension, with its result, where it declares tasks', async () => {
    const client = await rawClient(desk, 'modern', ABLE)
    const created = await result(client, 'tools/call', { name: 'job', arguments: { word: 'it' } })
    assert.equal(created['resultType'], 'task')
    assert.equal(created['ttlMs'], 60_000)
    assert.equal(created['pollIntervalMs'], 20)
    assert.equal(created['ttl'], undefined)
    const { taskId } = created
    const elsewhere = await rawClient(other, 'modern', ABLE)
    const ended = await until(elsewhere, taskId, ['completed'])
    assert.deepEqual(ended['result'], { content: [{ type: 'text', text: 'did it, was told nothing' }] })
    assert.deepEqual(await result(client, 'tasks/update', { taskId, inputResponses: {} }), {
      resultType: 'complete',
    })
    assert.deepEqual(await result(client, 'tasks/cancel', { taskId }), { resultType: 'complete' })
  })

  test('gets an error of the tool as a result', async () => {
    const client = await rawClient(desk, 'modern', ABLE)
    const { taskId } = await result(client, 'tools/call', {
      name: 'job',
      arguments: { word: 'it', fails: true },
    })
    const ended = await until(client, taskId, ['completed', 'failed'])
    assert.equal(ended['status'], 'completed')
    assert.equal((ended['result'] as Members)['isError'], true)
  })

  test('cancels it', async () => {
    const client = await rawClient(desk, 'modern', ABLE)
    const { taskId } = await result(client, 'tools/call', {
      name: 'job',
      arguments: { word: 'it', asks: true },
    })
    await result(client, 'tasks/cancel', { taskId })
    await until(client, taskId, ['cancelled'])
  })

  test('gets the result itself where it does not', async () => {
    const client = await rawClient(desk, 'modern', {})
    const ended = await result(client, 'tools/call', { name: 'job', arguments: { word: 'it' } })
    assert.deepEqual(ended, {
      resultType: 'complete',
      content: [{ type: 'text', text: 'did it, was told nothing' }],
    })
  })

  test('gets an unknown task once the origin has forgotten its session', async () => {
    const client = await rawClient(desk, 'modern', ABLE)
    const { taskId } = await result(client, 'tools/call', { name: 'job', arguments: { word: 'it' } })
    await legacy.forgetSessions()
    assert.deepEqual((await said(client, 'tasks/get', { taskId })).error, UNKNOWN)
  })
})

describe('a client of SDK v1', () => {
  test('calls a tool of 2025-11-25 as a task, and answers what the task asks', async () => {
    asked.length = 0
    const client = await sdkV1(desk.url, desk.headers)
    const seen: string[] = []
    const ids = new Set<string>()
    let text: unknown
    for await (const message of client.experimental.tasks.callToolStream(
      { name: 'job', arguments: { word: 'it', asks: true } },
      CallToolResultSchema,
      { task: { ttl: 60_000 } },
    )) {
      seen.push(message.type)
      if ('task' in message) ids.add(message.task.taskId)
      if (message.type === 'result') text = words(message.result)
    }
    await client.close()
    assert.deepEqual([seen[0], seen.at(-1)], ['taskCreated', 'result'])
    assert.equal(text, 'did it, was told {"action":"accept","content":{"colour":"green","confirm":true}}')
    assert.equal(ids.size, 1)
    const related = (asked[0]!['_meta'] as Members)['io.modelcontextprotocol/related-task']
    assert.deepEqual(related, { taskId: [...ids][0] })
  })

  test('is offered no list of tasks, cancels one, and cannot cancel it twice', async () => {
    const client = await rawClient(desk, 'legacy', { elicitation: {} })
    const call = { name: 'job', arguments: { word: 'it', asks: true }, task: { ttl: 60_000 } }
    const created = await result(client, 'tools/call', call)
    const { taskId, ...rest } = created['task'] as Members
    assert.deepEqual([rest['status'], rest['ttl'], rest['pollInterval']], ['working', 60_000, 20])
    const { taskId: same, status } = await result(client, 'tasks/cancel', { taskId })
    assert.deepEqual([same, status], [taskId, 'cancelled'])
    assert.equal((await said(client, 'tasks/cancel', { taskId })).error?.code, -32602)
    assert.equal((await said(client, 'tasks/list', {})).error?.code, -32601)
    assert.equal((await said(client, 'tasks/update', { taskId, inputResponses: {} })).error?.code, -32601)
  })

  test('reaches a task from another gateway, and no task of another principal', async () => {
    const client = await rawClient(desk, 'legacy', {})
    const call = { name: 'job', arguments: { word: 'it' }, task: {} }
    const { taskId } = (await result(client, 'tools/call', call))['task'] as Members
    const elsewhere = await rawClient(other, 'legacy', {})
    const ended = await result(elsewhere, 'tasks/result', { taskId })
    assert.equal(words(ended), 'did it, was told nothing')
    assert.deepEqual(ended['_meta'], { 'io.modelcontextprotocol/related-task': { taskId } })
    const stranger = await rawClient({ ...desk, headers: desk.otherHeaders }, 'legacy', {})
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel'])
      assert.deepEqual((await said(stranger, method, { taskId })).error, UNKNOWN)
  })

  test('is told that a tool is not called as a task', async () => {
    const client = await rawClient(desk, 'legacy', {})
    for (const name of ['add', 'greet', 'slow_compute'])
      assert.equal((await said(client, 'tools/call', { name, arguments: {}, task: {} })).error?.code, -32601)
  })

  test('that knows no tasks gets the result of a task of 2026-07-28, and answers what the task asks', async () => {
    asked.length = 0
    const client = await sdkV1(desk.url, desk.headers)
    const ended = await client.callTool({ name: 'confirm_delete', arguments: { filename: 'c.txt' } })
    assert.match(String(words(ended)), /^Deleted c\.txt: .*"accept"/)
    assert.equal(asked.length, 1)
    assert.equal(asked[0]!['_meta'], undefined)
    const failed = await client.callTool({ name: 'failing_job', arguments: {} })
    assert.equal(failed.isError, true)
    await assert.rejects(client.callTool({ name: 'protocol_error_job', arguments: {} }), { code: -32603 })
    await client.close()
  })

  test('that knows no tasks gets the result of a core task', async () => {
    const client = await rawClient(desk, 'legacy', { elicitation: {} })
    const ended = await result(client, 'tools/call', { name: 'job', arguments: { word: 'it' } })
    assert.deepEqual(ended, { content: [{ type: 'text', text: 'did it, was told nothing' }] })
  })

  for (const [name, args, isCancelled] of [
    ['job', { word: 'it', asks: true }, () => legacy.cancelled.includes('job')],
    [
      'confirm_delete',
      { filename: 'd.txt' },
      () => fixture.requests.some(({ rpcMethod }) => rpcMethod === 'tasks/cancel'),
    ],
  ] as const)
    test(`that gives up its call of ${name} ends the task that Postern waits for`, async () => {
      fixture.forgetRequests()
      let isAsked = false
      const client = await sdkV1(desk.url, desk.headers)
      client.setRequestHandler(ElicitRequestSchema, () => {
        isAsked = true
        return new Promise(() => {})
      })
      const leaving = new AbortController()
      const { signal } = leaving
      const params = { name, arguments: args }
      // As SDK v1 calls tools, without its own refusal of tools that are called as tasks alone
      const call = client.request({ method: 'tools/call', params }, CallToolResultSchema, { signal })
      const given = assert.rejects(call)
      await eventually(
        () => isAsked,
        () => 'the question',
      )
      leaving.abort()
      await given
      await eventually(isCancelled, () => 'the end of the task')
      await client.close()
    })
})

test('resources that the result of a task links have the URIs of the virtual MCP', async () => {
  await using twin = await startLegacyOrigin()
  await using both = await startVirtualMcp({ old: legacy.url, twin: twin.url })
  const modern = await rawClient(both, 'modern', ABLE)
  const core = await rawClient(both, 'legacy', {})
  const { tools } = await result(modern, 'tools/list', {})
  const jobs = (tools as Members[]).map(({ name }) => String(name)).filter((name) => /job/.test(name))
  assert.equal(jobs.length, 2)
  const links = new Set<unknown>()
  const uriIn = ({ content }: Members): unknown => (content as Members[])[0]!['uri']
  for (const name of jobs) {
    const call = { name, arguments: { word: 'it', links: true } }
    const uri = uriIn(await result(core, 'tools/call', call))
    links.add(uri)
    assert.ok((await result(core, 'resources/read', { uri }))['contents'])
    const { taskId } = await result(modern, 'tools/call', call)
    const ended = await until(modern, taskId, ['completed'])
    assert.equal(uriIn(ended['result'] as Members), uri)
    const created = await result(core, 'tools/call', { ...call, task: {} })
    const { taskId: own } = created['task'] as Members
    assert.equal(uriIn(await result(core, 'tasks/result', { taskId: own })), uri)
  }
  assert.equal(links.size, 2)
})

test('tasks are declared as each era does it, and not where no origin has them', async () => {
  const modern = await result(await rawClient(desk, 'modern', {}), 'server/discover', {})
  const { extensions, tasks } = modern['capabilities'] as Members
  assert.deepEqual([extensions, tasks], [{ [TASKS]: {} }, undefined])
  const client = await sdkV1(desk.url, desk.headers)
  assert.deepEqual(client.getServerCapabilities()?.tasks, { cancel: {}, requests: { tools: { call: {} } } })
  assert.equal((client.getServerCapabilities() as Members)['extensions'], undefined)
  await client.close()
  await using plain = await startFixture({ eras: 'legacy' })
  await using none = await startVirtualMcp({ plain: plain.url })
  const without = await result(await rawClient(none, 'modern', {}), 'server/discover', {})
  assert.equal((without['capabilities'] as Members)['extensions'], undefined)
  const { error } = await said(await rawClient(none, 'modern', ABLE), 'tasks/get', { taskId: 'x' })
  assert.equal(error?.code, -32601)
})

test('a client that does not declare tasks learns that it must', async () => {
  const client = await rawClient(desk, 'modern', {})
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    const { status, messages } = await client.ask(method, { taskId: 'x', inputResponses: {} })
    assert.deepEqual([status, messages[0]?.error?.code], [400, -32021])
  }
})
