import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createClock, createClockCell, moveClock } from '../../src/base/clock.ts'
import type { ByteBudget } from '../../src/base/memory/bytes.ts'
import { createEgress, type EgressSettings, NO_LISTENER } from '../../src/base/net/egress.ts'
import { PROBLEMS, type RefusalCode } from '../../src/base/refusal.ts'
import type { NativeEngineOptions } from '../../src/wire/native/context.ts'
import { createNativeEngine } from '../../src/wire/native/engine.ts'
import { createNodeEngine } from '../../src/wire/node/engine.ts'
import type {
  Engine,
  FieldRules,
  Handler,
  Incoming,
  TlsOptions,
  Upstream,
  UpstreamOptions,
} from '../../src/wire/port.ts'
import { eventually } from '../support/eventually.ts'

/** The engine under test, unless a test names one. */
export const ENGINE = process.env['HTTP_ENGINE'] === 'node' ? 'node' : 'native'

/** For a test of what the native engine alone does: why the one on `node:http` may do otherwise. */
export const nativeAlone = (why: string): { skip: string | false } => ({
  skip: ENGINE === 'node' ? why : false,
})

/** Room for everything. */
export const NO_BOUND: ByteBudget = { take: () => true, give() {} }

/** A caller that sends exactly the bytes it is told and keeps all it receives as latin1. */
export class Caller {
  received = ''
  isClosed = false
  readonly socket: Socket

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1')
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.isClosed = true
    })
  }

  send(text: string | Buffer): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  }

  /** Sends and waits until what was received matches. */
  async ask(text: string, pattern: RegExp): Promise<string> {
    this.send(text)
    return this.receive(pattern)
  }

  async receive(pattern: RegExp): Promise<string> {
    await eventually(
      () => pattern.test(this.received),
      () => `${pattern} in ${JSON.stringify(this.received.slice(0, 500))}`,
    )
    return this.received
  }

  async closed(): Promise<string> {
    await eventually(
      () => this.isClosed,
      () => `a close after ${JSON.stringify(this.received.slice(0, 500))}`,
    )
    return this.received
  }

  /** Number of final answers received. */
  get answers(): number {
    return (this.received.match(/HTTP\/1\.1 [2-5]\d\d /g) ?? []).length
  }
}

/** A server that records what it receives and answers as the test says. */
export class Origin {
  received = ''
  readonly sockets: Socket[] = []
  readonly #server = createServer((socket) => {
    this.sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1')
      this.onData(socket, bytes)
    })
  })
  onData: (socket: Socket, bytes: Buffer) => void

  constructor(onData?: (socket: Socket, bytes: Buffer) => void) {
    this.onData = onData ?? ((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  }

  async listen(where: { port: number } | { path: string } = { port: 0 }): Promise<number> {
    this.#server.listen('port' in where ? { ...where, host: '127.0.0.1' } : where)
    await once(this.#server, 'listening')
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  close(): void {
    this.#server.close()
    for (const socket of this.sockets) socket.destroy()
  }
}

export const RULES: FieldRules = {
  take: ['authorization', 'x-client-id'],
  peek: ['user-agent'],
  identity: ['authorization', 'x-client-id', 'x-profile-id'],
  strip: ['cookie2'],
  stripPrefixes: ['x-postern-'],
}

export const UPSTREAM: Omit<UpstreamOptions, 'address'> = {
  tls: null,
  connectTimeoutMs: 2000,
  firstByteTimeoutMs: 5000,
  idleTimeoutMs: 5000,
  connectionsMax: 8,
  waitingMax: 8,
}

export interface Refused {
  readonly code: RefusalCode
  readonly inner: string
}

export interface Gateway {
  readonly port: number
  readonly engine: Engine
  readonly upstream: Upstream
  readonly seen: Incoming[]
  readonly refused: Refused[]
  readonly finished: Incoming[]
  readonly faults: unknown[]
  /** Moves the clock. */
  pass(ms: number): void
  close(): void
}

/** An engine with one upstream whose handler forwards everything, unless `request` does something else. */
export async function startGateway(
  address: UpstreamOptions['address'],
  options: {
    readonly request?: (incoming: Incoming, upstream: Upstream) => void
    readonly refused?: Handler['refused']
    readonly limits?: NativeEngineOptions<unknown>['limits']
    readonly rules?: FieldRules
    readonly upstream?: Partial<UpstreamOptions>
    readonly httpEngine?: 'native' | 'node'
    readonly resolve?: NativeEngineOptions<unknown>['resolve']
    readonly keep?: NativeEngineOptions<unknown>['keep']
    readonly tls?: TlsOptions
    readonly egress?: Partial<EgressSettings>
  } = {},
): Promise<Gateway> {
  const cell = createClockCell()
  const seen: Incoming[] = []
  const refused: Refused[] = []
  const finished: Incoming[] = []
  const faults: unknown[] = []
  const request = options.request ?? forwardAll
  const createEngine = (options.httpEngine ?? ENGINE) === 'node' ? createNodeEngine : createNativeEngine
  const engine = createEngine({
    clock: createClock(cell),
    egress: createEgress({ ...NO_LISTENER, ...options.egress }),
    rules: options.rules ?? RULES,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.keep === undefined ? {} : { keep: options.keep }),
    ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
    sweepMs: 5,
    onFault: (error) => faults.push(error),
    handler: {
      request: (incoming) => {
        seen.push(incoming)
        request(incoming, upstream)
      },
      refused: (incoming, code, inner) => {
        refused.push({ code, inner })
        if (options.refused !== undefined) options.refused(incoming, code, inner)
        else incoming.answer(PROBLEMS[code].status, '', code)
      },
      finished: (incoming) => finished.push(incoming),
    },
  })
  const upstream = engine.upstream({ ...UPSTREAM, address, ...options.upstream })
  const port = await engine.listen({ host: '127.0.0.1', port: 0, reusePort: false, tls: options.tls ?? null })
  return {
    port,
    engine,
    upstream,
    seen,
    refused,
    finished,
    faults,
    pass: (ms) => moveClock(cell, ms),
    close: () => engine.close(),
  }
}

export type GatewayOptions = Parameters<typeof startGateway>[1]

/** A caller before a gateway before an origin; all ends with the test, in which no handler may have failed. */
export async function startBetween(
  t: TestContext,
  onData?: Origin['onData'],
  options?: GatewayOptions,
): Promise<{ origin: Origin; gateway: Gateway; caller: Caller }> {
  const origin = new Origin(onData)
  const gateway = await startGateway({ host: '127.0.0.1', port: await origin.listen() }, options)
  t.after(() => {
    gateway.close()
    origin.close()
    assert.deepEqual(gateway.faults, [])
  })
  return { origin, gateway, caller: new Caller(gateway.port) }
}

/** Forwards a request as it is. */
export function forwardAll(incoming: Incoming, upstream: Upstream): void {
  incoming.forward(upstream, {
    method: incoming.method,
    target: incoming.query === '' ? incoming.path : `${incoming.path}?${incoming.query}`,
    host: 'origin',
    fields: incoming.pass,
    responseFields: 'X-Request-ID: r1\r\n',
    responseNames: ['x-request-id'],
  })
}
