/** The door `/mcp` in front of a real gateway and an upstream that answers when it is told to; the clock is moved by hand. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { createClock, createClockCell } from '../../src/base/clock.ts'
import { createConsumerDoor } from '../../src/mcp/consumer/door.ts'
import { EVERY_MS, FIRST_MS, TICK_MS } from '../../src/mcp/endpoints/call.ts'
import { createRunningCalls } from '../../src/mcp/http/message.ts'
import { createThreadEvents } from '../../src/shared-state/memory/shared-cells.ts'
import type { ProfileFragment, ProxyFragment } from '../../src/snapshot/fragments.ts'
import { client, collection, profile, proxy, token, upstream } from '../gateway/fragments.ts'
import { serve } from '../gateway/serve.ts'
import { eventually } from '../support/eventually.ts'
import { moveClock } from '../support/moved-clock.ts'
import { createSessionMemory } from '../support/session-memory.ts'

const acme = token('tok_acme')
const CALL = { name: 'execute_call', arguments: { endpoint: 'GET /orders/v1/orders/7' } }
const MODERN = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** As far as it is read here. */
interface Message {
  readonly method?: string
  readonly params: {
    readonly progressToken?: unknown
    readonly progress: number
    readonly notifications?: object
    readonly _meta?: object
  }
  readonly result: {
    readonly resultType?: string
    readonly structuredContent: { readonly body: unknown }
  }
}

async function start() {
  const cell = createClockCell()
  const waiting: ServerResponse[] = []
  let gone = 0
  const server = createServer((incoming, outgoing) => {
    incoming.resume()
    outgoing.on('close', () => outgoing.writableFinished || gone++)
    waiting.push(outgoing)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const orders = (proxies: readonly ProxyFragment[]) =>
    collection('orders', { upstream: upstream(port, { first_byte_ms: 60_000, idle_ms: 60_000 }), proxies })
  const caller = (more: Partial<ProfileFragment> = {}) =>
    client('acme', { profiles: [profile('live', { auth: 'token', tokens: [acme.fragment], ...more })] })
  const first = [proxy('get-order', '/v1/orders/{id}')]
  let door: ReturnType<typeof createConsumerDoor> | null = null
  const served = await serve(() => [orders(first), caller()], {
    clockCell: cell,
    reserved(incoming, exchange, gateway) {
      door ??= createConsumerDoor({
        gateway,
        sealKey: new Uint8Array(32),
        ...createSessionMemory(),
        running: createRunningCalls(createThreadEvents(() => {})),
        origin: 'http://localhost:8080',
        allowsOrigin: () => false,
        corsLines: () => '',
        version: '0.0.0',
        clock: createClock(cell),
        requestId: () => exchange.requestId,
        taken: ['authorization', 'x-client-id', 'x-profile-id'],
        fault: (error) => assert.fail(String(error)),
      })
      door(incoming)
    },
  })
  ends.push(async () => {
    await served.close()
    server.closeAllConnections()
    server.close()
  })
  let id = 0
  return {
    move: (ms: number) => moveClock(cell, ms),
    served,
    waiting,
    left: () => gone,
    orders,
    caller,
    first,
    async ask(
      method: string,
      params: object,
      era: 'modern' | 'legacy',
      accept = 'application/json, text/event-stream',
      query = '',
      leaving = new AbortController(),
    ) {
      const isModern = era === 'modern'
      const _meta = { ...(isModern ? MODERN : {}), ...('_meta' in params ? (params._meta as object) : {}) }
      const response = await fetch(`http://127.0.0.1:${served.port}/mcp${query}`, {
        method: 'POST',
        signal: leaving.signal,
        headers: {
          authorization: `Bearer ${acme.text}`,
          'content-type': 'application/json',
          accept,
          ...(isModern ? { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method } : {}),
          ...(isModern && 'name' in params ? { 'mcp-name': String(params.name) } : {}),
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params: { ...params, _meta } }),
      })
      let text = ''
      let isEnded = false
      const read = async () => {
        for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) text += piece
        isEnded = true
      }
      const reading = read().catch(() => {})
      return {
        type: response.headers.get('content-type'),
        leave: () => leaving.abort(),
        done: () => reading,
        isEnded: () => isEnded,
        text: () => text,
        // Read as they come; the shape is asserted
        messages: () =>
          text
            .split('\n')
            .flatMap((line): Message[] => (line.startsWith('data: ') ? [JSON.parse(line.slice(6))] : [])),
      }
    },
  }
}

const WITH_TOKEN = { ...CALL, _meta: { progressToken: 'p1' } }

for (const era of ['modern', 'legacy'] as const)
  test(`a long call tells a client of the ${era} era how long it lasts, and then its result`, async () => {
    const gateway = await start()
    const asking = gateway.ask('tools/call', WITH_TOKEN, era)
    // Nothing to tell it with, and nothing to tell it on
    const others = [
      gateway.ask('tools/call', CALL, era),
      gateway.ask('tools/call', { ...CALL, _meta: { progressToken: true } }, era),
      gateway.ask('tools/call', WITH_TOKEN, era, 'application/json'),
    ]
    await eventually(() => gateway.waiting.length === 4)
    gateway.move(FIRST_MS)
    const call = await asking
    assert.equal(call.type, 'text/event-stream')
    await eventually(() => call.messages().length === 1)
    gateway.move(EVERY_MS)
    await eventually(() => call.messages().length === 2)
    const [first, second] = call.messages()
    for (const message of [first, second]) {
      assert.equal(message!.method, 'notifications/progress')
      assert.equal(message!.params.progressToken, 'p1')
    }
    assert.ok(first!.params.progress >= 3 && second!.params.progress > first!.params.progress)
    for (const waiting of gateway.waiting)
      waiting.setHeader('content-type', 'application/json').end('{"a":1}')
    await call.done()
    assert.deepEqual(call.messages().at(-1)!.result.structuredContent.body, { a: 1 })
    assert.equal(call.messages().length, 3)
    for (const other of others) {
      const { type, done, text } = await other
      await done()
      assert.equal(type, 'application/json')
      assert.deepEqual(JSON.parse(text()).result.structuredContent.body, { a: 1 })
    }
    const surfaces = await Promise.all([0, 1, 2, 3].map((index) => gateway.served.record(index)))
    assert.deepEqual(
      new Set(surfaces.map(({ path, status }) => `${path} ${status}`)),
      new Set(['/orders/v1/orders/7 200']),
    )
  })

test('a client of 2026-07-28 that leaves the stream gives its call up, one of an earlier revision does not', async () => {
  for (const era of ['modern', 'legacy'] as const) {
    const gateway = await start()
    const asking = gateway.ask('tools/call', WITH_TOKEN, era)
    await eventually(() => gateway.waiting.length === 1)
    gateway.move(FIRST_MS)
    const call = await asking
    call.leave()
    await call.done()
    if (era === 'modern') await eventually(() => gateway.left() === 1)
    else {
      gateway.waiting[0]!.end('{}')
      assert.equal((await gateway.served.record(0)).status, 200)
      assert.equal(gateway.left(), 0)
    }
  }
})

test('a call that its client has left before the first sign is waited for by nothing', async (t) => {
  const set = t.mock.method(globalThis, 'setInterval')
  const clear = t.mock.method(globalThis, 'clearInterval')
  const ticking = () =>
    set.mock.calls.filter(
      ({ arguments: [, ms], result }) =>
        ms === TICK_MS && !clear.mock.calls.some(({ arguments: [timer] }) => timer === result),
    )
  const gateway = await start()
  const leaving = new AbortController()
  const asking = gateway.ask('tools/call', WITH_TOKEN, 'modern', undefined, undefined, leaving)
  await eventually(() => gateway.waiting.length === 1)
  assert.equal(ticking().length, 1)
  leaving.abort()
  await assert.rejects(asking)
  await eventually(() => gateway.left() === 1)
  assert.equal(ticking().length, 0)
})

const ALL = {
  notifications: { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true },
}

test('a listen hears of each list that has changed for its caller, and of no other change', async () => {
  const gateway = await start()
  const { served, orders, first, caller } = gateway
  const listen = await gateway.ask('subscriptions/listen', ALL, 'modern')
  const expanded = await gateway.ask('subscriptions/listen', ALL, 'modern', undefined, '?view=expanded')
  const silent = await gateway.ask('subscriptions/listen', { notifications: {} }, 'modern')
  const told = (of: typeof listen): readonly (string | undefined)[] =>
    of.messages().map(({ method }) => method)
  const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'
  await eventually(() => [listen, expanded, silent].every((one) => one.messages().length === 1))
  assert.deepEqual(listen.messages()[0]!.params, { notifications: ALL.notifications, _meta: META_OF(1) })
  assert.deepEqual(silent.messages()[0]!.params.notifications, {})

  // Nothing that the caller sees
  served.apply([collection('other')])
  served.apply([client('stranger', { profiles: [profile('any')] })])
  // Another endpoint: a tool where each has one
  served.apply([orders([...first, proxy('list-orders', '/v1/orders')])])
  await eventually(() => told(expanded).length === 2)
  assert.deepEqual(told(expanded), [ACKNOWLEDGED, 'notifications/tools/list_changed'])
  // So many endpoints that the search is listed
  const many = Array.from({ length: 40 }, (_, index) => proxy(`more-${index}`, `/v1/more/${index}`))
  served.apply([orders([...first, ...many])])
  await eventually(() => told(listen).length === 2)
  assert.deepEqual(told(listen), [ACKNOWLEDGED, 'notifications/tools/list_changed'])
  // A collection that is told of under another name
  served.apply([{ ...orders([...first, ...many]), name: 'Purchases' }])
  await eventually(() => told(listen).length === 3)
  assert.equal(told(listen)[2], 'notifications/resources/list_changed')
  assert.deepEqual(listen.messages()[2]!.params._meta, META_OF(1))

  // The client is identified anew by its next request
  served.apply([caller({ active: false })])
  await Promise.all([listen, expanded, silent].map((one) => one.done()))
  assert.deepEqual(listen.messages().at(-1)!.result, { resultType: 'complete', _meta: META_OF(1) })
  assert.deepEqual([told(listen).length, told(silent).length], [4, 2])
})

const META_OF = (id: number) => ({ 'io.modelcontextprotocol/subscriptionId': id })

test('a listen needs a stream, has few beside it, and is unknown to earlier revisions', async () => {
  const gateway = await start()
  const plain = await gateway.ask('subscriptions/listen', ALL, 'modern', 'application/json')
  await plain.done()
  assert.match(plain.text(), /Accept must list text\/event-stream/)
  const legacy = await gateway.ask('subscriptions/listen', ALL, 'legacy')
  await legacy.done()
  assert.match(legacy.text(), /Method not found/)
  const open = []
  for (let count = 0; count < 100; count++)
    open.push(await gateway.ask('subscriptions/listen', ALL, 'modern'))
  const last = await gateway.ask('subscriptions/listen', ALL, 'modern')
  await last.done()
  assert.match(last.text(), /Too many streams/)
  // One that leaves makes room
  open[0]!.leave()
  await open[0]!.done()
  await eventually(async () => {
    const next = await gateway.ask('subscriptions/listen', ALL, 'modern')
    const isOpen = next.type === 'text/event-stream'
    if (!isOpen) await next.done()
    return isOpen
  })
})

test('each era is told what is true of it', async () => {
  const gateway = await start()
  const about = async (query?: string) => {
    const found = await gateway.ask('server/discover', {}, 'modern', undefined, query)
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'a', version: '1' },
    }
    const opened = await gateway.ask('initialize', params, 'legacy', undefined, query)
    await Promise.all([found.done(), opened.done()])
    return [found, opened].map(({ text }) => JSON.parse(text()).result.capabilities)
  }
  const changed = { listChanged: true }
  assert.deepEqual(await about(), [
    { tools: changed, resources: changed },
    { tools: {}, resources: {} },
  ])
  assert.deepEqual(await about('?view=expanded'), [
    { tools: changed, prompts: changed, resources: changed },
    { tools: {}, prompts: {}, resources: {} },
  ])
})
