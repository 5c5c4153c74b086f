import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClockCell, createClockCell, jumpClock } from '../../src/base/clock.ts'
import { type Running, startServer } from '../../src/serve.ts'
import { readSettings } from '../../src/settings.ts'
import { moveClock } from '../support/moved-clock.ts'
import { ownPort } from '../support/ports.ts'
import { databaseOf } from '../support/test-database.ts'

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes; a test reads the members it asserts on
  readonly json: any
}

export interface CallOptions {
  readonly token?: string | undefined
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

/** A whole Postern on a temporary data directory and free ports, in this process. */
export interface TestServer extends AsyncDisposable {
  readonly running: Running
  readonly data: string
  readonly adminToken: string
  /** Lines of the process log. */
  readonly log: string[]
  /** Its errors, and with `warn` its warnings, but not those about a slow disk: the machine of a test may be busy. */
  faults(...levels: readonly 'warn'[]): string[]
  /** A call on the gateway listener. */
  gateway(method: string, path: string, options?: CallOptions): Promise<Reply>
  /** A call of management REST as the administrator (or with another token), below /management/v1. */
  manage(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Reply>
  /** Moves the clock of all threads. */
  moveClock(ms: number): void
  /** Sets the wall clock of all threads, as somebody who sets the clock of the machine: no time passes. */
  jumpClock(ms: number): void
  stop(): Promise<void>
}

export interface TestServerOptions {
  readonly workers?: number
  readonly data?: string
  readonly flags?: readonly string[]
  /** Address and port of the control listener; a free port when absent. */
  readonly controlListen?: string
  /** What the clocks of all threads say at the start, milliseconds since 1970; the time of the system when absent. */
  readonly startAt?: number
  /** Makes no token of an administrator: nobody can, without a store. */
  readonly adminless?: boolean
}

export async function call(method: string, url: string, options: CallOptions = {}): Promise<Reply> {
  const headers: Record<string, string> = { ...options.headers }
  if (options.token !== undefined) headers['authorization'] = `Bearer ${options.token}`
  let body: string | undefined
  if (options.body !== undefined) {
    body = typeof options.body === 'string' ? options.body : JSON.stringify(options.body)
    headers['content-type'] ??= 'application/json'
  }
  const response = await fetch(url, {
    method,
    headers,
    redirect: 'manual',
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(20_000),
  })
  const text = await response.text()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  return { status: response.status, headers: response.headers, text, json }
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'postern-test-')))
  const clockCell: ClockCell = createClockCell()
  if (options.startAt !== undefined) moveClock(clockCell, options.startAt - Date.now())
  const log: string[] = []
  const database = await databaseOf(join(data, 'config.db'))
  const settings = readSettings(
    [
      '--data',
      data,
      '--listen',
      `127.0.0.1:${await ownPort()}`,
      '--control-listen',
      options.controlListen ?? `127.0.0.1:${await ownPort()}`,
      '--workers',
      String(options.workers ?? 1),
      ...(options.flags ?? []),
    ],
    database === null ? {} : { POSTERN_DATABASE_URL: database },
  )
  const running = await startServer(settings, {
    clockCell,
    log: (level, message) => log.push(`${level} ${message}`),
  })
  const adminToken =
    options.adminless === true
      ? ''
      : (await running.issueToken({ role: 'admin', ttl: '1h', name: 'test admin' })).token
  let stopped = false
  const server: TestServer = {
    running,
    data,
    adminToken,
    log,
    faults: (...levels) =>
      log.filter(
        (line) =>
          ['error', ...levels].some((level) => line.startsWith(`${level} `)) && !line.includes(' is slow: '),
      ),
    gateway: (method, path, callOptions) => call(method, `${running.gatewayUrl}${path}`, callOptions),
    manage: (method, path, body, callOptions = {}) =>
      call(method, `${running.controlUrl}/management/v1${path}`, {
        token: adminToken,
        ...callOptions,
        ...(body === undefined ? {} : { body }),
      }),
    moveClock: (ms) => moveClock(clockCell, ms),
    jumpClock: (ms) => jumpClock(clockCell, ms),
    async stop() {
      if (stopped) return
      stopped = true
      await running.stop()
      if (options.data === undefined) await rm(data, { recursive: true, force: true })
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
    },
  }
  return server
}

/** The worked example: a published collection over `upstreamUrl`, a policy, a client, a token profile. Returns its token. */
export async function publishOrders(
  server: Pick<TestServer, 'manage'>,
  upstreamUrl: string,
  limit: { kind?: 'rate' | 'quota' | 'concurrency'; max: number; window?: string } = {
    max: 1000,
    window: '1m',
  },
): Promise<string> {
  await created(
    server.manage('POST', '/collections', {
      name: 'Orders',
      slug: 'orders',
      base_path: '/orders',
      upstream: { targets: [{ url: upstreamUrl }] },
    }),
  )
  await created(
    server.manage('POST', '/proxies', {
      collection: 'orders',
      name: 'Get order',
      methods: ['GET'],
      path: '/v1/orders/{id}',
      status: 'published',
    }),
  )
  await created(
    server.manage('POST', '/proxies', {
      collection: 'orders',
      name: 'Create order',
      methods: ['POST'],
      path: '/v1/orders',
      status: 'published',
    }),
  )
  const published = await server.manage('POST', '/collections/orders/publish', {})
  if (published.status !== 200) throw new Error(`publish: ${published.text}`)
  await created(
    server.manage('POST', '/policies', {
      name: 'Gold',
      slug: 'gold',
      limits: [{ name: 'minute', kind: 'rate', ...limit }],
    }),
  )
  await created(
    server.manage('POST', '/clients', {
      name: 'Acme',
      slug: 'acme',
      collections: ['orders'],
      policy: 'gold',
      profiles: [],
    }),
  )
  const profile = await created(
    server.manage('POST', '/profiles', {
      client: 'acme',
      name: 'Sandbox',
      slug: 'sandbox',
      auth: { type: 'token' },
    }),
  )
  return profile.json.token as string
}

/** One message of an agent at an MCP endpoint. */
export function askMcp(
  server: Pick<TestServer, 'gateway'>,
  path: '/mcp' | '/management/mcp',
  token: string,
  method: string,
  params: object,
): Promise<Reply> {
  return server.gateway('POST', path, {
    token,
    headers: { accept: 'application/json, text/event-stream' },
    body: { jsonrpc: '2.0', id: 1, method, params },
  })
}

/** `execute_call` of an agent with the token of a profile: its structured result. */
export async function callAsAgent(
  server: Pick<TestServer, 'gateway'>,
  token: string,
  values: Record<string, unknown>,
): Promise<Reply['json']> {
  const params = { name: 'execute_call', arguments: values }
  const reply = await askMcp(server, '/mcp', token, 'tools/call', params)
  if (reply.status !== 200) throw new Error(`${reply.status}: ${reply.text}`)
  return reply.json.result.structuredContent
}

export async function created(reply: Promise<Reply>): Promise<Reply> {
  const answer = await reply
  if (answer.status !== 201) throw new Error(`${answer.status}: ${answer.text}`)
  return answer
}

/** Asks again until `holds`; fails after ten seconds with the last answer. */
export async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const answer = await ask()
    if (holds(answer)) return answer
    if (performance.now() > deadline)
      throw new Error(`it never held; last: ${JSON.stringify(answer).slice(0, 2000)}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
