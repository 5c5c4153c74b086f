import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../test/support/any-json.ts'
import { fuzzCases } from '../../test/support/long.ts'
import { toMessage } from '../mcp/protocol/message.ts'
import { type Connection, createConnection, type Peer, type Request } from './connection.ts'
import type { Exchange } from './exchange.ts'
import type { Failure } from './failure.ts'

/** What one caller has got, in order. */
interface Caller extends Peer {
  readonly got: string[]
  readonly exchange: Exchange
}

function caller(): Caller {
  const got: string[] = []
  let isOpen = true
  const finish = (text: string): void => {
    if (isOpen) got.push(text)
    isOpen = false
  }
  return {
    got,
    tell: (text) => void got.push(`told ${text}`),
    exchange: {
      get isOpen() {
        return isOpen
      },
      message: (text) => isOpen && got.push(text) > 0,
      answer: (text) => finish(text),
      fail: (why) => finish(`failed ${why.reason} ${why.executed}`),
      end: () => finish('ended'),
      open() {},
    },
  }
}

interface Made {
  readonly connection: Connection
  /** Lines that the server has got. */
  readonly written: string[]
  readonly line: (message: unknown) => void
}

function made(
  options: { readonly isModern?: boolean; readonly write?: (text: string) => boolean } = {},
): Made {
  const written: string[] = []
  const connection = createConnection({
    isModern: options.isModern ?? false,
    callsMax: 4,
    timers: { after: () => () => {}, close() {} },
    write: options.write ?? ((text) => written.push(text) > 0),
    note() {},
  })
  return {
    connection,
    written,
    line: (message) =>
      connection.line(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message))),
  }
}

function request(connection: Connection, peer: Caller, message: object, caller = ''): void {
  const text = JSON.stringify({ jsonrpc: '2.0', ...message })
  const parsed = toMessage(JSON.parse(text)) as Request
  connection.request({ peer, caller, message: parsed, text, exchange: peer.exchange, timeoutMs: null })
}

const call = (id: string | number, progressToken?: unknown): object => ({
  id,
  method: 'tools/call',
  params: { name: 'x', _meta: { progressToken } },
})

const ENDED: Failure = { reason: 'process_ended', message: 'x', executed: 'unknown' }

test('a line that begins with a byte order mark is a message as over HTTP', () => {
  const { connection, line } = made()
  const one = caller()
  request(connection, one, call('a'))
  line('\ufeff{"jsonrpc":"2.0","id":1,"result":{}}')
  assert.deepEqual(one.got, ['{"jsonrpc":"2.0","id":"a","result":{}}'])
})

test('one caller has half of the requests under way, and another always finds a place', () => {
  const { connection, written, line } = made()
  const [hog, other] = [caller(), caller()]
  for (let id = 1; id <= 10; id++) request(connection, hog, call(id), 'hog')
  assert.equal(connection.callCount, 2)
  request(connection, other, call('a'), 'other')
  assert.equal(connection.callCount, 3)
  // A call that has ended makes room
  line({ jsonrpc: '2.0', id: 1, result: {} })
  request(connection, hog, call(11), 'hog')
  assert.deepEqual([connection.callCount, written.length], [3, 4])
  // A caller that leaves cancels its calls, and the server is told
  connection.abandon(hog.exchange)
  assert.equal(connection.callCount, 2)
  assert.match(written.at(-1)!, /notifications\/cancelled/)
})

test('requests under way are told that they may have been executed, later ones that they were not', () => {
  const { connection } = made()
  const [one, two] = [caller(), caller()]
  request(connection, one, call(1))
  connection.ended(ENDED)
  request(connection, two, call(1))
  assert.deepEqual([one.got, two.got], [['failed process_ended unknown'], ['failed process_ended no']])
})

test('a request beyond the bound, or to a server that does not read, was not executed', () => {
  const { connection } = made()
  for (let i = 0; i < 4; i++) request(connection, caller(), call(i))
  const late = caller()
  request(connection, late, call(5))
  const deaf = caller()
  request(made({ write: () => false }).connection, deaf, call(1))
  assert.deepEqual([late.got, deaf.got], [['failed calls_full no'], ['failed input_full no']])
})

test('an id that stands in the message as text of JSON comes back as it stood', () => {
  const { connection, line, written } = made()
  const one = caller()
  request(connection, one, call('1'))
  assert.deepEqual(JSON.parse(written[0]!).id, 1)
  line('{"jsonrpc":"2.0","result":{"n":1.0,"id":1},\r"id":1}')
  assert.deepEqual(one.got, ['{"jsonrpc":"2.0","result":{"n":1.0,"id":1}, "id":"1"}'])
})

test('the progress of a task goes to its caller also after the call, and so does its status', () => {
  const { connection, line } = made()
  const [one, two] = [caller(), caller()]
  for (const peer of [one, two]) connection.join(peer)
  request(connection, one, call(1, 'token'))
  line({ jsonrpc: '2.0', id: 1, result: { task: { taskId: 't' } } })
  one.got.length = 0
  line({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 2 } })
  line({ jsonrpc: '2.0', method: 'notifications/tasks/status', params: { taskId: 't' } })
  line({ jsonrpc: '2.0', method: 'notifications/tasks/status', params: { taskId: 'unknown' } })
  assert.equal(one.got.length, 2)
  assert.match(one.got[0]!, /"progressToken":"token"/)
  assert.deepEqual(two.got, [])
})

test('a page that a person has to open is told of as opened to the caller that was sent there', () => {
  const { connection, line } = made()
  const [one, two] = [caller(), caller()]
  for (const peer of [one, two]) connection.join(peer)
  request(connection, one, call(1))
  const data = {
    elicitations: [{ mode: 'url', elicitationId: 'e1', url: 'https://example.com', message: 'x' }],
  }
  line({ jsonrpc: '2.0', id: 1, error: { code: -32042, message: 'x', data } })
  const method = 'notifications/elicitation/complete'
  line({ jsonrpc: '2.0', method, params: { elicitationId: 'e1' } })
  assert.match(one.got[1]!, /^told .*elicitation\/complete/)
  assert.deepEqual(two.got, [])
})

test('a caller that leaves is cancelled, declined and unsubscribed', () => {
  const { connection, line, written } = made()
  const [one, two] = [caller(), caller()]
  for (const peer of [one, two]) connection.join(peer)
  const subscribe = (uri: string): object => ({ id: 1, method: 'resources/subscribe', params: { uri } })
  request(connection, two, subscribe('both'))
  request(connection, one, subscribe('both'))
  request(connection, one, subscribe('one'))
  for (const id of [1, 2, 3]) line({ jsonrpc: '2.0', id, result: {} })
  request(connection, one, call(9))
  line({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: {} })
  written.length = 0
  connection.leave(one)
  const sent = written.map(
    (text) => JSON.parse(text) as { method?: string; id?: unknown; params?: object; error?: object },
  )
  assert.deepEqual(
    sent.map(({ method, id, error }) => method ?? [id, error !== undefined]),
    ['notifications/cancelled', ['q', true], 'resources/unsubscribe'],
  )
  assert.deepEqual(sent[2]!.params, { uri: 'one' })
})

test('whatever a server writes, a caller gets one answer to its request, and nothing that belongs to another one', () => {
  const value = anyJson({ maxDepth: 2 }) as fc.Arbitrary<unknown>
  const reference = fc.oneof(fc.integer({ min: -1, max: 6 }), fc.constantFrom('a', 'b'), value)
  const subscription = fc.record({ 'io.modelcontextprotocol/subscriptionId': reference })
  const message = fc.oneof(
    value,
    fc.record({
      jsonrpc: fc.constant('2.0'),
      id: reference,
      result: fc.oneof(value, fc.record({ _meta: subscription })),
    }),
    fc.record({ jsonrpc: fc.constant('2.0'), id: reference, error: value }),
    fc.record(
      {
        jsonrpc: fc.constant('2.0'),
        id: reference,
        method: fc.constantFrom(
          ...['ping', 'roots/list', 'elicitation/create', 'notifications/progress', 'notifications/message'],
          ...['notifications/cancelled', 'notifications/resources/updated', 'notifications/tasks/status'],
          ...['notifications/elicitation/complete'],
        ),
        params: fc.record(
          {
            ...{ progressToken: reference, requestId: reference, uri: value, _meta: subscription },
            ...{ taskId: value, elicitationId: value },
          },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: ['jsonrpc', 'method'] },
    ),
  )
  fc.assert(
    fc.property(fc.array(message, { maxLength: 30 }), fc.boolean(), (messages, isModern) => {
      const { connection, line } = made({ isModern })
      const callers = [caller(), caller(), caller()]
      callers.forEach((peer, i) => {
        connection.join(peer)
        request(connection, peer, call(`id-${i}`, `token-${i}`))
      })
      for (const one of messages) line(one)
      connection.ended(ENDED)
      callers.forEach(({ got }, i) => {
        const answers = got.filter(
          (text) => text.startsWith('failed') || text === 'ended' || text.includes(`"id-${i}"`),
        )
        const own = answers.filter((text) => !text.startsWith('told') && !text.includes('"method"'))
        assert.equal(own.length, 1, got.join('\n'))
        for (const other of [0, 1, 2].filter((j) => j !== i))
          for (const text of got) {
            assert.ok(!text.includes(`"token-${other}"`), text)
            assert.ok(!text.includes(`"id-${other}"`), text)
          }
      })
    }),
    { numRuns: fuzzCases(300, 20_000) },
  )
})

test('a caller that answers nothing takes the places of no other caller', () => {
  const { connection, line, written } = made()
  const [one, two] = [caller(), caller()]
  for (const peer of [one, two]) connection.join(peer)
  request(connection, one, call(1))
  const asked = ({ got }: Caller): number => got.filter((text) => text.includes('roots/list')).length
  for (let id = 1; id <= 120; id++) line({ jsonrpc: '2.0', id, method: 'roots/list' })
  assert.equal(asked(one), 16)
  assert.equal(written.filter((text) => text.includes('"error"')).length, 104)
  line({ jsonrpc: '2.0', id: 1, result: {} })
  request(connection, two, call(1))
  line({ jsonrpc: '2.0', id: 'of two', method: 'roots/list' })
  assert.equal(asked(two), 1)
})

test('bytes that are no message change nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const { connection, line } = made()
      const one = caller()
      request(connection, one, call(1))
      connection.line(Buffer.from(bytes))
      line({ jsonrpc: '2.0', id: 1, result: {} })
      assert.equal(one.got.length, 1)
    }),
    { numRuns: fuzzCases(300, 20_000) },
  )
})
