import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bridge, messagesOf } from './bridge.ts'

interface Seen {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body: string
}

/** Carries lines to an endpoint that answers as it is told, and gives what both sides got. */
async function carry(
  lines: readonly (object | string)[],
  respond: (seen: Seen, count: number) => Response | Promise<Response>,
  tokens: readonly string[] = ['t1'],
) {
  const seen: Seen[] = []
  const sent: Record<string, unknown>[] = []
  const warned: string[] = []
  let token = 0
  await bridge(
    (async function* () {
      for (const line of lines) yield typeof line === 'string' ? line : JSON.stringify(line)
    })(),
    {
      url: 'http://postern.example/management/mcp',
      authorization: async (refused) => {
        if (refused !== undefined && token < tokens.length - 1) token++
        return `Bearer ${tokens[token]}`
      },
      headers: { 'x-team': 'a' },
      fetch: async (_url, init) => {
        const headers = init?.headers as Record<string, string>
        const one = { method: init?.method ?? '', headers, body: String(init?.body ?? '') }
        seen.push(one)
        init?.signal?.throwIfAborted()
        return respond(one, seen.length)
      },
      send: (message) => sent.push(JSON.parse(message)),
      warn: (sentence) => warned.push(sentence),
    },
  )
  return { seen, sent, warned }
}

const ask = (id: number, method = 'tools/list', params: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
})
const answered = (id: number) => Response.json({ jsonrpc: '2.0', id, result: {} })

test('the session and the version of a handshake go with all that follows, and the session is ended', async () => {
  const { seen, sent } = await carry(
    [
      ask(1, 'initialize', { protocolVersion: '2025-06-18' }),
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      ask(2),
    ],
    ({ body }) => {
      const { id, method } = body === '' ? { id: 0, method: '' } : JSON.parse(body)
      if (method === 'initialize')
        return Response.json(
          { jsonrpc: '2.0', id, result: { protocolVersion: '2025-06-18' } },
          { headers: { 'mcp-session-id': 's1' } },
        )
      return id === undefined ? new Response(null, { status: 202 }) : answered(id)
    },
  )
  assert.deepEqual(
    seen.map(({ method, headers }) => [method, headers['mcp-session-id'], headers['mcp-protocol-version']]),
    [
      ['POST', undefined, undefined],
      ['POST', 's1', '2025-06-18'],
      ['POST', 's1', '2025-06-18'],
      ['DELETE', 's1', '2025-06-18'],
    ],
  )
  assert.ok(
    seen.every(({ headers }) => headers['x-team'] === 'a' && headers['authorization'] === 'Bearer t1'),
  )
  assert.deepEqual(
    sent.map(({ id }) => id),
    [1, 2],
  )
})

test('a message without a handshake says in its fields what it says in its body', async () => {
  const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }
  const { seen } = await carry([ask(1, 'tools/call', { name: 'übersicht', _meta })], () => answered(1))
  const [{ headers }] = seen as [Seen]
  assert.equal(headers['mcp-protocol-version'], '2026-07-28')
  assert.equal(headers['mcp-method'], 'tools/call')
  assert.equal(headers['mcp-name'], '=?base64?w7xiZXJzaWNodA==?=')
  assert.equal(seen.length, 1, 'there is no session to end')
})

test('answers out of a stream are messages of their own', async () => {
  const notice = { jsonrpc: '2.0', method: 'notifications/progress', params: {} }
  const { sent } = await carry([ask(1)], () => {
    const text = `: hello\r\nid: 1\r\ndata: ${JSON.stringify(notice)}\r\n\r\nevent: message\ndata: {"jsonrpc":"2.0",\ndata: "id":1,"result":{}}\n\nevent: other\ndata: x\n\n`
    return new Response(text, { headers: { 'content-type': 'text/event-stream' } })
  })
  assert.deepEqual(sent, [notice, { jsonrpc: '2.0', id: 1, result: {} }])
})

test('a token that is refused is renewed once; what stays refused is an error of the message', async () => {
  const refuse = () =>
    Response.json(
      { title: 'Credential invalid', detail: 'It has ended.' },
      { status: 401, headers: { 'content-type': 'application/problem+json' } },
    )
  const renewed = await carry(
    [ask(1)],
    ({ headers }) => (headers['authorization'] === 'Bearer t2' ? answered(1) : refuse()),
    ['t1', 't2'],
  )
  assert.deepEqual([renewed.seen.length, renewed.sent], [2, [{ jsonrpc: '2.0', id: 1, result: {} }]])
  const refused = await carry([ask(1), { jsonrpc: '2.0', method: 'notifications/x' }], refuse)
  assert.deepEqual(refused.sent, [
    { jsonrpc: '2.0', id: 1, error: { code: -32000, message: 'Credential invalid (401). It has ended.' } },
  ])
  assert.deepEqual(refused.warned, ['A message was refused: Credential invalid (401). It has ended.'])
})

test('nothing but messages comes out, whatever goes in and whatever answers', async () => {
  const { sent, warned } = await carry(
    ['', 'hello', '{"a":1}', ask(1), ask(2), { jsonrpc: '2.0', method: 'notifications/x' }],
    ({ body }, count) => {
      if (JSON.parse(body).id === 1) return new Response('<html>', { status: 502 })
      if (count > 2)
        throw new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) })
      return new Response('[', { headers: { 'content-type': 'application/json' } })
    },
  )
  const errors = sent as { id: number | null; error: { code: number; message: string } }[]
  assert.deepEqual(errors.map(({ id, error }) => `${id} ${error.code}`).sort(), [
    '1 -32000',
    '2 -32000',
    'null -32700',
    'null -32700',
  ])
  assert.match(errors.find(({ id }) => id === 1)!.error.message, /status 502/)
  assert.match(warned.join(), /Nothing answered at .* \(ECONNREFUSED\)/)
})

test('who takes a call back in a version without sessions leaves it', async () => {
  const { promise: left, resolve: leave } = Promise.withResolvers<void>()
  const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }
  const lines = async function* () {
    yield JSON.stringify(ask(1))
    yield JSON.stringify(cancel)
  }
  const sent: string[] = []
  await bridge(lines(), {
    url: 'http://postern.example/mcp',
    authorization: async () => null,
    headers: {},
    fetch: (_url, init) =>
      new Promise((_, reject) => {
        const gone = () => {
          leave()
          reject(new Error('aborted'))
        }
        if (init?.signal?.aborted === true) gone()
        else init?.signal?.addEventListener('abort', gone)
      }),
    send: (message) => sent.push(message),
    warn: (sentence) => sent.push(sentence),
  })
  await left
  assert.deepEqual(sent, [])
})

test('a stream gives the same messages wherever it is cut, and throws at nothing', async () => {
  const text = 'data: {"a":"ä€"}\r\n\r\n: x\ndata\ndata:b\r\rdata: c\n\n'
  const read = async (pieces: readonly Uint8Array[]): Promise<string[]> => {
    const all: string[] = []
    for await (const one of messagesOf(
      (async function* () {
        yield* pieces
      })(),
    ))
      all.push(one)
    return all
  }
  const bytes = Buffer.from(text)
  const whole = await read([bytes])
  assert.deepEqual(whole, ['{"a":"ä€"}', '\nb', 'c'])
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length)), async (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), bytes.length]
      const pieces = places.slice(1).map((end, i) => bytes.subarray(places[i], end))
      assert.deepEqual(await read(pieces), whole)
    }),
  )
  await fc.assert(fc.asyncProperty(fc.array(fc.uint8Array()), async (pieces) => void (await read(pieces))))
})

test('ids and results keep their digits, and a call is given up by its id with all of them', async () => {
  const [kept, given] = ['9007199254740993', '9007199254740992']
  const lines: string[] = []
  const aborted: string[] = []
  const request = (id: string): string =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`
  await bridge(
    (async function* () {
      yield request(kept)
      yield request(given)
      yield `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${given}}}`
    })(),
    {
      url: 'http://postern.example/management/mcp',
      authorization: async () => null,
      headers: {},
      fetch: async (_url, init) => {
        const id = /"id":(\d+)/.exec(String(init?.body))![1]!
        if (id === given)
          return new Promise((_resolve, reject) =>
            init!.signal!.addEventListener('abort', () => {
              aborted.push(id)
              reject(new Error('aborted'))
            }),
          )
        return new Response(`{"jsonrpc":"2.0","id":${id},"result":{"n":1.50}}`, {
          headers: { 'content-type': 'application/json' },
        })
      },
      send: (message) => lines.push(message),
      warn: () => {},
    },
  )
  assert.deepEqual(lines, [`{"jsonrpc":"2.0","id":${kept},"result":{"n":1.50}}`])
  assert.deepEqual(aborted, [given])
})

test('a request whose id is written as 1.0 or 1e3 is told that it failed', async () => {
  const lines: string[] = []
  await bridge(
    (async function* () {
      for (const id of ['1.0', '1e3', '-0', '9007199254740993'])
        yield `{"jsonrpc":"2.0","id":${id},"method":"tools/list"}`
    })(),
    {
      url: 'http://postern.example/management/mcp',
      authorization: async () => null,
      headers: {},
      fetch: async () => Promise.reject(new TypeError('fetch failed')),
      send: (message) => lines.push(message),
      warn: () => assert.fail('nobody is asked to guess which request it was'),
    },
  )
  const ids = lines.map((line) => /"id":([^,]+),"error"/.exec(line)![1])
  assert.deepEqual(ids.toSorted(), ['0', '1', '1000', '9007199254740993'])
})
