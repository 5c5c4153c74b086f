/** Servers that misbehave, and callers that do: the runner stays up, bounded, and tells whose fault it was. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../support/any-json.ts'
import { eventually } from '../support/eventually.ts'
import {
  initialize,
  markedProcesses,
  server,
  sha256,
  startTestRunner,
  TOKEN,
  toAnswered,
} from '../support/runner.ts'

const PATH = { PATH: '/usr/bin:/bin' }
const shell = (code: string, limits: object = {}): Record<string, unknown> => ({
  program: '/bin/sh',
  args: ['-c', code],
  env: PATH,
  limits,
})

/** Answers each request with an empty result, in the shell. */
const ANSWERS = `while read -r line; do id=\${line#*\\"id\\":}; id=\${id%%,*}; printf '{"jsonrpc":"2.0","id":%s,"result":{}}\\n' "$id"; done`

test('output without a line feed ends the server at the bound of a line, and memory stays bounded', async () => {
  await using started = await startTestRunner({
    endless: shell('tr "\\0" x < /dev/zero', { message: '64K' }),
  })
  const { status, messages } = await started.send('endless', initialize())
  assert.deepEqual([status, messages[0]!.error!.data!.reason], [502, 'output_invalid'])
  assert.match(messages[0]!.error!.message, /65536 bytes \(limits.message\)/)
  await eventually(() => markedProcesses(started.file).length === 0)
})

test('a message that is exactly as long as allowed passes', async () => {
  await using started = await startTestRunner({ small: { ...server('legacy'), limits: { message: '64K' } } })
  const session = await started.session('small')
  const body = (length: number): string =>
    JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'pid', arguments: { x: 'x'.repeat(length) } },
    })
  const most = 65_536 - body(0).length
  assert.equal((await started.send('small', body(most), session.headers)).status, 200)
  const over = await started.send('small', body(most + 1), session.headers)
  assert.deepEqual([over.status, over.messages[0]!.error!.data!.reason], [413, 'message_too_large'])
})

test('lines that are no messages are passed over and logged without their text', async () => {
  const garbage = [
    'PLANTED-GARBAGE',
    '{"jsonrpc":"2.0"}',
    '[]',
    '{"jsonrpc":"2.0","id":99,"result":{}}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}',
    '{"jsonrpc":"2.0","id":1,"id":1,"result":{}}',
    '\\377\\376',
  ]
  const code = `printf '${garbage.join('\\n')}\\n'; ${ANSWERS}`
  await using started = await startTestRunner({ noisy: shell(code) })
  const { status } = await started.send('noisy', initialize())
  assert.equal(status, 200)
  const log = started.log.join('\n')
  assert.match(log, /wrote a line to stdout that is no message/)
  assert.match(log, /answered a request that it was never sent/)
  assert.doesNotMatch(log, /PLANTED/)
})

test('a server that reads nothing gets no more than the bound, and its callers are refused', async () => {
  await using started = await startTestRunner(
    {
      deaf: shell(`read -r line; printf '{"jsonrpc":"2.0","id":1,"result":{}}\\n'; sleep 1000`, {
        message: '64K',
        calls: 1000,
      }),
    },
    100,
  )
  const session = await started.session('deaf')
  const leaving = new AbortController()
  const body = { jsonrpc: '2.0', method: 'ping', params: { x: 'x'.repeat(60_000) } }
  const reasons = new Set<string | undefined>()
  const given = Array.from({ length: 20 }, async (_, id) => {
    const response = await started.open('deaf', { ...body, id }, session.headers, leaving.signal)
    reasons.add((await toAnswered(response)).messages[0]!.error!.data!.reason)
  })
  await eventually(() => reasons.has('input_full'))
  leaving.abort()
  await Promise.allSettled(given)
})

test('endless stderr is neither kept nor logged as a whole, and its secrets are replaced', async () => {
  const secret = 'PLANTED-secret-value'
  await using started = await startTestRunner({
    loud: {
      ...shell(`(while :; do echo "key is $API_KEY and token=abcdefgh12345678"; done) >&2 & ${ANSWERS}`),
      env: { ...PATH, API_KEY: secret },
    },
  })
  for (let i = 0; i < 3; i++) assert.equal((await started.send('loud', initialize())).status, 200)
  await eventually(() => started.log.some((line) => line.includes('key is [secret] and token=[secret]')))
  await started.runner.close()
  assert.ok(started.log.length < 1000, `${started.log.length} lines`)
  assert.match(started.log.join('\n'), /lines of its output are not logged/)
  assert.doesNotMatch(started.log.join('\n'), /PLANTED|abcdefgh/)
})

test('a flood of notifications stops neither the answer nor other entries', async () => {
  const flood = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
  await using started = await startTestRunner({
    flood: shell(`(yes '${flood}') & ${ANSWERS}`),
    small: server('legacy'),
  })
  // Two writers of one pipe may mix their lines, so only the other entry is sure to answer
  const leaving = new AbortController()
  const flooded = started.open('flood', initialize(), {}, leaving.signal).catch(() => null)
  const session = await started.session('small')
  assert.equal(typeof (await session.call('pid')), 'number')
  leaving.abort()
  await flooded
})

test('a reader that does not read is cut off', async () => {
  const notification = `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"${'x'.repeat(10_000)}"}}`
  const code = `read -r line; printf '{"jsonrpc":"2.0","id":1,"result":{}}\\n'; read -r line; exec yes '${notification}'`
  await using started = await startTestRunner({ flood: shell(code, { message: '64K' }) })
  const session = await started.session('flood')
  const made = httpRequest(started.url('flood'), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${TOKEN}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...session.headers,
    },
  })
  made.end(JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'x' } }))
  const [response] = (await once(made, 'response')) as [IncomingMessage]
  let isCutOff = false
  response.on('error', () => {
    isCutOff = true
  })
  // Far slower than the server writes. A check every 25 ms must empty the buffers of the system in time, for only then the end is seen
  await eventually(
    () => {
      for (let reads = 0; reads < 32; reads++) response.read(4096)
      return isCutOff
    },
    () => 'the response was cut off',
  )
})

test('a server that asks without end is declined, and its caller still gets the answer', async () => {
  const code = `read -r line; printf '{"jsonrpc":"2.0","id":1,"result":{}}\\n'; read -r line; i=0
    while [ $i -lt 500 ]; do i=$((i+1)); printf '{"jsonrpc":"2.0","id":"q%s","method":"roots/list"}\\n' $i; done
    declined=0
    while [ $declined -lt 400 ]; do read -r line; declined=$((declined+1)); done
    printf '{"jsonrpc":"2.0","id":2,"result":{"declined":%s}}\\n' $declined; ${ANSWERS}`
  await using started = await startTestRunner({ asking: shell(code) })
  const session = await started.session('asking')
  const { messages } = await session.send({ id: 'mine', method: 'tools/call', params: { name: 'x' } })
  // 16 of its questions reach the caller
  assert.equal(messages.length, 17)
  assert.deepEqual([messages.at(-1)!.id, messages.at(-1)!.result], ['mine', { declined: 400 }])
})

test('requests of callers are judged before anything runs', async () => {
  const small = server('legacy')
  await using started = await startTestRunner({ small, other: small })
  const ping = initialize()
  const statusOf = async (headers: Record<string, string>, message: unknown = ping): Promise<unknown[]> => {
    const { status, messages } = await started.send('small', message, headers)
    return [status, messages[0]?.error?.data?.reason]
  }
  assert.deepEqual(await statusOf({ authorization: '' }), [401, 'credential_invalid'])
  assert.deepEqual(await statusOf({ authorization: 'Bearer x' }), [401, 'credential_invalid'])
  assert.deepEqual(await statusOf({ authorization: `Basic ${TOKEN}` }), [401, 'credential_invalid'])
  assert.deepEqual(await statusOf({ origin: 'http://localhost' }), [403, 'origin_not_allowed'])
  assert.deepEqual(await statusOf({ 'content-type': 'text/plain' }), [415, 'media_type_unsupported'])
  assert.deepEqual(await statusOf({ accept: 'application/json' }), [406, 'not_acceptable'])
  assert.deepEqual(await statusOf({ 'runner-instance': 'x'.repeat(129) }), [400, 'parameters_invalid'])
  assert.deepEqual(await statusOf({}, '{'), [400, 'message_invalid'])
  assert.deepEqual(await statusOf({}, [ping]), [400, 'message_invalid'])
  const unknown = await started.send('unknown', ping)
  assert.deepEqual([unknown.status, unknown.messages[0]!.error!.data!.reason], [403, 'entry_unknown'])
  const challenge = await started.send('small', ping, { authorization: '' })
  assert.equal(challenge.headers.get('www-authenticate'), 'Bearer')
  for (const [method, path, expected] of [
    ['PUT', '/entries/small', 405],
    ['GET', '/entries/small', 400],
    ['DELETE', '/entries/small', 400],
    ['POST', '/entries', 404],
    ['GET', '/', 404],
    ['GET', '/entries/small/x', 404],
  ] as const) {
    const answered = await fetch(new URL(path, started.url('small')), {
      method,
      headers: { authorization: `Bearer ${TOKEN}` },
    })
    await answered.text()
    assert.equal(answered.status, expected, `${method} ${path}`)
  }
  assert.deepEqual(markedProcesses(started.file), [])
})

test('arbitrary requests are answered with a status, and never break the runner', async () => {
  await using started = await startTestRunner({ small: server('legacy') })
  const session = await started.session('small')
  const value = anyJson({ maxDepth: 2 }) as fc.Arbitrary<unknown>
  const message = fc.record(
    {
      jsonrpc: fc.constantFrom('2.0', '1.0'),
      id: fc.oneof(fc.integer(), fc.string(), value),
      method: fc.oneof(
        fc.constantFrom('ping', 'resources/subscribe', 'resources/unsubscribe', 'notifications/cancelled'),
        fc.string(),
      ),
      params: fc.oneof(
        value,
        fc.record({
          uri: value,
          requestId: value,
          _meta: fc.oneof(value, fc.record({ progressToken: value })),
        }),
      ),
      result: value,
    },
    { requiredKeys: ['jsonrpc'] },
  )
  await fc.assert(
    fc.asyncProperty(message, fc.boolean(), async (body, hasSession) => {
      const { status } = await started.send('small', body, hasSession ? session.headers : {})
      assert.ok([200, 202, 400].includes(status), `${status} ${JSON.stringify(body)}`)
    }),
    { numRuns: 150 },
  )
  assert.equal(typeof (await session.call('pid')), 'number')
  assert.equal(
    started.log.some((line) => line.includes('fault')),
    false,
  )
})

test('a token reaches its own entries alone, and no session or process of another token', async () => {
  const small = server('legacy')
  const other = 'another-token-of-the-tests-that-is-long-enough'
  await using started = await startTestRunner({ small, closed: small }, 2000, [
    { token_sha256: sha256(other), entries: ['small'] },
  ])
  const authorization = `Bearer ${other}`
  const mine = await started.session('small')
  const theirs = await started.session('small', {}, { authorization })
  assert.notEqual(await mine.call('pid'), await theirs.call('pid'))
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
  assert.equal((await started.send('small', ping, { ...mine.headers, authorization })).status, 404)
  assert.equal((await started.send('closed', initialize(), { authorization })).status, 403)
  const listed = await fetch(new URL('/entries', started.url('small')), { headers: { authorization } })
  assert.deepEqual(await listed.json(), { entries: [{ name: 'small', instance: 'shared', parameters: [] }] })
})
