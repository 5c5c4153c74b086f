import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createClock } from '../../src/base/clock.ts'
import { createConsumerDoor } from '../../src/mcp/consumer/door.ts'
import { createRunningCalls } from '../../src/mcp/http/message.ts'
import { createThreadEvents } from '../../src/shared-state/memory/shared-cells.ts'
import type { FeaturesFragment, GuardrailFragment } from '../../src/snapshot/fragments.ts'
import { CallerMemory } from '../../src/wire/caller-memory.ts'
import { eventually } from '../support/eventually.ts'
import { createSessionMemory } from '../support/session-memory.ts'
import { Caller } from '../wire/peers.ts'
import { client, collection, profile, proxy, token, upstream } from './fragments.ts'
import { type Asked, type Served, serve } from './serve.ts'

const MIB = 1024 * 1024
const ANSWER = 'x'.repeat(200_000)
/** More than what lies between two sockets. */
const LONG_ANSWER = Buffer.alloc(15_000_000, 'x')
const PLAIN: FeaturesFragment = {
  gathers: false,
  response_validation: 'off',
  cache: null,
  idempotency: false,
  graphql: null,
}
const CACHE = { ttl_ms: 60_000, vary: [], scope: 'shared', stale_if_error_ms: 0 } as const

const acme = token('tok_acme')
const other = token('tok_other')
const OF_ACME = { authorization: `Bearer ${acme.text}` }
const OF_OTHER = { authorization: `Bearer ${other.text}` }
const OPEN = { 'x-client-id': 'acme', 'x-profile-id': 'open' }

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Started {
  readonly served: Served
  readonly memory: CallerMemory
  /** What reached the server behind it. */
  readonly asked: string[]
}

/** A gateway that may keep `bytes` in memory, before a server whose answers are long. */
async function start(bytes: number): Promise<Started> {
  const asked: string[] = []
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url}`)
    incoming.resume()
    const answer = incoming.url?.endsWith('?long') ? LONG_ANSWER : ANSWER
    incoming.on('end', () => outgoing.setHeader('content-type', 'text/plain').end(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const memory = new CallerMemory(bytes)
  let door: ReturnType<typeof createConsumerDoor> | null = null
  const served = await serve(
    () => [
      collection('orders', {
        upstream: upstream(port),
        body_bytes_max: 10 * MIB,
        proxies: [
          proxy('gathered', '/gathered', { methods: ['GET', 'POST'], features: { ...PLAIN, gathers: true } }),
          proxy('cached', '/cached', { features: { ...PLAIN, cache: CACHE } }),
          proxy('once', '/once', { methods: ['POST'], features: { ...PLAIN, idempotency: true } }),
          proxy('held-once', '/held-once', {
            methods: ['POST'],
            features: { ...PLAIN, gathers: true, idempotency: true },
          }),
        ],
      }),
      client('acme', {
        profiles: [profile('key', { auth: 'token', tokens: [acme.fragment] }), profile('open')],
      }),
      client('other', { profiles: [profile('other-key', { auth: 'token', tokens: [other.fragment] })] }),
    ],
    {
      memory,
      reserved(incoming, exchange, gateway) {
        door ??= createConsumerDoor({
          gateway,
          sealKey: new Uint8Array(32).fill(7),
          ...createSessionMemory(),
          running: createRunningCalls(createThreadEvents(() => {})),
          origin: 'http://localhost:8080',
          allowsOrigin: () => false,
          corsLines: () => '',
          version: '0.0.0',
          clock: createClock(),
          requestId: () => exchange.requestId,
          taken: ['authorization', 'x-client-id', 'x-profile-id'],
          fault: (error) => assert.fail(String(error)),
        })
        door(incoming)
      },
    },
  )
  ends.push(async () => {
    await served.close()
    server.closeAllConnections()
    server.close()
  })
  return { served, memory, asked }
}

function linesOf(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
}

/** Begins requests one after another, whose bodies do not come to their end, until one is refused. */
async function fill(
  { served, memory }: Pick<Started, 'served' | 'memory'>,
  path: string,
  headers: Asked['headers'],
): Promise<Caller[]> {
  const callers: Caller[] = []
  const lines = linesOf({
    ...headers,
    host: 'a',
    'content-type': 'application/json',
    'content-length': '200000',
  })
  while (callers.length < 20) {
    const caller = new Caller(served.port)
    callers.push(caller)
    ends.push(() => caller.socket.destroy())
    const before = memory.bytes
    caller.send(`POST ${path} HTTP/1.1\r\n${lines}\r\n${' '.repeat(150_000)}`)
    await eventually(
      () => /\}$/.test(caller.received) || memory.bytes >= before + 150_000,
      () => `an answer to or the body of request ${callers.length}`,
    )
    if (caller.received !== '') return callers
  }
  throw new Error('none was refused')
}

interface ToolResult {
  readonly isError: boolean
  readonly structuredContent: Record<string, unknown>
}

/** An agent calls `GET /orders/gathered`. */
async function execute(served: Served): Promise<ToolResult> {
  const params = { name: 'execute_call', arguments: { endpoint: 'GET /orders/gathered' } }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
  const headers = { ...OPEN, 'content-type': 'application/json' }
  const { json } = await served.ask('/mcp', { method: 'POST', headers, body })
  return json['result'] as ToolResult
}

async function empty(memory: CallerMemory): Promise<void> {
  await eventually(
    () => memory.bytes === 0 && memory.holders === 0,
    () => `${memory.bytes} bytes to be given back`,
  )
}

test('slow bodies of one client are refused beyond half, others get through, and all comes back', async () => {
  const started = await start(4 * MIB)
  const { served, memory, asked } = started
  const callers = await fill(started, '/orders/gathered', OF_ACME)
  assert.ok(callers.length > 3, String(callers.length))
  assert.ok(memory.bytes > MIB && memory.bytes <= 2 * MIB, String(memory.bytes))
  const refused = callers.at(-1)!.received
  assert.match(refused, /^HTTP\/1\.1 503 /)
  assert.match(refused, /\r\nRetry-After: 1\r\n/i)
  assert.match(refused, /"code":"overloaded"/)
  assert.equal((await served.record(0)).code, 'overloaded')
  const whole = { method: 'POST', headers: OF_OTHER, body: 'b'.repeat(200_000) }
  assert.equal((await served.ask('/orders/gathered', whole)).status, 200)
  // Small ones of the same client pass
  assert.equal((await served.ask('/orders/once', { ...whole, headers: OF_ACME, body: 'b' })).status, 200)
  assert.deepEqual(asked, ['POST /gathered', 'POST /once'])
  // One comes to its end, the others leave
  callers[0]!.send(' '.repeat(50_000))
  await callers[0]!.receive(/x$/)
  for (const caller of callers.slice(1)) caller.socket.destroy()
  await empty(memory)
})

test('a slow body that runs out of time is given back', async () => {
  const started = await start(4 * MIB)
  const callers = await fill(started, '/orders/gathered', OF_ACME)
  started.served.moveClock(31_000)
  assert.match(await callers[0]!.receive(/\}$/), /^HTTP\/1\.1 408 /)
  await empty(started.memory)
})

test('who proves nothing is bounded by address, and leaves room for other addresses of the same open profile', async () => {
  const started = await start(4 * MIB)
  await fill(started, '/orders/gathered', OPEN)
  const whole = { method: 'POST', headers: OPEN, body: 'b'.repeat(200_000) }
  assert.equal((await started.served.ask('/orders/gathered', whole)).status, 503)
  assert.equal((await started.served.ask('/orders/gathered', { ...whole, from: '127.0.0.2' })).status, 200)
})

test('an answer that there is no room for is broken off and refused, and its key stays used', async () => {
  const { served, memory, asked } = await start(300_000)
  const keyed = { method: 'POST', headers: { ...OF_ACME, 'idempotency-key': 'k1' }, body: 'b' }
  const first = await served.ask('/orders/held-once', keyed)
  assert.deepEqual([first.status, first.json['code']], [503, 'overloaded'])
  assert.equal(first.headers['retry-after'], undefined)
  assert.equal((await served.record(0)).upstreamStatus, 200)
  const again = await served.ask('/orders/held-once', keyed)
  assert.deepEqual([again.status, again.json['code']], [409, 'idempotency_conflict'])
  assert.deepEqual(asked, ['POST /held-once'])
  await empty(memory)
})

test('an answer that cannot be copied passes, and is not given again', async () => {
  const { served, memory, asked } = await start(300_000)
  for (let i = 0; i < 2; i++) {
    const answer = await served.ask('/orders/cached', { headers: OF_ACME })
    assert.deepEqual([answer.status, answer.headers['x-cache']], [200, 'MISS'])
    assert.equal(answer.text, ANSWER)
  }
  const keyed = { method: 'POST', headers: { ...OF_ACME, 'idempotency-key': 'k1' }, body: 'b' }
  assert.equal((await served.ask('/orders/once', keyed)).text, ANSWER)
  assert.equal((await served.ask('/orders/once', keyed)).status, 409)
  assert.deepEqual(asked, ['GET /cached', 'GET /cached', 'POST /once'])
  await empty(memory)
})

test('where there is room, answers are kept and given again', async () => {
  const { served, memory, asked } = await start(4 * MIB)
  for (const cache of ['MISS', 'HIT']) {
    const answer = await served.ask('/orders/cached', { headers: OF_ACME })
    assert.deepEqual([answer.headers['x-cache'], answer.text], [cache, ANSWER])
  }
  const keyed = { method: 'POST', headers: { ...OF_ACME, 'idempotency-key': 'k1' }, body: 'b' }
  for (let i = 0; i < 2; i++) assert.equal((await served.ask('/orders/held-once', keyed)).text, ANSWER)
  const { structuredContent } = await execute(served)
  assert.deepEqual([structuredContent['status'], structuredContent['total_bytes']], [200, ANSWER.length])
  assert.deepEqual(asked, ['GET /cached', 'POST /held-once', 'GET /gathered'])
  await empty(memory)
})

test('kept answers are given again where there is room', async () => {
  const { served, memory, asked } = await start(4 * MIB)
  const keyed = { method: 'POST', headers: { ...OF_ACME, 'idempotency-key': 'k1' }, body: 'b' }
  const ask = () =>
    Promise.all([served.ask('/orders/cached', { headers: OF_ACME }), served.ask('/orders/once', keyed)])
  await ask()
  const reservation = memory.open('cli_acme')
  assert.ok(reservation.take(2 * MIB))
  for (const refused of await ask()) {
    assert.deepEqual([refused.status, refused.json['code']], [503, 'overloaded'])
    assert.equal(refused.headers['retry-after'], '1')
  }
  reservation.release()
  for (const answer of await ask()) assert.equal(answer.text, ANSWER)
  assert.equal(asked.length, 2)
  await empty(memory)
})

test('answers that a client does not read are refused beyond its part, and others get theirs', async () => {
  const { served, memory } = await start(80 * MIB)
  const callers: Caller[] = []
  for (let i = 0; i < 3; i++) {
    const caller = new Caller(served.port)
    callers.push(caller)
    ends.push(() => caller.socket.destroy())
    caller.socket.pause()
    caller.send(`GET /orders/gathered?long HTTP/1.1\r\n${linesOf({ ...OF_ACME, host: 'a' })}\r\n`)
  }
  await eventually(
    () => memory.bytes > 3 * LONG_ANSWER.length,
    () => `${memory.bytes} bytes to be held`,
  )
  const refused = await served.ask('/orders/gathered?long', { headers: OF_ACME })
  assert.deepEqual([refused.status, refused.json['code']], [503, 'overloaded'])
  const answer = await served.ask('/orders/gathered?long', { headers: OF_OTHER })
  assert.deepEqual([answer.status, answer.text.length], [200, LONG_ANSWER.length])
  assert.ok(memory.bytes > 3 * LONG_ANSWER.length)
  for (const caller of callers) caller.socket.destroy()
  await empty(memory)
})

test('slow messages of agents are refused beyond half, and agents elsewhere get through', async () => {
  const started = await start(4 * MIB)
  const { served, memory } = started
  const callers = await fill(started, '/mcp', OPEN)
  assert.match(callers.at(-1)!.received, /"code":"overloaded"/)
  const headers = { ...OPEN, 'content-type': 'application/json' }
  const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }).padEnd(200_000)
  const sent = { method: 'POST', headers, body: ping }
  assert.equal((await served.ask('/mcp', sent)).status, 503)
  assert.equal((await served.ask('/mcp', { ...sent, from: '127.0.0.2' })).status, 200)
  for (const caller of callers) caller.socket.destroy()
  await empty(memory)
})

test('a call of an agent whose answer finds no room is refused, and all comes back', async () => {
  const { served, memory, asked } = await start(300_000)
  const result = await execute(served)
  assert.deepEqual([result.isError, result.structuredContent['code']], [true, 'overloaded'])
  assert.deepEqual(asked, ['GET /gathered'])
  assert.equal((await served.record(0)).code, 'overloaded')
  await empty(memory)
})

const replacing = (legs: GuardrailFragment['legs'], pattern: string, text: string): GuardrailFragment => ({
  kind: 'guardrail',
  id: 'grd_replacing',
  slug: 'replacing',
  order: 1,
  scope: { everywhere: true, collections: [], proxies: [], virtual_mcps: [], origins: [] },
  legs,
  detector: { detector: 'regex', patterns: [{ kind: 'found', pattern }] },
  action: 'replace',
  text,
  body_bytes_max: 10 * MIB,
})

test('what a guardrail makes of a body counts, also where a small body was decoded for it', async () => {
  const { served, memory, asked } = await start(4 * MIB)
  served.apply([replacing(['request'], 'secret', 'x')])
  const send = async (chars: number): Promise<string> => {
    const body = gzipSync(`secret ${'a'.repeat(chars)}`).toString('latin1')
    const caller = new Caller(served.port)
    ends.push(() => caller.socket.destroy())
    const lines = linesOf({
      ...OF_ACME,
      host: 'a',
      'content-type': 'text/plain',
      'content-encoding': 'gzip',
      'content-length': String(body.length),
    })
    return caller.ask(`POST /orders/gathered HTTP/1.1\r\n${lines}\r\n${body}`, /[x}]$/)
  }
  assert.match(await send(3 * MIB), /^HTTP\/1\.1 503 .*"code":"overloaded"/s)
  assert.deepEqual(asked, [])
  assert.match(await send(MIB), /^HTTP\/1\.1 200 /)
  assert.deepEqual(asked, ['POST /gathered'])
  await empty(memory)
})

test('what a guardrail makes of a response counts', async () => {
  const { served, memory, asked } = await start(4 * MIB)
  const ask = () => served.ask('/orders/gathered', { headers: OF_ACME })
  served.apply([replacing(['response'], 'x{1000}', 'y'.repeat(5000))])
  assert.equal((await ask()).text.length, MIB - 48_576)
  served.apply([replacing(['response'], 'x{1000}', 'y'.repeat(20_000))])
  const refused = await ask()
  assert.deepEqual([refused.status, refused.json['code']], [503, 'overloaded'])
  assert.equal(asked.length, 2)
  await empty(memory)
})
