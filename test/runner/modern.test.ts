/** Requests of 2026-07-28 to stdio servers of both eras, over real sockets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { eventsOf, initialize, type Message, server, startTestRunner, toolValue } from '../support/runner.ts'

const VERSION = '2026-07-28'

const META = {
  'io.modelcontextprotocol/protocolVersion': VERSION,
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** A request with its headers. */
function modern(
  id: number | string,
  method: string,
  params: object = {},
  more: object = {},
): [object, Record<string, string>] {
  const name: Record<string, string> = 'name' in params ? { 'mcp-name': String(params.name) } : {}
  return [
    { jsonrpc: '2.0', id, method, params: { ...params, _meta: { ...META, ...more } } },
    { 'mcp-protocol-version': VERSION, 'mcp-method': method, ...name },
  ]
}

const call = (id: number | string, name: string, args: object = {}, more: object = {}) =>
  modern(id, 'tools/call', { name, arguments: args }, more)

test('requests without a session share one process, and each gets its own answer', async () => {
  await using started = await startTestRunner({ now: server('modern') })
  const found = await started.send('now', ...modern('d', 'server/discover'))
  assert.deepEqual([found.status, found.messages[0]!.id], [200, 'd'])
  assert.deepEqual(found.messages[0]!.result!['supportedVersions'], [VERSION])
  const answers = await Promise.all(
    [1, 2, 3].map((who) => started.send('now', ...call('same', 'echo', { who }))),
  )
  assert.deepEqual(answers.map(toolValue), [{ who: 1 }, { who: 2 }, { who: 3 }])
  const pids = await Promise.all([1, 2].map((id) => started.send('now', ...call(id, 'pid'))))
  assert.equal(toolValue(pids[0]!), toolValue(pids[1]!))
  const progress = await started.send('now', ...call(1, 'progress', {}, { progressToken: 'mine' }))
  assert.equal(progress.messages[0]!.params!['progressToken'], 'mine')
})

test('a hang-up cancels the request at the server', async () => {
  await using started = await startTestRunner({ now: server('modern') })
  await started.send('now', ...call(1, 'pid'))
  const leaving = new AbortController()
  const left = started.open('now', ...call('h', 'hang'), leaving.signal).catch(() => 'left')
  await eventually(async () => {
    const { id } = toolValue(await started.send('now', ...call(1, 'cancelled'))) as { id: number }
    return id >= 3
  })
  leaving.abort()
  assert.equal(await left, 'left')
  await eventually(async () => {
    const { cancelled } = toolValue(await started.send('now', ...call(1, 'cancelled'))) as {
      cancelled: number[]
    }
    return cancelled.length === 1
  })
})

test('subscriptions/listen stays open, and its messages have the id of the caller', async () => {
  await using started = await startTestRunner({ now: server('modern') })
  const ids = ['mine', 'yours']
  const streams = await Promise.all(
    ids.map(async (id) => eventsOf(await started.open('now', ...modern(id, 'subscriptions/listen')))),
  )
  const next = async (): Promise<Message[]> =>
    Promise.all(streams.map(async (stream) => (await stream.next()).value!))
  const subscriptionOf = ({ params, result }: Message): unknown =>
    ((params ?? result)!['_meta'] as Record<string, unknown>)['io.modelcontextprotocol/subscriptionId']
  assert.deepEqual((await next()).map(subscriptionOf), ids)
  await started.send('now', ...call(1, 'change'))
  const changes = await next()
  assert.deepEqual(
    changes.map(({ method }) => method),
    ids.map(() => 'notifications/tools/list_changed'),
  )
  assert.deepEqual(changes.map(subscriptionOf), ids)
  await started.send('now', ...call(1, 'end'))
  const ends = await next()
  assert.deepEqual([ends.map(({ id }) => id), ends.map(subscriptionOf)], [ids, ids])
})

test('a modern server has no requests for clients: they are declined', async () => {
  await using started = await startTestRunner({ now: server('modern') })
  const { messages } = await started.send('now', ...call(1, 'asks'))
  assert.equal(messages.length, 1)
})

test('errors that refuse a request have their HTTP status', async () => {
  await using started = await startTestRunner({ now: server('modern') })
  assert.equal((await started.send('now', ...modern(1, 'unknown/method'))).status, 404)
  const [message, headers] = call(1, 'echo')
  for (const wrong of [
    { ...headers, 'mcp-name': 'other' },
    { ...headers, 'mcp-method': 'tools/list' },
    { ...headers, 'mcp-protocol-version': '2030-01-01' },
    { 'mcp-protocol-version': VERSION },
  ]) {
    const { status, messages } = await started.send('now', message, wrong)
    assert.deepEqual([status, messages[0]!.error!.code], [400, -32020])
  }
})

test('a modern-only server refuses initialize itself, and its process ends', async () => {
  await using started = await startTestRunner({ now: server('modern') })
  const { status, messages, headers } = await started.send('now', initialize())
  assert.deepEqual([status, messages[0]!.error!.code], [200, -32022])
  assert.equal(headers.get('mcp-session-id'), null)
})

for (const [kind, flags] of [
  ['answers with an error', []],
  ['exits', ['--exits-on-probe']],
] as const)
  test(`a modern request to a legacy server that ${kind} is refused, so that its caller sends initialize`, async () => {
    await using started = await startTestRunner({ old: server('legacy', ...flags) })
    for (const id of [1, 2]) {
      const { status, messages } = await started.send('old', ...modern(id, 'server/discover'))
      assert.deepEqual([status, messages[0]!.error!.data!.reason], [400, 'legacy_only'])
    }
    const session = await started.session('old')
    assert.equal(typeof (await session.call('pid')), 'number')
  })

test('the verdict of a legacy server is asked for again after a day', async () => {
  await using started = await startTestRunner({ old: server('legacy', '--exits-on-probe') })
  const probes = (): number => started.log.filter((line) => line.includes('exited with code 1')).length
  for (const [ms, expected] of [
    [0, 1],
    [23 * 3_600_000, 1],
    [3_600_001, 2],
  ] as const) {
    started.move(ms)
    await started.send('old', ...call(1, 'pid'))
    assert.equal(probes(), expected)
  }
})
