/** Legacy sessions of several callers on one process of a stdio server, over real sockets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import {
  eventsOf,
  initialize,
  server,
  startTestRunner,
  toAnswered,
  toolCall,
  toolValue,
} from '../support/runner.ts'

test('a message of several lines, with numbers beyond 2^53, reaches the server and comes back with the id of the caller', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  const text = `{"jsonrpc":"2.0",\r\n "method":"tools/call", "id" : "a\\"b",\n\t"params":{"arguments":{"n":12345678901234567890,"id":7},"name":"echo"}}`
  const answered = await started.send('small', text, session.headers)
  assert.equal(answered.status, 200)
  assert.equal(answered.messages[0]!.id, 'a"b')
  // The small server itself reads it as a number of JavaScript
  assert.deepEqual(toolValue(answered), { n: 12345678901234567000, id: 7 })
})

test('sessions with the same capabilities share a process, which is initialised once; others get one of their own', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const [one, two] = await Promise.all([started.session('small'), started.session('small')])
  const other = await started.session('small', { sampling: {} })
  for (const session of [one, two, other])
    assert.equal((await session.send({ method: 'notifications/initialized' })).status, 202)
  assert.equal(await one.call('pid'), await two.call('pid'))
  assert.notEqual(await one.call('pid'), await other.call('pid'))
  assert.deepEqual([await one.call('initializes'), await two.call('initializes')], [1, 1])
  assert.deepEqual(await two.call('seen'), ['notifications/initialized'])
})

test('the same ids of two sessions do not meet', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const sessions = await Promise.all(Array.from({ length: 5 }, () => started.session('small')))
  const answers = await Promise.all(
    sessions.map((session, who) =>
      session.send({ id: 1, method: 'tools/call', params: { name: 'echo', arguments: { who } } }),
    ),
  )
  assert.deepEqual(
    answers.map((answer) => [answer.messages[0]!.id, toolValue(answer)]),
    sessions.map((_, who) => [1, { who }]),
  )
})

test('progress comes on the stream of its call, with the token of the caller', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const [one, two] = [await started.session('small'), await started.session('small')]
  const [first, second] = await Promise.all([
    started.send('small', toolCall(1, 'progress', {}, { progressToken: 'mine' }), one.headers),
    started.send('small', toolCall(1, 'progress', {}, { progressToken: 4 }), two.headers),
  ])
  assert.match(first.headers.get('content-type')!, /^text\/event-stream/)
  for (const [answered, token] of [
    [first, 'mine'],
    [second, 4],
  ] as const)
    assert.deepEqual(
      answered.messages.map(({ id, params }) => id ?? [params!['progressToken'], params!['progress']]),
      [[token, 1], [token, 2], 1],
    )
})

test('a server asks the caller whose call is the only one, on the stream of that call', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const one = await started.session('small')
  const two = await started.session('small')
  const asking = await one.open({ id: 1, method: 'tools/call', params: { name: 'ask', arguments: {} } })
  const events = eventsOf(asking)
  const { value: question } = await events.next()
  assert.equal(question!.method, 'elicitation/create')
  // The answer of another session is not taken
  const forged = { id: question!.id, result: { action: 'accept', content: { from: 'two' } } }
  assert.equal((await two.send(forged)).status, 202)
  const reply = { id: question!.id, result: { action: 'accept', content: { from: 'one' } } }
  assert.equal((await one.send(reply)).status, 202)
  const { value: answer } = await events.next()
  assert.deepEqual(JSON.parse(answer!.result!.content![0]!.text), {
    action: 'accept',
    content: { from: 'one' },
  })
})

test('a request of the server that may belong to either of two callers is declined and shown to none', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const one = await started.session('small')
  const two = await started.session('small')
  const hanging = new AbortController()
  const other = await two.open({ id: 1, method: 'tools/call', params: { name: 'progress', arguments: {} } })
  await toAnswered(other)
  const held = two
    .open({ id: 2, method: 'tools/call', params: { name: 'hang', arguments: {} } }, hanging.signal)
    .catch(() => null)
  await eventually(async () => {
    const answer = (await one.call('ask')) as { error?: { message: string } }
    return answer.error?.message.includes('This request belongs to no known caller') === true
  })
  hanging.abort()
  await held
})

test('a request that may belong to either of two calls of one session goes to its stream, also when that opens a moment later', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  const leaving = new AbortController()
  const held = session
    .open({ id: 'h', method: 'tools/call', params: { name: 'hang', arguments: {} } }, leaving.signal)
    .catch(() => null)
  await session.call('pid')
  const early = session.call('roots')
  const stream = eventsOf(await session.stream())
  const answerOne = async (): Promise<void> => {
    const { value: question } = await stream.next()
    assert.equal(question!.method, 'roots/list')
    await session.send({ id: question!.id, result: { roots: [] } })
  }
  await answerOne()
  assert.deepEqual(await early, { roots: [] })
  const late = session.call('roots')
  await answerOne()
  assert.deepEqual(await late, { roots: [] })
  leaving.abort()
  await held
})

test('a request that no stream takes within five seconds is declined', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  const leaving = new AbortController()
  const held = session
    .open({ id: 'h', method: 'tools/call', params: { name: 'hang', arguments: {} } }, leaving.signal)
    .catch(() => null)
  await session.call('pid')
  const given = session.call('roots')
  // Only when the server has asked
  await session.call('pid')
  started.move(5000)
  assert.match(JSON.stringify(await given), /accepts no requests/)
  leaving.abort()
  await held
})

test('changes of lists reach every session, changes of a resource those that subscribed', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const one = await started.session('small')
  const two = await started.session('small')
  const [first, second] = [eventsOf(await one.stream()), eventsOf(await two.stream())]
  for (const session of [one, two])
    await session.send({ id: 1, method: 'resources/subscribe', params: { uri: 'a:1' } })
  // The other session still wants it, so that the server is not told
  await two.send({ id: 2, method: 'resources/unsubscribe', params: { uri: 'a:1' } })
  await one.call('update', { uri: 'a:1' })
  const methods = [(await first.next()).value!.method, (await first.next()).value!.method]
  assert.deepEqual(methods, ['notifications/resources/updated', 'notifications/tools/list_changed'])
  assert.equal((await second.next()).value!.method, 'notifications/tools/list_changed')
  assert.equal((await one.end()).status, 204)
  await eventually(async () => {
    const seen = (await two.call('seen')) as string[]
    assert.deepEqual(seen.slice(0, 2), ['resources/subscribe a:1', 'resources/subscribe a:1'])
    return seen[2] === 'resources/unsubscribe a:1'
  })
})

test('a log message goes to the only call, and to nobody when it may belong to several callers', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const one = await started.session('small')
  const alone = await one.send({ id: 1, method: 'tools/call', params: { name: 'log', arguments: {} } })
  assert.deepEqual(
    alone.messages.map(({ method }) => method),
    ['notifications/message', undefined],
  )
  const two = await started.session('small')
  const hanging = new AbortController()
  const held = two
    .open({ id: 1, method: 'tools/call', params: { name: 'hang', arguments: {} } }, hanging.signal)
    .catch(() => null)
  await eventually(async () => {
    const answered = await one.send({ id: 2, method: 'tools/call', params: { name: 'log', arguments: {} } })
    return answered.messages.length === 1
  })
  hanging.abort()
  await held
})

test('a hang-up cancels the request at the server, and so does notifications/cancelled, with the id of the server', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  const leaving = new AbortController()
  const left = session
    .open({ id: 'x', method: 'tools/call', params: { name: 'hang', arguments: {} } }, leaving.signal)
    .catch(() => 'left')
  await session.call('pid')
  leaving.abort()
  assert.equal(await left, 'left')
  await eventually(async () => ((await session.call('seen')) as string[]).length === 1)
  assert.deepEqual(await session.call('seen'), ['cancelled 2'])
  const given = session.send({ id: 'y', method: 'tools/call', params: { name: 'hang', arguments: {} } })
  await session.call('pid')
  await session.send({ method: 'notifications/cancelled', params: { requestId: 'y' } })
  assert.equal((await given).text, '')
  const seen = (await session.call('seen')) as string[]
  assert.equal(seen.length, 2)
  assert.match(seen[1]!, /^cancelled \d+$/)
})

test('notifications/cancelled finds a request by an id that no double holds', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  const id = 9007199254740993n
  const given = started.send(
    'small',
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"hang","arguments":{}}}`,
    session.headers,
  )
  await session.call('pid')
  const cancel = (one: bigint) =>
    started.send(
      'small',
      `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${one}}}`,
      session.headers,
    )
  await cancel(id - 1n)
  assert.deepEqual(await session.call('seen'), [])
  await cancel(id)
  assert.equal((await given).text, '')
  assert.equal(((await session.call('seen')) as string[]).length, 1)
})

test('an ended, foreign or unknown session is 404, and a missing one 400', async () => {
  const small = server('legacy')
  await using started = await startTestRunner({ small, other: small })
  const session = await started.session('small', {}, { 'runner-origin': 'a' })
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
  assert.equal((await started.send('small', ping, session.headers)).status, 200)
  for (const [entry, headers] of [
    ['other', session.headers],
    ['small', { ...session.headers, 'runner-origin': 'b' }],
    ['small', { ...session.headers, 'mcp-session-id': 'x' }],
  ] as const) {
    const { status, messages } = await started.send(entry, ping, headers)
    assert.deepEqual([status, messages[0]!.error!.data!.reason], [404, 'session_unknown'])
  }
  assert.equal((await started.send('small', ping)).status, 400)
  assert.equal((await session.end()).status, 204)
  assert.equal((await started.send('small', ping, session.headers)).status, 404)
  assert.equal((await session.end()).status, 404)
  assert.equal((await session.stream()).status, 404)
})

test('a second GET stream takes over, and the first one ends', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  const first = await session.stream()
  const second = eventsOf(await session.stream())
  await first.text()
  await session.call('update', { uri: 'a:1' })
  assert.equal((await second.next()).value!.method, 'notifications/tools/list_changed')
})

test('a call that takes too long is cancelled and answered with 504', async () => {
  await using started = await startTestRunner({
    small: { ...server('legacy'), limits: { call_timeout: '10s' } },
  })
  const session = await started.session('small')
  const given = session.send({ id: 1, method: 'tools/call', params: { name: 'hang', arguments: {} } })
  await session.call('pid')
  started.move(10_000)
  const { status, messages } = await given
  assert.equal(status, 504)
  assert.deepEqual(messages[0]!.error!.data, { reason: 'call_timeout', executed: 'unknown' })
  assert.deepEqual(await session.call('seen'), ['cancelled 2'])
})

test('a server that does not answer initialize is stopped, and the caller is told of the limit', async () => {
  await using started = await startTestRunner({
    small: { ...server('legacy', '--slow'), limits: { start_timeout: '10s' } },
  })
  const given = started.send('small', initialize())
  await eventually(() => started.log.some((line) => line.includes('started process')))
  started.move(10_000)
  const { status, messages } = await given
  assert.deepEqual([status, messages[0]!.error!.data!.reason], [504, 'start_timeout'])
})

test('a waiting call is kept alive by comments of a stream', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  const leaving = new AbortController()
  const opening = session.open(
    { id: 1, method: 'tools/call', params: { name: 'hang', arguments: {} } },
    leaving.signal,
  )
  await session.call('pid')
  started.move(15_000)
  const response = await opening
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/)
  const reader = response.body!.getReader()
  assert.match(new TextDecoder().decode((await reader.read()).value), /^: waiting/)
  leaving.abort()
  await reader.cancel().catch(() => {})
})
