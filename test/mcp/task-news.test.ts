/** What becomes of tasks, as clients of 2026-07-28 hear of it on `subscriptions/listen` with `taskIds`. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type Fixture, startFixture } from './fixture/fixture.ts'
import { type LegacyOrigin, startLegacyOrigin } from './legacy.ts'
import { type OpenStream, openListen } from './open-stream.ts'
import { type RawClient, rawClient } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const ABLE = { elicitation: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } }

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

async function result(client: RawClient, method: string, params: Members): Promise<Members> {
  const message = (await client.ask(method, params)).messages.at(-1)
  assert.ok(message?.result !== undefined, JSON.stringify(message))
  return message.result
}

async function begun(name: string, args: Members): Promise<string> {
  const client = await rawClient(desk, 'modern', ABLE)
  const created = await result(client, 'tools/call', { name, arguments: args })
  assert.equal(created['resultType'], 'task')
  return String(created['taskId'])
}

const listen = (
  at: VirtualMcp,
  taskIds: readonly unknown[],
  capabilities: object = ABLE,
): Promise<OpenStream> => openListen(at, { taskIds }, capabilities)

async function acknowledged(stream: OpenStream): Promise<unknown> {
  await eventually(() => stream.messages.length > 0)
  const { method, params } = stream.messages[0] as { method: string; params: { notifications: Members } }
  assert.equal(method, 'notifications/subscriptions/acknowledged')
  return params.notifications['taskIds']
}

/** The notification of a task that tells of the status. */
async function told(stream: OpenStream, taskId: string, status: string): Promise<Members> {
  const found = (): Members | undefined =>
    stream.messages
      .filter(({ method }) => method === 'notifications/tasks')
      .map(({ params }) => params as Members)
      .find((params) => params['taskId'] === taskId && params['status'] === status)
  await eventually(
    () => found() !== undefined,
    () => `${status} among ${JSON.stringify(stream.messages)}`,
  )
  return found()!
}

const withoutMeta = ({ _meta, resultType, ...task }: Members): Members => task

for (const [where, at] of [
  ['the same', (): VirtualMcp => desk],
  ['another', (): VirtualMcp => other],
] as const)
  test(`a task of 2026-07-28 is told of on ${where} gateway, as tasks/get tells of it`, async () => {
    const taskId = await begun('confirm_delete', { filename: 'a.txt' })
    await using stream = await listen(at(), [taskId])
    assert.deepEqual(await acknowledged(stream), [taskId])
    const client = await rawClient(at(), 'modern', ABLE)
    // It asked before the stream stood
    const asking = await told(stream, taskId, 'input_required')
    assert.deepEqual(withoutMeta(asking), withoutMeta(await result(client, 'tasks/get', { taskId })))
    assert.deepEqual(asking['_meta'], { 'io.modelcontextprotocol/subscriptionId': 'listen-1' })
    const inputResponses = { confirm: { action: 'accept', content: { confirm: true } } }
    await result(client, 'tasks/update', { taskId, inputResponses })
    const ended = await told(stream, taskId, 'completed')
    assert.deepEqual(withoutMeta(ended), withoutMeta(await result(client, 'tasks/get', { taskId })))
    assert.doesNotMatch(JSON.stringify(stream.messages), /"status":"completed".*"status":"completed"/)
  })

test('a core task of 2025-11-25 is told of, with its result', async () => {
  const taskId = await begun('job', { word: 'it', ms: 300 })
  await using stream = await listen(desk, [taskId])
  assert.deepEqual(await acknowledged(stream), [taskId])
  const ended = await told(stream, taskId, 'completed')
  const client = await rawClient(desk, 'modern', ABLE)
  assert.deepEqual(withoutMeta(ended), withoutMeta(await result(client, 'tasks/get', { taskId })))
  assert.match(JSON.stringify(ended['result']), /did it/)
})

test('tasks of others, of hidden tools and of nobody are not honoured, and each is told to its own listener', async () => {
  const [mine, second] = [
    await begun('slow_compute', { seconds: 60 }),
    await begun('slow_compute', { seconds: 60 }),
  ]
  await using stream = await listen(desk, [mine, 'nobody', 7, mine])
  assert.deepEqual(await acknowledged(stream), [mine])
  await using stranger = await openListen({ ...desk, headers: desk.otherHeaders }, { taskIds: [mine] }, ABLE)
  assert.deepEqual(await acknowledged(stranger), [])
  const client = await rawClient(desk, 'modern', ABLE)
  await result(client, 'tasks/cancel', { taskId: second })
  await result(client, 'tasks/cancel', { taskId: mine })
  await told(stream, mine, 'cancelled')
  assert.equal(JSON.stringify(stream.messages).includes(second), false)
  assert.equal(stranger.messages.length, 1)
})

test('a client that asks for tasks and does not declare them is told what is missing', async () => {
  await using stream = await listen(desk, ['x'], {})
  assert.equal(stream.status, 400)
})

test('questions that the client does not take are not told, and a listener that leaves ends the stream at the origin', async () => {
  const taskId = await begun('confirm_delete', { filename: 'b.txt' })
  const { elicitation, ...unable } = ABLE
  await using stream = await listen(desk, [taskId], unable)
  assert.deepEqual(await acknowledged(stream), [taskId])
  const client = await rawClient(desk, 'modern', ABLE)
  await result(client, 'tasks/cancel', { taskId })
  await told(stream, taskId, 'cancelled')
  assert.doesNotMatch(JSON.stringify(stream.messages), /input_required/)
  await stream[Symbol.asyncDispose]()
  await eventually(() => fixture.tasksWatched === 0)
})
