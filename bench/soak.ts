/**
 * Claim: memory levels off under a mix of calls and changes at a fifth of a core. An hour, or `SOAK_MINUTES`; run when it is named only.
 * It needs no other program.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { requestOf, startPeer, TOOL_CALL, TOOL_LIST, toolCall } from './measure/agents.ts'
import type { Manage } from './measure/postern.ts'
import { createProcesses, type Started, usageOf } from './measure/processes.ts'
import type { Outcome } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'
import { publishOrders, startManaged } from './measure/stand.ts'

const MINUTES = 60
/** While heaps, caches and the SQLite page caches fill. */
const SETTLING_MINUTES = 10
const MB_PER_MINUTE_MAX = 0.2
const RSS_MB_MAX = 400
/** CPU of all threads of Postern, as a share of one core. */
const CPU_SHARE = 0.2
const TICK_MS = 50
/** Calls a second at the start; from then on the rate follows {@link CPU_SHARE}. */
const CALLS_AT_FIRST = 60
/** Calls under way. Beyond it a tick makes none. */
const OPEN_MAX = 64
/** Idempotency keys that calls repeat. A new one is used each second: Postern remembers each for a day. */
const KEYS = 50
/** Calls of one MCP session of 2025-11-25. */
const SESSION_CALLS = 50
const MB = 1024 ** 2

export async function soak(quick: boolean): Promise<Outcome> {
  const minutes = quick ? 2 : Number(process.env['SOAK_MINUTES'] ?? MINUTES)
  using scratch = scratchDirectory()
  await using processes = createProcesses()
  const upstream = await startUpstream()
  const { url: originUrl } = await startPeer(processes, 1, 'mcp-origin.ts', [], 405)
  const { postern, call } = await startManaged(processes, scratch.path, { core: 0, workers: 1 })
  const tokens = await publish(call, (upstream.address() as AddressInfo).port, originUrl)
  const mix = new Mix(postern.gateway, tokens)
  const changes = new Changes(call)
  const samples: Sample[] = []
  const began = performance.now()
  const pace = new Pace(postern.process)
  const timers = [
    setInterval(() => mix.run(pace.due()), TICK_MS),
    setInterval(() => {
      pace.adjust()
      mix.newKey()
      changes.next()
    }, 1000),
  ]
  try {
    while (samples.length < minutes) {
      const next = began + (samples.length + 1) * 60_000
      await new Promise((done) => setTimeout(done, next - performance.now()))
      const sample = await sampled(postern.process, postern.control, samples.length + 1)
      samples.push(sample)
      console.log(
        `  ${Object.entries(sample)
          .map(([name, value]) => `${name} ${value}`)
          .join(', ')}`,
      )
    }
  } finally {
    for (const timer of timers) clearInterval(timer)
    upstream.closeAllConnections()
    upstream.close()
  }
  return outcomeOf(samples, minutes, quick, { mix, changes, cpuShare: pace.share })
}

/** What stands at the end of a minute, in MB. */
interface Sample {
  readonly minute: number
  readonly rss: number
  /** JavaScript heap in use, by thread. */
  readonly [heap: string]: number
}

async function sampled({ pid }: Started, control: string, minute: number): Promise<Sample> {
  const text = await metricsOf(control)
  const heaps = text.matchAll(/^postern_heap_used_bytes\{thread="([^"]+)"\} (\S+)$/gm)
  return {
    minute,
    rss: rounded(usageOf(pid).rssBytes / MB),
    ...Object.fromEntries(
      [...heaps].map(([, thread, bytes]) => [`heap of ${thread}`, rounded(Number(bytes) / MB)]),
    ),
  }
}

/** Repeated where the server has closed a kept connection meanwhile. */
async function metricsOf(control: string): Promise<string> {
  for (let attempt = 1; ; attempt++)
    try {
      return await (await fetch(`${control}/metrics`)).text()
    } catch (error) {
      if (attempt === 5) throw error
    }
}

const rounded = (value: number): number => Math.round(value * 10) / 10

function outcomeOf(
  samples: readonly Sample[],
  minutes: number,
  quick: boolean,
  { mix, changes, cpuShare }: { readonly mix: Mix; readonly changes: Changes; readonly cpuShare: number },
): Outcome {
  const settled = samples.filter(({ minute }) => minute > SETTLING_MINUTES)
  const columns = Object.keys(samples[0]!)
  const slope = slopeOf(settled, 'rss')
  const last = samples.at(-1)!
  const failed = mix.failed + changes.failed
  return {
    name: 'soak',
    title: `${minutes} minutes of mixed calls and a change a second, at a fifth of a core, one gateway thread`,
    bar:
      `after ${SETTLING_MINUTES} minutes RSS grows by less than ${MB_PER_MINUTE_MAX} MB a minute, it ends below ${RSS_MB_MAX} MB, ` +
      'and no call fails',
    met:
      quick || settled.length < SETTLING_MINUTES
        ? null
        : slope < MB_PER_MINUTE_MAX && last.rss < RSS_MB_MAX && failed === 0,
    comparisons: [],
    facts: {
      calls: mix.made,
      changes: changes.made,
      'failed calls and changes': failed,
      ...(mix.fault === '' ? {} : { 'first failure': mix.fault }),
      'CPU of the last minute, share of one core': Math.round(cpuShare * 100) / 100,
      ...Object.fromEntries(
        columns
          .slice(1)
          .map((column) => [
            `growth of ${column} after the first ${SETTLING_MINUTES} minutes, MB a minute`,
            Math.round(slopeOf(settled, column) * 100) / 100,
          ]),
      ),
      'RSS at the end, MB': last.rss,
    },
    tables: [{ columns, rows: samples.map((sample) => columns.map((column) => sample[column] ?? '')) }],
  }
}

/** Of the line that lies closest to the samples (least squares), MB a minute. */
function slopeOf(samples: readonly Sample[], column: string): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(samples.map(({ minute }) => minute))
  const y = mean(samples.map((sample) => sample[column] ?? 0))
  let above = 0
  let below = 0
  for (const sample of samples) {
    above += (sample.minute - x) * ((sample[column] ?? 0) - y)
    below += (sample.minute - x) ** 2
  }
  return below === 0 ? 0 : above / below
}

/** How many calls are due: a rate that follows the CPU which Postern uses. */
class Pace {
  readonly #process: Started
  #rate = CALLS_AT_FIRST
  #due = 0
  #seconds: number
  #at = performance.now()
  /** A moving mean over about a minute. */
  share = CPU_SHARE

  constructor(process: Started) {
    this.#process = process
    this.#seconds = usageOf(process.pid).cpuSeconds
  }

  due(): number {
    this.#due += (this.#rate * TICK_MS) / 1000
    const whole = Math.floor(this.#due)
    this.#due -= whole
    return whole
  }

  /** Once a second. */
  adjust(): void {
    const [seconds, at] = [usageOf(this.#process.pid).cpuSeconds, performance.now()]
    const share = ((seconds - this.#seconds) * 1000) / (at - this.#at)
    this.share += (share - this.share) / 60
    this.#rate = Math.min(1000, Math.max(5, this.#rate * (share > CPU_SHARE ? 0.97 : 1.03)))
    this.#seconds = seconds
    this.#at = at
  }
}

/** Answers what a small API answers. */
async function startUpstream(): Promise<Server> {
  const body = JSON.stringify({ id: 'ord_7', status: 'shipped', total: 129.95, note: 'x'.repeat(900) })
  const server = createServer((request, response) => {
    request.resume()
    const isCharge = request.method === 'POST'
    response.writeHead(isCharge ? 201 : 200, { 'content-type': 'application/json', 'x-served-by': 'bench' })
    response.end(
      isCharge ? '{"charge":"ch_1234567890","amount":100,"currency":"EUR","state":"captured"}' : body,
    )
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return server
}

interface Tokens {
  /** Of clients with wide limits. */
  readonly callers: readonly string[]
  /** Of a client that is mostly over its limit. */
  readonly limited: string
}

async function publish(call: Manage, upstreamPort: number, originUrl: string): Promise<Tokens> {
  await publishOrders(call, upstreamPort)
  await call('POST', '/proxies', {
    ...{ collection: 'orders', name: 'Charge', methods: ['POST'], path: '/v1/charges' },
    ...{ idempotency: true, status: 'published' },
  })
  await call('POST', '/collections/orders/publish', {})
  await call('POST', '/origins', { name: 'Shop', slug: 'shop', url: originUrl })
  await call('POST', '/virtual_mcps', { name: 'Desk', slug: 'desk', members: [{ origin: 'shop' }] })
  await call('POST', '/virtual_mcps/desk/publish', {})
  const limits = { wide: [1_000_000, 1_000_000_000], narrow: [2, 1_000_000_000] } as const
  for (const [slug, [rate, quota]] of Object.entries(limits))
    await call('POST', '/policies', {
      ...{ name: slug, slug },
      limits: [
        { name: 'second', kind: 'rate', max: rate, window: '1s' },
        { name: 'day', kind: 'quota', max: quota, window: '1d' },
      ],
    })
  const client = async (slug: string, policy: string): Promise<string> => {
    await call('POST', '/clients', {
      name: slug,
      slug,
      policy,
      collections: ['orders'],
      virtual_mcps: ['desk'],
    })
    const made = await call('POST', '/profiles', {
      client: slug,
      name: 'Live',
      slug: 'live',
      auth: { type: 'token' },
    })
    return String(made['token'])
  }
  const callers: string[] = []
  for (let index = 0; index < 10; index++) callers.push(await client(`caller-${index}`, 'wide'))
  return { callers, limited: await client('limited', 'narrow') }
}

/** The calls, by turns. */
class Mix {
  made = 0
  failed = 0
  /** Of the first call that failed. */
  fault = ''
  readonly #url: string
  readonly #tokens: Tokens
  #open = 0
  #keys = ['key-0']
  #keysMade = 1
  #session: LegacySession | null = null

  constructor(url: string, tokens: Tokens) {
    this.#url = url
    this.#tokens = tokens
  }

  /** Makes as many calls, and waits for none. */
  run(calls: number): void {
    for (let call = 0; call < calls && this.#open < OPEN_MAX; call++) {
      const turn = this.#turns[this.made++ % this.#turns.length]!
      const { callers } = this.#tokens
      const token = callers[Math.floor(this.made / this.#turns.length) % callers.length]!
      this.#open++
      turn(token)
        .catch((error: unknown) => this.#fail(String(error)))
        .finally(() => this.#open--)
    }
  }

  newKey(): void {
    this.#keys = [...this.#keys, `key-${this.#keysMade++}`].slice(-KEYS)
  }

  readonly #turns: readonly ((token: string) => Promise<void>)[] = [
    (token) => this.#call('/orders/v1/orders/7', { token }, [200]),
    () => this.#call('/orders/v1/orders/8', { token: this.#tokens.limited }, [200, 429]),
    () => this.#charge(),
    (token) => this.#message('/mcp', token, EXECUTE_CALL),
    (token) => this.#message('/mcp/desk', token, TOOL_CALL),
    (token) => this.#legacy(token),
    (token) => this.#message('/mcp/desk', token, TOOL_LIST),
    (token) => this.#call(`/orders/v1/none/${this.made}`, { token }, [404]),
    () => this.#call('/orders/v1/orders/9', { token: `wrong-${this.made}` }, [401, 429]),
    (token) => this.#call(`/orders/v1/orders/${this.made}?page=${this.made}`, { token }, [200]),
  ]

  /** A key belongs to its client, so that one client charges. Several calls at once of a new key are a conflict. */
  #charge(): Promise<void> {
    const key = this.#keys[this.made % this.#keys.length]!
    const given = { token: this.#tokens.callers[0]!, method: 'POST', body: '{"amount":100}' }
    const headers = { 'idempotency-key': key, 'content-type': 'application/json' }
    return this.#call('/orders/v1/charges', { ...given, headers }, [201, 409])
  }

  #message(path: string, token: string, message: typeof TOOL_CALL): Promise<void> {
    return this.#call(path, { token, method: 'POST', ...requestOf(message) }, [200])
  }

  /** A call in a session of 2025-11-25, which is ended after some calls. */
  async #legacy(token: string): Promise<void> {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    const send = async (method: string, params: object, more: Record<string, string> = {}, as = token) => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: this.made, method, params })
      const init = { method: 'POST', headers: { ...headers, ...more, authorization: `Bearer ${as}` }, body }
      const answer = await fetch(`${this.#url}/mcp/desk`, init)
      await answer.text()
      if (answer.status !== 200) this.#fail(`${method} answered ${answer.status}`)
      return answer
    }
    const version = { 'mcp-protocol-version': '2025-11-25' }
    const session = this.#session
    if (session === null) {
      const clientInfo = { name: 'bench', version: '1' }
      const answer = await send('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
      const id = answer.headers.get('mcp-session-id') ?? ''
      this.#session = { id, token, left: SESSION_CALLS, running: new Set() }
    } else if (session.left-- > 0) {
      const more = { ...version, 'mcp-session-id': session.id }
      const call = send('tools/call', TOOL_CALL.params, more, session.token)
      session.running.add(call)
      await call.finally(() => session.running.delete(call))
    } else {
      this.#session = null
      // A call that comes after the end of its session is refused
      await Promise.allSettled(session.running)
      const authorization = `Bearer ${session.token}`
      const ended = { method: 'DELETE', headers: { ...version, authorization, 'mcp-session-id': session.id } }
      await (await fetch(`${this.#url}/mcp/desk`, ended)).text()
    }
  }

  async #call(
    path: string,
    { token, method = 'GET', headers = {}, body }: Call,
    expected: readonly number[],
  ): Promise<void> {
    const init = { method, headers: { ...headers, authorization: `Bearer ${token}` } }
    const answer = await fetch(this.#url + path, body === undefined ? init : { ...init, body })
    const text = await answer.text()
    if (!expected.includes(answer.status))
      this.#fail(`${method} ${path} answered ${answer.status}: ${text.slice(0, 200)}`)
  }

  #fail(fault: string): void {
    this.failed++
    if (this.fault === '') this.fault = fault
  }
}

interface LegacySession {
  readonly id: string
  readonly token: string
  left: number
  /** Its calls that are under way. */
  readonly running: Set<Promise<unknown>>
}

interface Call {
  readonly token: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const EXECUTE_CALL = toolCall('execute_call', {
  endpoint: 'GET /orders/v1/orders/{id}',
  params: { path: { id: '7' } },
})

/** Changes of the configuration, by turns. */
class Changes {
  made = 0
  failed = 0
  readonly #call: Manage

  constructor(call: Manage) {
    this.#call = call
  }

  next(): void {
    const number = this.made++
    const limits = [{ name: 'second', kind: 'rate', max: 1_000_000 + (number % 7), window: '1s' }]
    const changes: readonly (() => Promise<unknown>)[] = [
      () => this.#call('PATCH', '/policies/wide', { limits }),
      () =>
        this.#call('POST', '/clients', {
          name: `Guest ${number}`,
          slug: `guest-${number}`,
          collections: ['orders'],
        }),
      () => this.#call('DELETE', `/clients/guest-${number - 1}?confirm=guest-${number - 1}`),
      () => this.#call('PATCH', '/virtual_mcps/desk', { description: `Version ${number}` }),
    ]
    changes[number % changes.length]!().catch((error: unknown) => {
      this.failed++
      if (this.failed === 1) console.error(String(error))
    })
  }
}
