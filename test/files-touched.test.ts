/**
 * How many files a reader has to open to follow a request or a change from its first byte to its last. The bounds are what was
 * counted: a change that needs another file on these paths raises a bound here, and says so.
 */
import assert from 'node:assert/strict'
import { basename, dirname } from 'node:path'
import { afterEach, type TestContext, test } from 'node:test'
import { createClock } from '../src/base/clock.ts'
import { canonicalJson } from '../src/base/json/canonical.ts'
import { FIELD_RULES } from '../src/gateway/request-headers.ts'
import { createConsumerDoor } from '../src/mcp/consumer/door.ts'
import { createRunningCalls } from '../src/mcp/http/message.ts'
import { createThreadEvents } from '../src/shared-state/memory/shared-cells.ts'
import { example, startControl } from './control.ts'
import { client, collection, policy, profile, rate, token, upstream } from './gateway/fragments.ts'
import { type Served, serve } from './gateway/serve.ts'
import { startVirtualMcp } from './mcp/virtual-mcp.ts'
import { filesTouched } from './support/files-touched.ts'
import { startSdkServer } from './support/mcp-server.ts'
import { createSessionMemory } from './support/session-memory.ts'
import { Caller, nativeAlone } from './wire/peers.ts'

const { skip } = nativeAlone('its files are counted')
const acme = token('tok_acme')
const HEAD = `host: localhost\r\nauthorization: Bearer ${acme.text}\r\n`
const CALL = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    name: 'execute_call',
    arguments: { endpoint: 'GET /orders/v1/orders/{id}', params: { path: { id: '7' } } },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
}

/** The other header lines of a call of that tool. */
function linesOf(tool: string, body: string): string {
  return `content-type: application/json\r\naccept: application/json\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: ${tool}\r\ncontent-length: ${body.length}\r\n`
}

/** On a machine with much load, few are without a timer or a new connection. */
const MEASUREMENTS = 12
/** Longer than the test: what the engine does by the clock is no part of a request. */
const SWEEP_MS = 3_600_000

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A gateway with one endpoint behind a token and a limit, and the door at /mcp. */
async function start(): Promise<Served> {
  let door: ReturnType<typeof createConsumerDoor> | null = null
  const served = await serve(
    (port) => [
      collection('orders', { upstream: upstream(port) }),
      policy('gold', [rate(1000)]),
      client('acme', {
        policy: 'pol_gold',
        profiles: [profile('live', { auth: 'token', tokens: [acme.fragment] })],
      }),
    ],
    {
      sweepMs: SWEEP_MS,
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
          clock: createClock(),
          requestId: () => exchange.requestId,
          taken: [...FIELD_RULES.take, ...FIELD_RULES.peek],
          fault: (error) => assert.fail(String(error)),
        })
        door(incoming)
      },
    },
  )
  ends.push(() => served.close())
  return served
}

/**
 * The files of a request on a connection that has made the same one before, until its record is written. Those of work that
 * only happened to be done meanwhile are not in each of several measurements.
 */
async function filesOf(served: Served, text: string): Promise<string[]> {
  const caller = new Caller(served.port)
  ends.push(() => caller.socket.destroy())
  const ask = async (): Promise<void> => {
    const before = served.records.length
    caller.received = ''
    await caller.ask(text, /^HTTP\/1\.1 200 .*\}$/s)
    await served.record(before)
  }
  await ask()
  return filesTouched(ask, MEASUREMENTS)
}

/** Prints the files, by folder. */
function check(t: TestContext, files: readonly string[], max: number): void {
  const folders = Map.groupBy(files, (path) => dirname(path))
  const lines = [...folders].map(
    ([folder, paths]) => `${folder}: ${paths.map((path) => basename(path)).join(' ')}`,
  )
  t.diagnostic(`${t.name} runs functions of ${files.length} files`)
  for (const line of lines) t.diagnostic(line)
  assert.ok(files.length <= max, `${files.length} files, more than ${max}:\n${lines.join('\n')}`)
}

test('timers that stood before do not count, and run after the measurement; those of the work count', async (t) => {
  let runs = 0
  const standing = setInterval(() => canonicalJson({ runs: ++runs }), 1)
  t.after(() => clearInterval(standing))
  const wait = (work: () => unknown) =>
    filesTouched(
      () =>
        new Promise<void>((done) => {
          const before = runs
          setTimeout(() => {
            assert.equal(runs, before)
            work()
            done()
          }, 20)
        }),
    )
  assert.deepEqual(await wait(() => {}), [])
  assert.ok(runs > 0)
  assert.deepEqual(await wait(() => canonicalJson({})), ['base/json/canonical.ts'])
})

test('a request over REST', { skip }, async (t) => {
  const files = await filesOf(await start(), `GET /orders/v1/orders/7 HTTP/1.1\r\n${HEAD}\r\n`)
  // The check of guardrails is a file of its own, and all of them where none applies
  check(t, files, 59)
})

test('an execute_call', { skip }, async (t) => {
  const body = JSON.stringify(CALL)
  const lines = linesOf('execute_call', body)
  const files = await filesOf(await start(), `POST /mcp HTTP/1.1\r\n${HEAD}${lines}\r\n${body}`)
  // The codec, the relay and the tools of each view are apart; scopes of people and hosts are looked at
  // Five of them write arguments as the description says, with their digits, and refuse other spellings of their names
  check(t, files, 93)
})

test('a tools/call at a virtual MCP', { skip }, async (t) => {
  const sums = await startSdkServer()
  ends.push(() => sums[Symbol.asyncDispose]())
  const desk = await startVirtualMcp({ sums: sums.url }, { sweepMs: SWEEP_MS })
  ends.push(() => desk[Symbol.asyncDispose]())
  const body = JSON.stringify({
    ...CALL,
    params: { ...CALL.params, name: 'add', arguments: { a: 19, b: 23 } },
  })
  const lines = linesOf('add', body)
  const head = `host: localhost\r\nauthorization: ${desk.headers.authorization}\r\n`
  const files = await filesOf(desk.served, `POST /mcp/desk HTTP/1.1\r\n${head}${lines}\r\n${body}`)
  // The client of origins, its sessions and the judges of results are looked at, also where nothing of them applies
  check(t, files, 90)
})

test('proxies.update', { skip }, async (t) => {
  const control = await startControl()
  ends.push(() => control.close())
  await example(control)
  let count = 0
  const update = () => control.run('proxies.update', { id: 'orders:get-order', name: `Order ${++count}` })
  // What is long is packed when it is compiled
  check(t, await filesTouched(update, MEASUREMENTS), 64)
})
