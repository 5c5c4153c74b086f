import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ClockCell, createClock, createClockCell } from '../../src/base/clock.ts'
import { Secret } from '../../src/base/crypto/token.ts'
import { createRequestIds } from '../../src/base/ids.ts'
import { createEgress, type EgressSettings, NO_LISTENER } from '../../src/base/net/egress.ts'
import { createCounterMemory } from '../../src/gateway/admit/counter-memory.ts'
import { createCounters } from '../../src/gateway/admit/counters.ts'
import type { Counters } from '../../src/gateway/admit/port.ts'
import type { Exchange } from '../../src/gateway/exchange.ts'
import type { Connections } from '../../src/gateway/forward/connections.ts'
import { createGateway, type Gateway } from '../../src/gateway/gateway.ts'
import { FIELD_RULES } from '../../src/gateway/request-headers.ts'
import type { RecordFields } from '../../src/record/fields.ts'
import { createKeptValueMemory, openKeptValues } from '../../src/shared-state/memory/kept-values.ts'
import { createKeyMemory, openKeyMemory } from '../../src/shared-state/memory/key-memory.ts'
import type { Once } from '../../src/shared-state/ports/memory.ts'
import type { Fragment, FragmentKey } from '../../src/snapshot/fragments.ts'
import type { CallerMemory } from '../../src/wire/caller-memory.ts'
import { createNativeEngine } from '../../src/wire/native/engine.ts'
import { createNodeEngine } from '../../src/wire/node/engine.ts'
import type { Engine, Incoming } from '../../src/wire/port.ts'
import { eventually } from '../support/eventually.ts'
import { moveClock } from '../support/moved-clock.ts'
import { ENGINE } from '../wire/peers.ts'
import { delta } from './fragments.ts'

/** What the upstream of a test saw, as it answers it in JSON. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body as JSON; a problem object when the gateway refused. */
  readonly json: Record<string, unknown> & Partial<Seen>
}

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Loopback address to come from. */
  readonly from?: string
}

/** An upstream that answers every request with what it saw. */
export class Echo {
  readonly seen: Seen[] = []
  readonly server: Server = createServer((incoming, outgoing) => {
    const pieces: Buffer[] = []
    incoming.on('data', (piece: Buffer) => pieces.push(piece))
    incoming.on('end', () => {
      const { method, url, headers } = incoming
      const body = Buffer.concat(pieces).toString()
      const seen = { method: method!, url: url!, headers: headers as Record<string, string>, body }
      this.seen.push(seen)
      if (url!.includes('slow')) return
      outgoing.setHeader('server', 'echo')
      outgoing.setHeader('content-type', url!.endsWith('?events') ? 'text/event-stream' : 'application/json')
      outgoing.end(JSON.stringify(seen))
    })
  })

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }
}

/** A gateway of one thread on real sockets, with an echo behind it. */
export interface Served {
  readonly gateway: Gateway
  readonly port: number
  readonly echo: Echo
  readonly records: RecordFields[]
  /** What was told of configuration that cannot be used. */
  readonly faults: string[]
  readonly engine: Engine
  ask(path: string, asked?: Asked): Promise<Answer>
  /** Applies fragments as one delta, on top of what is there. */
  apply(put: readonly Fragment[], drop?: readonly FragmentKey[]): readonly string[]
  /** The record number `index`, counted from 0, once it is written. */
  record(index: number): Promise<RecordFields>
  moveClock(ms: number): void
  now(): number
  close(): Promise<void>
}

export interface ServeOptions {
  readonly httpEngine?: 'native' | 'node'
  readonly counters?: SharedArrayBuffer
  readonly slot?: number
  /** What stands before the counters. */
  readonly countersOf?: (counters: Counters) => Counters
  readonly clockCell?: ClockCell
  readonly memory?: CallerMemory
  readonly usedTokens?: Once
  readonly egress?: Partial<EgressSettings>
  readonly pageHosts?: ReadonlySet<string>
  readonly connections?: Connections
  readonly importedKey?: Uint8Array
  /** How often the engine looks for what has lasted too long. */
  readonly sweepMs?: number
  readonly reserved?: (incoming: Incoming<Exchange>, exchange: Exchange, gateway: Gateway) => void
}

export async function serve(
  fragments: (port: number) => readonly Fragment[],
  options: ServeOptions = {},
): Promise<Served> {
  const cell = options.clockCell ?? createClockCell()
  const clock = createClock(cell)
  const echo = new Echo()
  echo.server.listen(0, '127.0.0.1')
  await once(echo.server, 'listening')
  const records: RecordFields[] = []
  const faults: string[] = []
  let revision = 0
  const egress = createEgress({ ...NO_LISTENER, ...options.egress })
  const gateway: Gateway = createGateway({
    upstream: (upstream) => engine.upstream(upstream),
    egress,
    counters: (options.countersOf ?? ((counters) => counters))(
      createCounters(options.counters ?? createCounterMemory(4096), options.slot ?? 0),
    ),
    records: { add: (fields) => records.push({ ...fields }), dropped: 0, flush() {} },
    clock,
    requestIds: createRequestIds(clock),
    usedTokens: options.usedTokens ?? openKeyMemory(createKeyMemory(4096)),
    proofs: openKeyMemory(createKeyMemory(4096)),
    keptValues: openKeptValues(createKeptValueMemory(64, 4096), 0),
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    pageHosts: options.pageHosts ?? null,
    ...(options.connections === undefined ? {} : { connections: options.connections }),
    ...(options.importedKey === undefined ? {} : { importedKey: options.importedKey }),
    // The tests seal by turning the text around.
    open: (sealed) => {
      if (sealed === 'broken') throw new Error('cannot open')
      return new Secret([...sealed].reverse().join(''))
    },
    reserved: (incoming, exchange) => {
      if (options.reserved !== undefined) options.reserved(incoming, exchange, gateway)
      else incoming.answer(404, '', 'reserved')
    },
    fault: (fault) => faults.push(String(fault)),
  })
  const createEngine = (options.httpEngine ?? ENGINE) === 'node' ? createNodeEngine : createNativeEngine
  const engine = createEngine({
    handler: gateway,
    rules: FIELD_RULES,
    clock,
    egress,
    sweepMs: options.sweepMs ?? 20,
  })
  const port = await engine.listen({ host: '127.0.0.1', port: 0, reusePort: false })
  const first = fragments(echo.port)
  if (first.length > 0) gateway.apply(delta(++revision, first, { full: true }))

  return {
    gateway,
    port,
    echo,
    records,
    faults,
    engine,
    ask: (path, asked) => ask(port, path, asked),
    apply: (put, drop = []) => gateway.apply(delta(++revision, put, { drop })),
    async record(index) {
      await eventually(
        () => records.length > index,
        () => `record ${index}`,
      )
      return records[index]!
    },
    moveClock: (ms) => moveClock(cell, ms),
    now: () => clock.now(),
    async close() {
      engine.close()
      gateway.close()
      echo.server.closeAllConnections()
      echo.server.close()
      await once(echo.server, 'close')
    },
  }
}

/** One request on a connection of its own. */
export function ask(port: number, path: string, asked: Asked = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: asked.method ?? 'GET',
        agent: false,
        headers: { ...asked.headers, ...lengthOf(asked.body) },
        ...(asked.from === undefined ? {} : { localAddress: asked.from }),
      },
      (incoming) => {
        const pieces: Buffer[] = []
        incoming.on('data', (piece: Buffer) => pieces.push(piece))
        incoming.on('end', () => {
          const text = Buffer.concat(pieces).toString()
          const isJson = (incoming.headers['content-type'] ?? '').includes('json') && text !== ''
          const json = (isJson ? JSON.parse(text) : {}) as Answer['json']
          resolve({ status: incoming.statusCode!, headers: incoming.headers, text, json })
        })
        incoming.on('error', reject)
      },
    )
    outgoing.on('error', reject)
    outgoing.end(asked.body)
  })
}

function lengthOf(body: string | undefined): Record<string, string> {
  return body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
}
