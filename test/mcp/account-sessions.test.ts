/** Accounts of people at servers of SDKs: sessions over HTTP+SSE, and tasks. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { accountBroker } from './account-broker.ts'
import { startAccountGuard } from './account-guard.ts'
import { startFixture } from './fixture/fixture.ts'
import { startLegacyOrigin } from './legacy.ts'
import { ERAS, type Era, type RawClient, rawClient } from './raw-client.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const ANN = 'usr_ann'
const BOB = 'usr_bob'
const CRM = 'ori_crm'
const TASKS = 'io.modelcontextprotocol/tasks'
const ABLE = { elicitation: { url: {} }, extensions: { [TASKS]: {} } }

type Members = Readonly<Record<string, unknown>>

/** A server at which Ann and Bob have accounts. */
async function startGuarded(context: TestContext, url: string) {
  const guard = await startAccountGuard(url)
  const broker = accountBroker()
  for (const user of [ANN, BOB]) broker.connect(user, CRM, guard)
  const desk = await startVirtualMcp(
    { crm: guard.url },
    { auth_mode: 'user_oauth', connections: broker.connections, people: [ANN, BOB], probeAs: ANN },
  )
  context.after(async () => {
    await desk[Symbol.asyncDispose]()
    await guard[Symbol.asyncDispose]()
  })
  const client = (user: string, era: Era, capabilities?: object): Promise<RawClient> =>
    rawClient({ url: desk.url, headers: desk.headersOf(user) }, era, capabilities)
  return { guard, broker, client, probed: guard.requests.length }
}

async function result(client: RawClient, method: string, params: Members): Promise<Members> {
  const answer = await client.ask(method, params)
  const { result: came } = answer.messages.at(-1)!
  assert.ok(came !== undefined, answer.text)
  return came
}

for (const era of ERAS)
  test(`${era} client: a stream of HTTP+SSE is of one person, outlives a refreshed token, and ends with the account`, async (context) => {
    await using origin = await startLegacyOrigin({ transport: 'sse' })
    const { guard, broker, client, probed } = await startGuarded(context, origin.url)
    await eventually(() => origin.sessions.size === 0)
    const opened = origin.sessionsOpened
    const [anns, bobs] = [await client(ANN, era), await client(BOB, era)]
    const add = (own: RawClient): Promise<Members> =>
      result(own, 'tools/call', { name: 'add', arguments: { a: 1, b: 2 } })
    for (const own of [anns, bobs, anns, bobs]) assert.match(JSON.stringify(await add(own)), /"3"/)
    assert.equal(origin.sessionsOpened - opened, 2)
    const people = new Map<string, Set<string | null>>()
    for (const { target, account } of guard.requests.slice(probed))
      if (target.startsWith('/messages')) people.set(target, (people.get(target) ?? new Set()).add(account))
    assert.deepEqual([...people.values()], [new Set([ANN]), new Set([BOB])])
    guard.refuse(broker.tokenOf(ANN, CRM))
    assert.match(JSON.stringify(await add(anns)), /"3"/)
    assert.equal(origin.sessionsOpened - opened, 2)
    broker.end(ANN, CRM)
    await eventually(() => origin.sessions.size === 1)
    assert.match(JSON.stringify(await add(anns)), /connect_required/)
    assert.match(JSON.stringify(await add(bobs)), /"3"/)
    broker.connect(ANN, CRM, guard)
    assert.match(JSON.stringify(await add(anns)), /"3"/)
  })

for (const [name, start, tool, given] of [
  ['the extension', () => startFixture({ eras: 'modern' }), 'slow_compute', { seconds: 60 }],
  ['core tasks', () => startLegacyOrigin(), 'job', { word: 'it', ms: 60_000 }],
] as const)
  test(`a tool that becomes a task asks for the page, and its task is followed with the account of its person: ${name}`, async (context) => {
    await using origin = await start()
    const { guard, broker, client } = await startGuarded(context, origin.url)
    const [anns, bobs] = [await client(ANN, 'modern', ABLE), await client(BOB, 'modern', ABLE)]
    broker.end(ANN, CRM)
    const call = { name: tool, arguments: given }
    const asked = await result(anns, 'tools/call', call)
    assert.equal(asked['resultType'], 'input_required', JSON.stringify(asked))
    broker.connect(ANN, CRM, guard)
    const before = guard.requests.length
    const retry = {
      requestState: asked['requestState'],
      inputResponses: { connect: { action: 'accept' } },
    }
    const created = await result(anns, 'tools/call', { ...call, ...retry })
    assert.equal(created['resultType'], 'task', JSON.stringify(created))
    const { taskId } = created
    guard.refuse(broker.tokenOf(ANN, CRM))
    const { status } = await result(anns, 'tasks/get', { taskId })
    assert.match(String(status), /working|completed|input_required/)
    const foreign = (await bobs.ask('tasks/get', { taskId })).messages.at(-1)!
    assert.equal(foreign.error?.message, 'Unknown task')
    const came = new Set(guard.requests.slice(before).map(({ account }) => account))
    assert.deepEqual(came, new Set([ANN, null]))
    broker.end(ANN, CRM)
    const lost = (await anns.ask('tasks/get', { taskId })).messages.at(-1)!
    assert.match(JSON.stringify(lost.error?.data), /"connect_url"/)
  })

test('a call that waits for input of its person ends with the account, and its retry says so', async (context) => {
  await using origin = await startLegacyOrigin()
  const { broker, client } = await startGuarded(context, origin.url)
  const capabilities = { elicitation: { form: {}, url: {} } }
  const [anns, bobs] = [await client(ANN, 'modern', capabilities), await client(BOB, 'modern', capabilities)]
  const call = { name: 'elicit', arguments: {} }
  const retryOf = ({ inputRequests, requestState }: Members): object => {
    const [key] = Object.keys(inputRequests as object)
    return { requestState, inputResponses: { [key!]: { action: 'accept', content: { colour: 'red' } } } }
  }
  const own = await result(anns, 'tools/call', call)
  const other = await result(bobs, 'tools/call', call)
  broker.end(ANN, CRM)
  const came = await result(anns, 'tools/call', { ...call, ...retryOf(own) })
  assert.equal(came['isError'], true)
  assert.match(JSON.stringify(came), /connect_required.*disconnected during the call/)
  assert.match(JSON.stringify(await result(bobs, 'tools/call', { ...call, ...retryOf(other) })), /red/)
})
