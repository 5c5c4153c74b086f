import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type Fixture, startFixture } from './fixture/fixture.ts'
import { type OpenStream, openListen, openSession, openStream } from './open-stream.ts'
import { ERAS, type Era } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const WATCHED = 'test://watched-resource'
const ONLY_ECHO = { origin: 'ori_demo', capability_policy: { tools: ['test_echo'] } }

let desk: VirtualMcp
const fixtures = {} as Record<Era, Fixture>

before(async () => {
  for (const era of ERAS) fixtures[era] = await startFixture({ eras: era })
})
after(() => Promise.all(ERAS.map((era) => fixtures[era][Symbol.asyncDispose]())))

/** How often each resource of an origin is watched now. */
const watching = (era: Era): number =>
  era === 'modern' ? fixtures.modern.listens : fixtures.legacy.subscriptions

const open = (method: string, headers: Record<string, string>, body?: object): Promise<OpenStream> =>
  openStream(desk, method, headers, body)
const listen = (notifications: object): Promise<OpenStream> => openListen(desk, notifications)

const methodsOf = ({ messages }: OpenStream): unknown[] => messages.map(({ method }) => method)
const seen = (stream: OpenStream, method: string): Promise<void> =>
  eventually(
    () => methodsOf(stream).includes(method),
    () => `${method} among ${JSON.stringify(stream.messages)}`,
  )

for (const era of ERAS)
  test(`over a ${era} origin, a listen of 2026-07-28 hears of changed lists and resources, with its id on each message`, async () => {
    const fixture = fixtures[era]
    desk = await startVirtualMcp({ demo: fixture.url })
    await using _ = desk
    await using stream = await listen({
      toolsListChanged: true,
      resourceSubscriptions: [WATCHED],
    })
    await seen(stream, 'notifications/subscriptions/acknowledged')
    const honoured = { toolsListChanged: true, resourceSubscriptions: [WATCHED] }
    assert.deepEqual((stream.messages[0]!['params'] as Record<string, unknown>)['notifications'], honoured)
    await eventually(
      () => watching(era) > 0,
      () => 'the origin is listened to',
    )
    fixture.catalogue.touch(WATCHED)
    await seen(stream, 'notifications/resources/updated')
    desk.publish({ members: [ONLY_ECHO] })
    await seen(stream, 'notifications/tools/list_changed')
    for (const { params } of stream.messages)
      assert.equal(
        ((params as Record<string, unknown>)['_meta'] as Record<string, unknown>)[
          'io.modelcontextprotocol/subscriptionId'
        ],
        'listen-1',
      )
  })

test('a listen hears nothing of lists that its caller sees as before', async () => {
  desk = await startVirtualMcp({ demo: fixtures.modern.url })
  await using _ = desk
  await using stream = await listen({ toolsListChanged: true, promptsListChanged: true })
  await seen(stream, 'notifications/subscriptions/acknowledged')
  desk.publish({ description: 'Something else' })
  desk.publish({ members: [ONLY_ECHO] })
  await seen(stream, 'notifications/tools/list_changed')
  assert.deepEqual(methodsOf(stream), [
    'notifications/subscriptions/acknowledged',
    'notifications/tools/list_changed',
  ])
})

test('a listen ends when its client may no longer call the virtual MCP', async () => {
  desk = await startVirtualMcp({ demo: fixtures.modern.url })
  await using _ = desk
  await using stream = await listen({ toolsListChanged: true })
  await seen(stream, 'notifications/subscriptions/acknowledged')
  desk.unassign()
  await eventually(
    () => stream.isEnded(),
    () => 'the end of the stream',
  )
  assert.equal(stream.messages.at(-1)?.['id'], 'listen-1')
})

for (const era of ERAS)
  test(`over a ${era} origin, a session of 2025-11-25 hears on its stream of changed lists, and of the resources that it has subscribed to`, async () => {
    const fixture = fixtures[era]
    desk = await startVirtualMcp({ demo: fixture.url })
    await using _ = desk
    const session = await openSession(desk)
    await using stream = await open('GET', session)
    assert.equal(stream.status, 200)
    const params = { uri: WATCHED }
    await using answer = await open('POST', session, {
      jsonrpc: '2.0',
      id: 2,
      method: 'resources/subscribe',
      params,
    })
    assert.equal(answer.status, 200)
    await eventually(
      () => watching(era) > 0,
      () => 'the origin is listened to',
    )
    fixture.catalogue.touch(WATCHED)
    await seen(stream, 'notifications/resources/updated')
    desk.publish({ members: [ONLY_ECHO] })
    await seen(stream, 'notifications/tools/list_changed')
  })

for (const era of ERAS)
  test(`over a ${era} origin, a legacy client that sends no session id lists and calls, and is told what needs a session`, async () => {
    desk = await startVirtualMcp({ demo: fixtures[era].url })
    await using _ = desk
    const ask = async (method: string, params: object) => {
      const headers = { 'mcp-protocol-version': '2025-11-25' }
      await using answer = await open('POST', headers, { jsonrpc: '2.0', id: 1, method, params })
      await eventually(() => answer.isEnded())
      return answer.text()
    }
    const clientInfo = { name: 'forgetful', version: '1' }
    await ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
    assert.match(await ask('tools/list', {}), /"test_echo"/)
    assert.match(await ask('tools/call', { name: 'test_echo', arguments: { word: 'hello' } }), /hello/)
    assert.match(await ask('resources/subscribe', { uri: WATCHED }), /Subscriptions need a session/)
    for (const method of ['GET', 'DELETE']) {
      await using answer = await open(method, {})
      await eventually(() => answer.isEnded())
      assert.equal(answer.status, 400)
      assert.match(answer.text(), /Mcp-Session-Id is missing/)
    }
  })

test('a URI that is too long to be remembered is refused to a session, and left out of a listen', async () => {
  desk = await startVirtualMcp({ demo: fixtures.legacy.url })
  await using _ = desk
  const session = await openSession(desk)
  const uriOf = (chars: number): string => `test://template/${'x'.repeat(chars - 21)}/data`
  const subscribe = async (uri: string): Promise<string> => {
    const message = { jsonrpc: '2.0', id: 2, method: 'resources/subscribe', params: { uri } }
    await using answer = await open('POST', session, message)
    await eventually(() => answer.isEnded())
    return answer.text()
  }
  assert.match(await subscribe(uriOf(2048)), /"result":\{\}/)
  assert.match(await subscribe(uriOf(2049)), /uri must have at most 2048 characters/)
  await using stream = await listen({ resourceSubscriptions: [uriOf(2048), uriOf(2049)] })
  await seen(stream, 'notifications/subscriptions/acknowledged')
  const { notifications } = stream.messages[0]!['params'] as { notifications: object }
  assert.deepEqual(notifications, { resourceSubscriptions: [uriOf(2048)] })
})

test('the streams of a session end with the session, and those of another session stay', async () => {
  desk = await startVirtualMcp({ demo: fixtures.modern.url })
  await using _ = desk
  const [session, other] = [await openSession(desk), await openSession(desk)]
  await using first = await open('GET', session)
  await using second = await open('GET', session)
  await using stays = await open('GET', other)
  await using ended = await open('DELETE', session)
  assert.equal(ended.status, 204)
  await eventually(
    () => first.isEnded() && second.isEnded(),
    () => 'the end of both streams',
  )
  desk.publish({ members: [ONLY_ECHO] })
  await seen(stays, 'notifications/tools/list_changed')
  await using again = await open('GET', session)
  assert.equal(again.status, 404)
})

test('the stream of a session needs the session, and a client that reads streams', async () => {
  desk = await startVirtualMcp({ demo: fixtures.modern.url })
  await using _ = desk
  await using without = await open('GET', {})
  assert.equal(without.status, 400)
  await using unable = await open('GET', { ...(await openSession(desk)), accept: 'application/json' })
  assert.equal(unable.status, 406)
})

test('a listen needs a client that reads streams', async () => {
  desk = await startVirtualMcp({ demo: fixtures.modern.url })
  await using _ = desk
  const headers = { ...desk.headers, accept: 'application/json' }
  await using unable = await openListen({ url: desk.url, headers }, { toolsListChanged: true })
  assert.equal(unable.status, 406)
})
